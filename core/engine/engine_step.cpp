#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "base/checked.hpp"
#include "engine/engine_state.hpp"

namespace ds4 {
void StepSegments::reserve(std::size_t most_rows, std::size_t slots) {
  decode.reserve(slots);
  sessions.reserve(slots);
  growths.reserve(slots);
  tokens.reserve(most_rows);  // segments point into these two: they never grow past this
  wants_logits.reserve(most_rows);
}

void StepSegments::clear() {
  decode.clear();
  prefill.reset();
  sessions.clear();
  growths.clear();
  tokens.clear();
  wants_logits.clear();
  logits_rows = 0;
}

Result<void> Engine::State::collect(const StepRequest& request) {
  segments.clear();
  if (request.decode.empty() && request.prefill.empty()) {
    return fail(Errc::invalid_argument, "a step needs at least one row");
  }
  if (request.decode.size() > options.decode_rows ||
      request.prefill.size() > options.prefill_rows) {
    return fail(Errc::invalid_argument, "a step holds at most ", options.decode_rows,
                " decode rows and ", options.prefill_rows, " prefill rows, got ",
                request.decode.size(), " and ", request.prefill.size());
  }
  DS4_CHECK(collect_part(request.decode, false));
  DS4_CHECK(collect_part(request.prefill, true));
  if (segments.logits_rows > options.logits_rows) {
    return fail(Errc::invalid_argument, "logits of ", segments.logits_rows,
                " rows are wanted, a step returns at most ", options.logits_rows);
  }
  const bool is_forced = options.selections == Selections::forced;
  if (is_forced ? request.forced.size() != model.config().layers : !request.forced.empty()) {
    return fail(Errc::invalid_argument,
                "forced selections are given for every layer exactly when the engine was opened "
                "for them");
  }
  return is_forced ? check_forced(request) : Result<void>{};
}

Result<void> Engine::State::check_forced(const StepRequest& request) const {
  const std::size_t rows = segments.rows();
  for (std::uint32_t layer = 0; layer < model.config().layers; ++layer) {
    const LayerChoices& given = request.forced[layer];
    const LayerSelections& place = selections[layer];
    const std::size_t experts = rows * model.config().experts_used;
    const std::size_t index = place.index.rank != 0 ? rows * place.index.extent[1] : 0;
    if (given.experts.size() != experts || given.index.size() != index) {
      return fail(Errc::invalid_argument, "forced selections of layer ", layer, " hold ",
                  given.experts.size(), " experts and ", given.index.size(),
                  " index rows, the step needs ", experts, " and ", index);
    }
  }
  return {};
}

Result<void> Engine::State::collect_part(std::span<const StepRow> part, bool is_prefill) {
  std::size_t begin = 0;
  while (begin < part.size()) {
    std::size_t end = begin + 1;
    while (end < part.size() && part[end].session == part[begin].session) ++end;
    const std::span<const StepRow> rows = part.subspan(begin, end - begin);
    DS4_CHECK(check_segment(rows, is_prefill));
    const std::size_t first = segments.tokens.size();
    for (const StepRow& row : rows) {
      segments.tokens.push_back(row.token);
      segments.wants_logits.push_back(row.wants_logits ? 1 : 0);
      segments.logits_rows += row.wants_logits ? 1 : 0;
    }
    SessionState& session = *store.find(rows[0].session);
    const StepSegment segment{&session, std::span(segments.tokens).subspan(first, rows.size()),
                              std::span(segments.wants_logits).subspan(first, rows.size())};
    segments.sessions.push_back(&session);
    segments.growths.push_back({&session, static_cast<std::uint32_t>(rows.size())});
    if (is_prefill) {
      segments.prefill = segment;
    } else {
      segments.decode.push_back(segment);
    }
    begin = end;
  }
  return {};
}

Result<void> Engine::State::check_segment(std::span<const StepRow> rows, bool is_prefill) const {
  const SessionId id = rows[0].session;
  const SessionState* const found = store.find(id);
  if (found == nullptr) return fail(Errc::invalid_argument, "session ", id, " is not open");
  const SessionState& session = *found;
  if (std::find(segments.sessions.begin(), segments.sessions.end(), &session) !=
      segments.sessions.end()) {
    return fail(Errc::invalid_argument, "the rows of session ", id,
                " are not one contiguous part of the step");
  }
  if (is_prefill && segments.prefill) {
    return fail(Errc::invalid_argument, "the prefill rows belong to more than one session");
  }
  if (!is_prefill && rows.size() > kRewindRows + 1) {
    return fail(Errc::invalid_argument, "session ", id, " has ", rows.size(),
                " decode rows, at most ", kRewindRows + 1, " are possible");
  }
  if (session.position + rows.size() > options.context) {
    return fail(Errc::invalid_argument, "session ", id, " is at ", session.position, " of ",
                options.context, " tokens: no room for ", rows.size(), " more");
  }
  for (const StepRow& row : rows) {
    const bool is_known = row.token >= 0
                              ? static_cast<std::uint32_t>(row.token) < model.config().vocab
                              : static_cast<std::uint32_t>(-1 - row.token) < sampled_rows;
    if (!is_known) {
      return fail(Errc::invalid_argument, "token ", row.token, " of session ", id,
                  " is neither in the vocabulary of ", model.config().vocab, " nor one of the ",
                  sampled_rows, " ids sampled last");
    }
  }
  return {};
}

/// Takes every page that the step writes and has it made the session's own, or changes nothing.
Result<void> Engine::State::reserve_pages() {
  DS4_CHECK(store.reserve(segments.growths));
  if (auto sent = send_moves(); !sent) {
    drain();
    store.undo_moves();
    // Entries of pages that were given back may have arrived; a device that is lost is past caring.
    for (const SessionGrowth& growth : segments.growths) {
      if (!send_table(*growth.session)) break;
    }
    drain();
    return sent.error();
  }
  return {};
}

Result<StepOutput> Engine::State::step(const StepRequest& request) {
  DS4_CHECK(collect(request));
  DS4_CHECK(reserve_pages());
  const auto planned =
      std::find_if(classes.begin(), classes.end(), [this, &request](const PlannedClass& c) {
        const StepClass& shape = c.plan.step().step_class;
        return request.decode.size() <= shape.decode_rows &&
               request.prefill.size() <= shape.prefill_rows &&
               segments.logits_rows <= shape.logits_rows;
      });
  DS4_ASSERT(planned != classes.end());
  if (Result<void> done = run(*planned, request); !done) {
    drain();
    give_up();
    return done.error();
  }
  advance();
  keep_points();

  StepOutput output;
  output.rows = segments.logits_rows;
  output.vocab = model.config().vocab;
  output.argmax = std::span(host_argmax).first(segments.logits_rows);
  if (request.read_logits) {
    output.logits =
        std::span(host_logits).first(std::size_t{segments.logits_rows} * model.config().vocab);
  }
  output.choices = host_choices;
  return output;
}

Result<void> Engine::State::run(PlannedClass& planned, const StepRequest& request) {
  const StepLayout& layout = planned.plan.step();
  write_step(layout, geometry, segments.decode, segments.prefill ? &*segments.prefill : nullptr,
             serial++, planned.words);
  DS4_CHECK(stream->write(*step_block, 0, std::as_bytes(std::span(planned.words))));
  if (options.selections == Selections::forced) DS4_CHECK(write_forced(request));

  ds4_submission submission{};
  submission.count = static_cast<std::uint32_t>(planned.plan.ops().size());
  submission.ops = planned.plan.ops().data();
  submission.step = layout.block;
  submission.workspace = workspace_view;
  DS4_CHECK(stream->enqueue(submission));

  const std::size_t rows = segments.logits_rows;
  DS4_CHECK(stream->read(*sampled, 0, std::as_writable_bytes(std::span(host_argmax).first(rows))));
  if (request.read_logits) {
    const auto wanted = std::span(host_logits).first(rows * model.config().vocab);
    DS4_CHECK(stream->read(*logits, 0, std::as_writable_bytes(wanted)));
  }
  if (options.selections != Selections::internal) DS4_CHECK(read_choices(segments.rows()));
  return stream->sync();
}

Result<void> Engine::State::write_forced(const StepRequest& request) {
  for (std::uint32_t layer = 0; layer < model.config().layers; ++layer) {
    const LayerChoices& given = request.forced[layer];
    const LayerSelections& place = selections[layer];
    DS4_CHECK(
        stream->write(*choices, place.experts.offset, std::as_bytes(std::span(given.experts))));
    if (given.index.empty()) continue;
    DS4_CHECK(stream->write(*choices, place.index.offset, std::as_bytes(std::span(given.index))));
  }
  return {};
}

Result<void> Engine::State::read_choices(std::uint32_t rows) {
  for (std::uint32_t layer = 0; layer < model.config().layers; ++layer) {
    const LayerSelections& place = selections[layer];
    LayerChoices& out = host_choices[layer];
    out.experts.resize(std::size_t{rows} * model.config().experts_used);
    DS4_CHECK(stream->read(*choices, place.experts.offset,
                           std::as_writable_bytes(std::span(out.experts))));
    if (place.index.rank == 0) continue;
    out.index.resize(std::size_t{rows} * place.index.extent[1]);
    DS4_CHECK(
        stream->read(*choices, place.index.offset, std::as_writable_bytes(std::span(out.index))));
  }
  return {};
}

void Engine::State::advance() {
  sampled_rows = segments.logits_rows;
  // Tokens that only the device knew are known now: -1 - k named an id of the step before, which
  // was read then.
  for (std::size_t s = 0; s < segments.count(); ++s) {
    SessionState& session = *segments.sessions[s];
    for (const std::int32_t token : segments.at(s).tokens) {
      session.tokens.push_back(token >= 0 ? token
                                          : previous_argmax[static_cast<std::size_t>(-1 - token)]);
    }
    session.position = static_cast<std::uint32_t>(session.tokens.size());
    session.high = std::max(session.high, session.position);
  }
  std::copy_n(host_argmax.begin(), segments.logits_rows, previous_argmax.begin());
}

/// Sessions that went on far enough get a restore point: in what lies behind the rows of this step,
/// which a caller that only tried them may take back, or one token before the end of a prefill, so
/// that the same prompt can be sent again.
void Engine::State::keep_points() {
  for (std::size_t s = 0; s < segments.count(); ++s) {
    SessionState& session = *segments.sessions[s];
    const bool is_prefill = s >= segments.decode.size();
    const std::uint32_t back = is_prefill ? 1 : segments.growths[s].rows;
    const std::uint32_t at = std::max(session.position - back, session.floor());
    const std::uint32_t last =
        session.points.empty() ? 0 : store.point(session.points.back()).position;
    if (at < last + kRestoreSpacing) continue;
    // It is only a saving: without it the session goes back to the point before.
    if (const auto kept = keep_point(session, at, false); !kept && options.log) {
      options.log(LogLevel::debug, "engine", kept.error().what);
    }
  }
}

/// A failed step may have overwritten ring rows: whoever can not shorten to where it was goes to a
/// restore point.
void Engine::State::give_up() {
  sampled_rows = 0;
  for (const SessionGrowth& growth : segments.growths) {
    SessionState& session = *growth.session;
    const std::uint32_t before = session.position;
    session.high = std::max(session.high, before + growth.rows);
    // The rings hold one row more than a rewind may ask for: the row of `before` itself is written
    // anew.
    if (before + kRewindRows + 1 >= session.high) {
      store.shorten(session, before);
    } else {
      go_back(session, before);
    }
  }
}

}  // namespace ds4

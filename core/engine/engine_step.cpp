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
    const std::size_t experts = rows * model.config().experts_used;
    const std::size_t index = rows * selection_widths[layer];
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
      segments.tokens.push_back(token_for_device(row.token));
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

/// With one device, -1 - k is looked up there. With several, what embeds may not be what sampled;
/// the ids have been read after the step before.
std::int32_t Engine::State::token_for_device(std::int32_t token) const {
  if (token >= 0 || parts.size() == 1) return token;
  return previous_argmax[static_cast<std::size_t>(-1 - token)];
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
    take_back_pages();
    return sent.error();
  }
  return {};
}

/// Undoes what reserve_pages() handed out: neither copies of pages nor entries of tables are known
/// to have arrived.
void Engine::State::take_back_pages() {
  // Not State::drain(): a point that is dropped may be the last holder of a page that comes back.
  for (const auto& part : parts) part->drain();
  store.undo_moves();
  drop_queued_points();
  for (const SessionGrowth& growth : segments.growths) {
    if (!send_table(*growth.session)) break;  // a device that is lost is past caring
  }
  for (const auto& part : parts) part->drain();
}

Result<StepOutput> Engine::State::step(const StepRequest& request) {
  DS4_CHECK(collect(request));
  DS4_CHECK(reserve_pages());
  const auto planned = std::find_if(
      part_shape.classes.begin(), part_shape.classes.end(), [this, &request](const StepClass& c) {
        return request.decode.size() <= c.decode_rows && request.prefill.size() <= c.prefill_rows &&
               segments.logits_rows <= c.logits_rows;
      });
  DS4_ASSERT(planned != part_shape.classes.end());
  const auto step_class = static_cast<std::size_t>(planned - part_shape.classes.begin());
  if (Result<void> done = run(step_class, request); !done) {
    take_back_pages();
    give_up();
    return done.error();
  }
  queued_points.clear();
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

/// A head alone has nothing to do in a step that wants no logits.
std::size_t Engine::State::stages_to_run() const {
  const StageRef& last = stages.back();
  const bool is_head_alone = !parts[last.part]->stages[last.stage].span.has_layers();
  return stages.size() - (stages.size() > 1 && is_head_alone && segments.logits_rows == 0 ? 1 : 0);
}

/// Runs the stages in their order. Only the streams of the rows go from one to the next, through
/// the host: a wait for each border, and one at the end.
Result<void> Engine::State::run(std::size_t step_class, const StepRequest& request) {
  StepBlock& block = blocks[step_class];
  write_step(block.layout, geometry, segments.decode,
             segments.prefill ? &*segments.prefill : nullptr, serial++, block.words);
  if (expert_cache) foretell_experts();
  const ModelConfig& config = model.config();
  const std::size_t floats = std::size_t{segments.rows()} * config.streams * config.width;
  const std::size_t count = stages_to_run();
  for (std::size_t s = 0; s < count; ++s) {
    const DevicePart& part = *parts[stages[s].part];
    const Plan& plan = stage(stages[s]).plans[step_class];
    if (s > 0) DS4_CHECK(part.write_streams(plan, std::span(streams).first(floats)));
    DS4_CHECK(run_stage(stages[s], step_class, request));
    if (s + 1 == count) break;
    DS4_CHECK(part.read_streams(plan, std::span(streams).first(floats)));
    DS4_CHECK(part.stream->sync());
  }
  if (count == stages.size()) DS4_CHECK(read_results(request));
  return parts[stages[count - 1].part]->stream->sync();
}

Result<void> Engine::State::run_stage(const StageRef& at, std::size_t step_class,
                                      const StepRequest& request) {
  const DevicePart& part = *parts[at.part];
  const Stage& here = stage(at);
  // A device that has more than one stage keeps the block of its first.
  if (at.stage == 0) DS4_CHECK(part.write_block(blocks[step_class].words));
  if (options.selections == Selections::forced) {
    DS4_CHECK(part.write_forced(here.span, request.forced));
  }
  const Plan& plan = here.plans[step_class];
  const ds4_submission work = part.submission(plan);
  DS4_CHECK(shadow ? shadow->enqueue(
                         work, {&plan.step(), blocks[step_class].words, &store, options.sessions})
                   : part.stream->enqueue(work));
  if (options.selections == Selections::internal) return {};
  return part.read_choices(here.span, segments.rows(), host_choices);
}

Result<void> Engine::State::read_results(const StepRequest& request) {
  const DevicePart& part = *parts[stages.back().part];
  const std::size_t rows = segments.logits_rows;
  DS4_CHECK(part.stream->read(*part.sampled, 0,
                              std::as_writable_bytes(std::span(host_argmax).first(rows))));
  if (!request.read_logits) return {};
  const auto wanted = std::span(host_logits).first(rows * model.config().vocab);
  return part.stream->read(*part.logits, 0, std::as_writable_bytes(wanted));
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

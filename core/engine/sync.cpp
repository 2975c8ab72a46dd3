#include "engine/sync.hpp"

#include <algorithm>

namespace ds4 {

Result<SyncReport> sync(Engine& engine, SessionId session, std::span<const std::int32_t> tokens,
                        const PrefillProgress& progress, const std::function<bool()>& cancelled) {
  if (tokens.empty()) return fail(Errc::invalid_argument, "an empty prompt has no next token");
  if (tokens.size() > engine.options().context) {
    return fail(Errc::invalid_argument, "the prompt has ", tokens.size(),
                " tokens, the context holds ", engine.options().context, "; raise --ctx");
  }
  const std::span<const std::int32_t> known = engine.tokens(session);
  const auto [mine, theirs] =
      std::mismatch(tokens.begin(), tokens.end(), known.begin(), known.end());
  (void)theirs;
  const auto common = static_cast<std::uint32_t>(mine - tokens.begin());
  const std::uint32_t wanted = std::min(common, static_cast<std::uint32_t>(tokens.size()) - 1);
  std::uint32_t keep = wanted;
  if (keep < engine.position(session)) {
    DS4_TRY(keep, engine.rewind(session, keep));
  }
  SyncReport report;
  report.cached = keep;
  report.repeated = wanted - keep;
  const auto total = static_cast<std::uint32_t>(tokens.size()) - keep;
  std::vector<StepRow> rows;
  for (std::uint32_t done = 0; done < total;) {
    if (cancelled && cancelled()) return fail(Errc::cancelled, "prefill was interrupted");
    const std::uint32_t count = std::min(engine.options().prefill_rows, total - done);
    const bool is_last = done + count == total;
    rows.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      rows.push_back({session, tokens[keep + done + i], is_last && i + 1 == count});
    }
    DS4_TRY(const StepOutput output,
            engine.step({.decode = {}, .prefill = rows, .read_logits = is_last, .forced = {}}));
    if (is_last) report.logits.assign(output.logits.begin(), output.logits.end());
    done += count;
    report.evaluated += count;
    if (progress) progress(done, total);
  }
  const std::uint32_t before_last = engine.position(session) - 1;
  DS4_CHECK(engine.keep_restore_point(session, before_last));
  return report;
}

Result<std::span<const float>> evaluate(Engine& engine, SessionId session, std::int32_t token) {
  const StepRow row{session, token, true};
  DS4_TRY(const StepOutput output,
          engine.step({.decode = {&row, 1}, .prefill = {}, .read_logits = true, .forced = {}}));
  return output.logits;
}

}  // namespace ds4

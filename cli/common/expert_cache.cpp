#include "common/expert_cache.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "common/progress.hpp"

namespace ds4::cli {
namespace {

struct Unit {
  std::string_view name;
  double bytes;
};
constexpr std::array<Unit, 5> kUnits = {{{"", 1.0},
                                         {"KiB", 1024.0},
                                         {"MiB", 1048576.0},
                                         {"GiB", 1073741824.0},
                                         {"TiB", 1099511627776.0}}};

std::string percent(std::uint64_t part, std::uint64_t of) {
  const double share = of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of);
  return decimals(100 * share, 1) + " %";
}

}  // namespace

Result<ExpertCacheOptions> parse_expert_cache(std::string_view text) {
  using Mode = ExpertCacheOptions::Mode;
  if (text == "auto") return ExpertCacheOptions{Mode::automatic, 0};
  if (text == "off") return ExpertCacheOptions{Mode::off, 0};
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  const std::string_view name(stop, static_cast<std::size_t>(end - stop));
  for (const Unit& unit : kUnits) {
    if (error != std::errc{} || name != unit.name) continue;
    const double bytes = number * unit.bytes;
    // Beyond 2^60 bytes nothing is meant; a part of a byte is not, either.
    if (!(bytes >= 1) || bytes > 0x1p60 || (unit.bytes == 1.0 && bytes != std::floor(bytes))) break;
    return ExpertCacheOptions{Mode::fixed, static_cast<std::uint64_t>(bytes)};
  }
  return fail(Errc::invalid_argument, "expected auto, off or a size such as 8GiB or 512MiB, got '",
              text, "'");
}

void declare_expert_option(OptionTable& table, RuntimeOptions& options) {
  table.value(
      "--expert-cache", "SIZE", Topic::common,
      "memory that holds routed experts, as 8GiB; others are read from the file when chosen; auto "
      "(default): only for a model that does not fit, what is left of memory; off: never",
      [&options](const std::string& text) -> Result<void> {
        DS4_TRY(options.experts, parse_expert_cache(text));
        return {};
      });
}

std::string expert_line(const MemoryPlan& plan) {
  if (!plan.experts) return {};
  const ExpertMemory& experts = *plan.experts;
  std::string text = "expert cache: ";
  if (experts.is_forced) text += "not all weights fit into memory, so ";
  text += std::to_string(experts.held) + " of " + std::to_string(experts.all) + " routed experts (";
  text += percent(experts.held, experts.all) + ") stay, in " + memory_text(experts.bytes());
  return text + ", and the others are read when they are chosen";
}

std::string expert_counts_line(const ExpertReport& report) {
  const ExpertCacheCounts& counts = report.counts;
  const std::uint64_t asked = counts.asked();
  std::string text = "expert cache: hit rate " + percent(counts.hits, asked) + " of ";
  text += std::to_string(asked) + " (" + percent(counts.read_ahead, asked) + " read ahead), ";
  text += percent(counts.late, asked) + " still on the way, ";
  text += std::to_string(counts.misses) + " misses, waited " + decimals(counts.waited_seconds, 2);
  return text + " s, " + memory_text(counts.bytes_read) + " read";
}

void say_experts(const Console& console, const Engine& engine) {
  const auto report = engine.expert_report();
  if (report) console.note(expert_counts_line(*report));
}

}  // namespace ds4::cli

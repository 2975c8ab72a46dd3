// Names of models that are made while they are loaded: "synthetic:flash,experts=8,layers=3".
#include <charconv>
#include <optional>

#include "model/synthetic.hpp"

namespace ds4 {
namespace {

constexpr std::string_view kPrefix = "synthetic:";
constexpr std::uint64_t kMostLayers = 1024;

Error refused(std::string_view name, std::string_view key, std::string_view value,
              std::string_view accepted) {
  return fail(Errc::invalid_argument, "model '", name, "': ", key, "=", value, ": accepted is ",
              accepted);
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::uint64_t> number_in(std::string_view name, std::string_view key, std::string_view value,
                                std::uint64_t least, std::uint64_t most) {
  const auto found = number(value);
  if (found && *found >= least && *found <= most) return *found;
  return refused(name, key, value, std::to_string(least) + ".." + std::to_string(most));
}

Result<std::vector<std::uint32_t>> ratio_list(std::string_view name, std::string_view value) {
  std::vector<std::uint32_t> out;
  for (std::string_view rest = value;;) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const auto ratio = number(rest.substr(0, slash));
    const bool is_known = ratio && (*ratio == 0 || *ratio == 4 || *ratio == 128);
    if (!is_known || out.size() == kMostLayers) {
      return refused(name, "ratios", value, "0, 4 or 128 for each layer, as in 0/4/128");
    }
    out.push_back(static_cast<std::uint32_t>(*ratio));
    if (slash == rest.size()) return out;
    rest.remove_prefix(slash + 1);
  }
}

/// The values of a name by key, each at most once.
struct Entries {
  std::optional<std::string_view> experts, layers, ratios, hash, seed;

  std::optional<std::string_view>* find(std::string_view key) {
    if (key == "experts") return &experts;
    if (key == "layers") return &layers;
    if (key == "ratios") return &ratios;
    if (key == "hash") return &hash;
    return key == "seed" ? &seed : nullptr;
  }
};

Result<Entries> split(std::string_view name, std::string_view rest) {
  Entries out;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the comma
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view entry = rest.substr(0, comma);
    rest.remove_prefix(comma);
    const std::size_t equals = std::min(entry.find('='), entry.size());
    auto* value = out.find(entry.substr(0, equals));
    if (value == nullptr || equals == entry.size()) {
      return fail(Errc::invalid_argument, "model '", name, "': '", entry,
                  "': accepted is experts=K, layers=N, ratios=R/R/..., hash=N or seed=S");
    }
    if (*value) {
      return fail(Errc::invalid_argument, "model '", name, "': ", entry.substr(0, equals),
                  " is given twice");
    }
    *value = entry.substr(equals + 1);
  }
  if (out.layers && out.ratios) {
    return fail(Errc::invalid_argument, "model '", name,
                "': give either layers or ratios, which names every layer");
  }
  return out;
}

}  // namespace

bool is_synthetic_name(std::string_view name) noexcept {
  return name.starts_with(kPrefix);
}

Result<SyntheticSpec> SyntheticSpec::parse(std::string_view name) {
  if (!is_synthetic_name(name)) {
    return fail(Errc::invalid_argument, "model '", name, "' does not begin with ", kPrefix);
  }
  const std::string_view text = name.substr(kPrefix.size());
  const std::size_t comma = std::min(text.find(','), text.size());
  auto made = make(text.substr(0, comma));
  if (!made) return made.error().in("model '", name, "'");
  SyntheticSpec spec = *std::move(made);
  DS4_TRY(const Entries entries, split(name, text.substr(comma)));
  if (entries.layers) {
    DS4_TRY(const auto layers, number_in(name, "layers", *entries.layers, 1, kMostLayers));
    spec.set_layers(static_cast<std::uint32_t>(layers));
  }
  if (entries.ratios) {
    DS4_TRY(std::vector<std::uint32_t> ratios, ratio_list(name, *entries.ratios));
    spec.set_ratios(std::move(ratios));
  }
  if (entries.hash) {
    DS4_TRY(const auto hash, number_in(name, "hash", *entries.hash, 0, spec.config.layers));
    spec.config.hash_layers = static_cast<std::uint32_t>(hash);
  }
  if (entries.experts) {
    DS4_TRY(const auto experts,
            number_in(name, "experts", *entries.experts, 1, spec.config.experts));
    spec.config.stored_experts = static_cast<std::uint32_t>(experts);
  }
  if (entries.seed) {
    DS4_TRY(spec.seed, number_in(name, "seed", *entries.seed, 1, UINT64_MAX));
  }
  return spec;
}

}  // namespace ds4

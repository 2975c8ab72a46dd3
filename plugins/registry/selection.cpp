#include "registry/selection.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "loader/note.hpp"

namespace ds4::plugins {
namespace {

bool is_exact_name(std::span<const Candidate> all, std::string_view name) {
  return std::any_of(all.begin(), all.end(),
                     [&](const Candidate& candidate) { return candidate.name == name; });
}

void improve(std::optional<Choice>& best, const Choice& next) {
  if (next.score > DS4_SCORE_CANNOT_RUN && (!best || next.score > best->score)) best = next;
}

/// Best device of the candidates that the request names.
std::optional<Choice> find_best(std::span<const Candidate> all, const BackendRequest& request) {
  std::optional<Choice> best;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].state != CandidateState::usable || !is_named_by(all[i], all, request)) continue;
    for (std::uint32_t d = 0; d < all[i].devices.size(); ++d) {
      if (request.device && *request.device != d) continue;
      improve(best, {i, d, all[i].devices[d].score});
    }
  }
  return best;
}

/// The reasons of the candidates that the request names, for one line.
std::string reasons(std::span<const Candidate> all, const BackendRequest& request) {
  std::string out;
  for (const Candidate& candidate : all) {
    if (!is_named_by(candidate, all, request)) continue;
    if (candidate.state == CandidateState::shadowed) continue;
    if (!out.empty()) out += "; ";
    out += candidate.name + " ";
    if (candidate.state == CandidateState::usable && request.device) {
      const std::uint32_t index = *request.device;
      out += index < candidate.devices.size()
                 ? "device " + std::to_string(index) + ": " + candidate.devices[index].reason
                 : "has " + std::to_string(candidate.devices.size()) + " devices, numbered from 0";
    } else {
      out += describe_refusal(candidate);
    }
  }
  return out;
}

}  // namespace

Result<BackendRequest> parse_backend_request(std::string_view text, std::string_view option) {
  BackendRequest out;
  out.option = std::string(option);
  if (text.empty() || text == "auto") return out;
  const std::size_t colon = text.find(':');
  out.name = std::string(text.substr(0, colon));
  bool well_formed = is_backend_name(out.name);
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    std::uint32_t device = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), device);
    well_formed = well_formed && code == std::errc() && end == digits.data() + digits.size();
    out.device = device;
  }
  if (!well_formed) {
    return fail(Errc::invalid_argument, option, " ", text,
                ": expected NAME, NAME:device or auto, for example cuda-generic:1");
  }
  return out;
}

bool is_named_by(const Candidate& candidate, std::span<const Candidate> all,
                 const BackendRequest& request) {
  if (request.name.empty() || candidate.name == request.name) return true;
  if (is_exact_name(all, request.name)) return false;
  // A family: `cpu` stands for cpu-avx2 and cpu-base, but correctness backends are asked for by
  // their own name only.
  const bool is_reference =
      candidate.state == CandidateState::usable && candidate.best_score() < DS4_SCORE_CPU;
  return candidate.name.starts_with(request.name + "-") && !is_reference &&
         candidate.name != "cpu-reference";
}

std::string describe_refusal(const Candidate& candidate) {
  switch (candidate.state) {
    case CandidateState::usable:
      return candidate.path.string();
    case CandidateState::disabled:
      return "is disabled by its manifest (" + candidate.path.string() + ")";
    case CandidateState::shadowed:
      return candidate.remark + " (" + candidate.path.string() + ")";
    case CandidateState::no_device:
    case CandidateState::refused:
      break;
  }
  return std::string(reason_name(candidate.refusal.reason)) + ": " + candidate.refusal.text + " (" +
         candidate.path.string() + ")";
}

Result<Choice> choose(std::span<const Candidate> candidates, const BackendRequest& request) {
  if (const auto best = find_best(candidates, request)) return *best;
  const std::string why = reasons(candidates, request);
  if (request.name.empty()) {
    return fail(Errc::unsupported, "no backend can be used: ",
                why.empty() ? "no file libds4-backend-<name>.so was found" : why,
                "; --list-backends=verbose shows where was looked");
  }
  if (why.empty()) {
    return fail(Errc::not_found, request.option, " ", request.name, ": no file libds4-backend-",
                request.name, ".so was found; --list-backends=verbose shows where was looked");
  }
  return fail(Errc::not_found, request.option, " ", request.name,
              request.device ? ":" + std::to_string(*request.device) : "",
              ": cannot be used: ", why);
}

}  // namespace ds4::plugins

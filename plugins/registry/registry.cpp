#include "registry/registry.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "loader/check_file.hpp"
#include "loader/clean_text.hpp"
#include "loader/open.hpp"
#include "loader/probe.hpp"
#include "registry/selection.hpp"
#include "wrap/status.hpp"

namespace ds4::plugins {
namespace {

std::string hex_id(const std::uint8_t (&id)[16]) {
  if (std::all_of(std::begin(id), std::end(id), [](std::uint8_t b) { return b == 0; })) return {};
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : id) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

CandidateDevice listed(const DeviceEntry& device) {
  return {clean_text(bounded_text(device.info.name)),
          clean_text(bounded_text(device.info.architecture)), hex_id(device.info.unique_id),
          device.info.score, clean_text(device.reason)};
}

CandidateDevice listed(const ProbeReport::Device& device) {
  return {device.name, device.architecture, {}, device.score, device.reason};
}

/// Takes files in search order and turns each into a candidate.
class Scan {
 public:
  Scan(const BackendSearchOptions& options, std::shared_ptr<HostApi> host,
       std::vector<Candidate>& out)
      : options_(options), host_(std::move(host)), cache_(options.cache_directory), out_(out) {}

  void take(const FoundFile& file) {
    CheckedFile checked = check_file(file, options_);
    if (is_known(checked)) return;
    Candidate candidate;
    candidate.path = checked.path;
    candidate.name = checked.name.empty() ? file.path.filename().string() : checked.name;
    candidate.place = file.place;
    if (Candidate* earlier = find_earlier(checked.name)) {
      candidate.state = CandidateState::shadowed;
      candidate.remark = "shadowed by " + earlier->path.string();
      if (is_explicit(*earlier)) {
        earlier->remark = "replaces " + candidate.path.string();
        notice(earlier->path.string() + ": is used in place of " + candidate.path.string());
      }
    } else {
      for (const std::string& text : checked.notices) notice(text);
      judge(checked, candidate);
    }
    identities_.push_back(checked.identity);
    named_by_user_.push_back(file.named_by_user);
    out_.push_back(std::move(candidate));
  }

  void finish() const { cache_.save(); }

 private:
  /// The same file under the same name, found by another route.
  bool is_known(const CheckedFile& checked) const {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const bool same_file = identities_[i].inode != 0 &&
                             identities_[i].inode == checked.identity.inode &&
                             identities_[i].device == checked.identity.device;
      if (same_file && out_[i].name == checked.name) return true;
    }
    return false;
  }

  /// The candidate that holds this name. A file of a directory that was refused holds none, so that
  /// a broken one stops no other; one that the user named does: another build must not slip in.
  Candidate* find_earlier(const std::string& name) {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      if (out_[i].name != name || out_[i].state == CandidateState::shadowed) continue;
      if (out_[i].state != CandidateState::refused || named_by_user_[i]) return &out_[i];
    }
    return nullptr;
  }

  bool is_explicit(const Candidate& candidate) const {
    return named_by_user_[static_cast<std::size_t>(&candidate - out_.data())];
  }

  void judge(const CheckedFile& checked, Candidate& candidate) {
    candidate.note = checked.note;
    candidate.remark = clean_text(checked.manifest.note);
    if (checked.refusal) {
      refuse(candidate, *checked.refusal);
    } else if (!checked.manifest.enabled) {
      candidate.state = CandidateState::disabled;
    } else if (passes_probe(checked, candidate)) {
      open(checked, candidate);
    }
  }

  static void refuse(Candidate& candidate, const Refusal& refusal) {
    candidate.state =
        refusal.reason == Reason::no_device ? CandidateState::no_device : CandidateState::refused;
    candidate.refusal = {refusal.reason, clean_text(refusal.text)};
  }

  bool wants_probe(SearchPlace place) const {
    if (options_.probe_program.empty() || options_.probe == ProbePolicy::never) return false;
    if (options_.privileged) return false;  // only the install directory is searched then
    if (options_.probe == ProbePolicy::always) return true;
    return place == SearchPlace::explicit_path || place == SearchPlace::environment ||
           place == SearchPlace::user;
  }

  bool passes_probe(const CheckedFile& checked, Candidate& candidate) {
    if (!wants_probe(candidate.place)) return true;
    if (cache_.find(checked.path, checked.identity)) return true;
    const ProbeReport report =
        run_probe(options_.probe_program, checked.path, checked.name, options_.probe_limit);
    if (!report.refusal) {
      cache_.put(checked.path, checked.identity, report);
      return true;
    }
    refuse(candidate, *report.refusal);
    candidate.build = report.build;
    for (const auto& device : report.devices) candidate.devices.push_back(listed(device));
    return false;
  }

  void open(const CheckedFile& checked, Candidate& candidate) {
    const OpenedBackend opened =
        open_backend(checked.path, checked.name, checked.identity, host_, checked.manifest.options);
    for (const DeviceEntry& device : opened.devices) candidate.devices.push_back(listed(device));
    if (opened.backend != nullptr) candidate.build = clean_text(opened.backend->info().build);
    if (opened.refusal) {
      refuse(candidate, *opened.refusal);
      return;
    }
    candidate.state = CandidateState::usable;
    candidate.backend = opened.backend;
  }

  void notice(const std::string& text) const {
    if (host_->log()) host_->log()(LogLevel::warning, "backends", text);
  }

  const BackendSearchOptions& options_;
  std::shared_ptr<HostApi> host_;
  ProbeCache cache_;
  std::vector<Candidate>& out_;
  std::vector<FileIdentity> identities_;  // of out_, by index
  std::vector<bool> named_by_user_;       // of out_, by index
};

}  // namespace

Registry Registry::scan(const BackendSearchOptions& options, std::shared_ptr<HostApi> host) {
  Registry out;
  SearchResult found = search_backends(options);
  out.directories_ = std::move(found.directories);
  Scan scan(options, std::move(host), out.candidates_);
  for (const FoundFile& file : found.files) scan.take(file);
  scan.finish();
  return out;
}

Result<Selected> Registry::select(std::string_view request, std::string_view option) const {
  DS4_TRY(const BackendRequest parsed, parse_backend_request(request, option));
  DS4_TRY(const Choice choice, choose(candidates_, parsed));
  Selected out;
  out.backend = candidates_[choice.candidate].backend;
  out.device = choice.device;
  DS4_TRY(const std::vector<DeviceEntry> devices, out.backend->devices());
  if (choice.device >= devices.size()) {
    return fail(Errc::not_found, out.backend->name(), ": device ", choice.device,
                " has gone since the backends were listed");
  }
  out.info = devices[choice.device].info;
  if (parsed.name.empty() && choice.score < DS4_SCORE_CPU) {
    out.notice = "no fast backend can be used here, so " + out.backend->name() +
                 " computes: it is made for correctness, expect minutes per token with a model of "
                 "80 GB. --list-backends shows why the others cannot";
  }
  return out;
}

}  // namespace ds4::plugins

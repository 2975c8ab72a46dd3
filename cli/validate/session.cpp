#include "validate/session.hpp"

#include <algorithm>
#include <array>
#include <regex>

#include "validate/process.hpp"

namespace ds4::validate {

namespace {

constexpr std::array kStages{
    Stage{"file", "what the file is and needs, before and after it is opened", run_file},
    Stage{"lifecycle", "objects made and destroyed in every legal order", run_lifecycle},
    Stage{"ops", "every op against the reference backend and its formula", run_ops, true},
    Stage{"compositions", "each fused op against its composition on the same device",
          run_compositions, true},
    Stage{"memory", "guards, inputs, padding, and what the workspace held before", run_memory,
          true},
    Stage{"async", "streams, events, reused descriptors, imports given up", run_async},
    Stage{"graph", "replay against enqueue, with the step block changed in between", run_graph,
          true},
    Stage{"errors", "wrong calls give the right code, and a right one still works", run_errors},
    Stage{"determinism", "the same input again and again", run_determinism, true},
    Stage{"rows", "each row by itself against all together", run_rows, true},
    Stage{"allocation", "nothing is allocated in enqueue", run_allocation, true},
    Stage{"state", "thread and process state that calls must leave alone", run_state, true},
    Stage{"capabilities", "each capability bit that the device promises", run_capabilities},
};

}  // namespace

std::span<const Stage> stages() noexcept {
  return kStages;
}

Session::Session(const Settings& settings, Target target, Report& report)
    : settings_(settings), target_(std::move(target)), report_(report) {}

conformance::OpenOptions Session::open_options(std::uint32_t threads) const {
  conformance::OpenOptions options;
  options.threads = threads;
  options.process_allocations = counts_allocations() ? allocation_count : nullptr;
  const std::string prefix = target_.name + ".";
  for (const auto& [key, value] : settings_.runtime.backend_options) {
    if (key.starts_with(prefix)) options.options[key.substr(prefix.size())] = value;
  }
  return options;
}

Result<void> Session::open() {
  const std::uint32_t threads = cli::thread_count(settings_.runtime);
  DS4_TRY(backend_, open_again(threads));
  if (target_.reference.empty()) return {};
  auto reference = conformance::Backend::open(target_.reference, 0, threads);
  if (!reference) return reference.error().in("the reference backend");
  reference_ = *std::move(reference);
  return {};
}

Result<std::unique_ptr<conformance::Backend>> Session::open_again(std::uint32_t threads) const {
  conformance::OpenOptions options = open_options(threads);
  options.device = target_.device;
  return conformance::Backend::open(target_.path, options);
}

std::string Session::title() const {
  return backend_ ? backend_->title() : target_.name;
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string word(1, '\'');
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + '\'';
}

std::string base_command(const Settings& settings) {
  std::string text = "ds4-validate --backend " + shell_word(settings.backend);
  if (settings.device != 0) text += " --device " + std::to_string(settings.device);
  for (const auto& [key, value] : settings.runtime.backend_options) {
    text += " --backend-option ";
    text += shell_word(key + "=" + value);
  }
  bool is_first = settings.backend.find('/') != std::string::npos;  // the backend's own file
  for (const std::filesystem::path& path : settings.runtime.backend_paths) {
    if (!is_first) text += " --backend-path " + shell_word(path.string());
    is_first = false;
  }
  return text;
}

std::string grid_options(const Settings& settings) {
  std::string text;
  if (settings.grid == conformance::Grid::full) text = " --grid full";
  if (settings.grid == conformance::Grid::model) text = " --grid model";
  for (std::size_t i = 0; i < settings.model_rows.size(); ++i) {
    text += (i == 0 ? " --rows " : ",") + std::to_string(settings.model_rows[i]);
  }
  return text;
}

std::string clipped_rows(const Settings& settings, const conformance::OpCases& cases) {
  std::string text;
  for (const std::uint32_t rows : settings.model_rows) {
    if (rows > cases.most_model_rows) text += (text.empty() ? "" : ", ") + std::to_string(rows);
  }
  if (text.empty()) return text;
  return "instead of " + text + " rows " + std::to_string(cases.most_model_rows) +
         " ran, the most that memory allows for this op";
}

std::string case_options(const Settings& settings) {
  std::string text = grid_options(settings);
  if (settings.fuzz != 0) text += " --fuzz " + std::to_string(settings.fuzz);
  for (std::size_t i = 0; i < settings.shape.size(); ++i) {
    text += (i == 0 ? " --shape " : ",") + std::to_string(settings.shape[i]);
  }
  if (settings.seed != 1) text += " --seed " + std::to_string(settings.seed);
  return text;
}

std::string Session::command() const {
  return base_command(settings_);
}

bool Session::wants_op(std::string_view op) const {
  return std::regex_match(std::string(op), std::regex(settings_.op));
}

bool Session::wants_stage(std::string_view stage) const {
  return settings_.stages.empty() || std::find(settings_.stages.begin(), settings_.stages.end(),
                                               stage) != settings_.stages.end();
}

Checklist::Checklist(std::string stage, std::string subject) {
  row_.stage = std::move(stage);
  row_.subject = std::move(subject);
}

void Checklist::expect(bool holds, const std::string& otherwise) {
  ++row_.cases;
  if (holds || row_.state == State::fail) return;
  row_.state = State::fail;
  row_.detail = otherwise;
}

void Checklist::expect_status(ds4_status got, ds4_status wanted, const std::string& call) {
  expect(got == wanted,
         call + " gives status " + std::to_string(got) + ", wanted " + std::to_string(wanted));
}

void Checklist::skip(const std::string& why) {
  if (row_.state == State::fail) return;
  row_.state = State::skipped;
  row_.detail = why;
}

void Checklist::expect(const Result<void>& done) {
  expect(done.ok(), done ? "" : done.error().what);
}

Row Checklist::row(const Session& session) const {
  Row row = row_;
  if (row.state == State::fail) row.reproduce = session.command() + " --stage " + row.stage;
  return row;
}

}  // namespace ds4::validate

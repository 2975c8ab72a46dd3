#include "tests/support/runtime.hpp"

#include <stdlib.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <stdexcept>
#include <string>

#include "base/thread_team.hpp"
#include "model/counter_rng.hpp"
#include "wrap/backend.hpp"
#include "wrap/library.hpp"

namespace ds4::test {

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "ds4-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

std::filesystem::path built(std::string_view name) {
  return std::filesystem::path(DS4_BACKEND_FOLDER) /
         ("libds4-backend-" + std::string(name) + ".so");
}

std::shared_ptr<plugins::Device> open_with(const std::filesystem::path& path, std::string_view name,
                                           std::uint32_t threads,
                                           const plugins::BackendOptions& options,
                                           const std::function<void(ds4_backend_api&)>& change) {
  plugins::HostOptions host_options;
  host_options.team = std::make_shared<ThreadTeam>(threads);
  host_options.options = options;
  host_options.lends_experts = true;
  auto host = std::make_shared<plugins::HostApi>(std::move(host_options));
  auto library = must(plugins::PluginLibrary::open(path, {}));
  const ds4_backend_api* table =
      must(plugins::call_entry(*library, *host, host->table(name), name));
  must(plugins::check_table(*table));
  if (change) {
    static std::deque<ds4_backend_api> changed;
    change(changed.emplace_back(*table));
    table = &changed.back();
  }
  auto backend = must(plugins::Backend::make(std::move(library), std::move(host), table));
  return must(backend->open_device(0));
}

}  // namespace

std::shared_ptr<plugins::Device> open_device(std::string_view name, std::uint32_t threads,
                                             const plugins::BackendOptions& options) {
  return open_with(built(name), name, threads, options, {});
}

std::shared_ptr<plugins::Device> open_device_of(const std::filesystem::path& path,
                                                std::string_view name, std::uint32_t threads,
                                                const plugins::BackendOptions& options) {
  return open_with(path, name, threads, options, {});
}

std::shared_ptr<plugins::Device> open_changed_device(
    std::string_view name, const std::function<void(ds4_backend_api&)>& change) {
  return open_with(built(name), name, 1, {}, change);
}

std::vector<std::string> levels_here(std::initializer_list<const char*> names) {
  std::vector<std::string> out;
  for (const char* const name : names) {
    try {
      open_device(name, 1);
      out.emplace_back(name);
    } catch (const std::runtime_error& why) {
      const std::string_view text = why.what();
      const auto says = [text](std::string_view part) {
        return text.find(part) != std::string_view::npos;
      };
      if (!says("the processor ") && !says("the operating system ")) throw;
      std::cerr << "left out: " << text << '\n';
    }
  }
  return out;
}

ModelFile model_in(const TemporaryFolder& folder, const std::string& shape) {
  const auto path = folder.path() / (shape + ".gguf");
  if (!std::filesystem::exists(path)) {
    must(write_synthetic_model(path, must(SyntheticSpec::make(shape))));
  }
  return must(ModelFile::open(path));
}

ModelFile make_model(const TemporaryFolder& folder, const SyntheticSpec& spec) {
  const auto path = folder.path() / "model.gguf";
  must(write_synthetic_model(path, spec));
  return must(ModelFile::open(path));
}

std::unique_ptr<Engine> open_engine(const TemporaryFolder& folder, const SyntheticSpec& spec,
                                    EngineOptions options, std::uint32_t threads,
                                    const plugins::BackendOptions& backend) {
  return must(Engine::open(make_model(folder, spec), open_device("cpu-reference", threads, backend),
                           std::move(options)));
}

std::vector<std::int32_t> random_tokens(std::uint64_t seed, std::size_t count,
                                        std::uint32_t vocab) {
  const CounterRng rng(seed, "tokens");
  std::vector<std::int32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<std::int32_t>(rng.raw(i) % vocab);
  return tokens;
}

std::vector<float> all_logits(Engine& engine, SessionId session,
                              const std::vector<std::int32_t>& tokens, std::uint32_t chunk) {
  std::vector<float> out;
  std::vector<StepRow> rows;
  for (std::size_t at = 0; at < tokens.size(); at += rows.size()) {
    rows.clear();
    const std::size_t end = std::min<std::size_t>(tokens.size(), at + chunk);
    for (std::size_t i = at; i < end; ++i) rows.push_back({session, tokens[i], true});
    const StepOutput output =
        must(engine.step({.decode = {}, .prefill = rows, .read_logits = true, .forced = {}}));
    out.insert(out.end(), output.logits.begin(), output.logits.end());
  }
  return out;
}

}  // namespace ds4::test

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"
#include "model/synthetic.hpp"
#include "wrap/host_api.hpp"

namespace ds4::test {

/// Checks at every access make whole models some ten times slower: a test of all levels then leaves
/// the larger ones to the conformance tests of their kernels.
#ifdef DS4_SANITIZED
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

/// A folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The value of a Result; ends the test with its error otherwise.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what);
  return *std::move(result);
}
inline void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().what);
}

/// Opens the only device of backend `name` from the build tree, on a team of its own.
std::shared_ptr<plugins::Device> open_device(std::string_view name, std::uint32_t threads,
                                             const plugins::BackendOptions& options = {});
/// Those of `names` that run here. Standard error names the ones whose processor or operating
/// system this is not; whatever else keeps a backend from opening ends the test.
std::vector<std::string> levels_here(std::initializer_list<const char*> names);
/// The same through a copy of the backend's table that `change` has altered; the copy stays until
/// the program ends.
std::shared_ptr<plugins::Device> open_changed_device(
    std::string_view name, const std::function<void(ds4_backend_api&)>& change);

/// The same of the backend file at `path`.
std::shared_ptr<plugins::Device> open_device_of(const std::filesystem::path& path,
                                                std::string_view name, std::uint32_t threads,
                                                const plugins::BackendOptions& options = {});

/// The model of a shape, made once in a folder.
ModelFile model_in(const TemporaryFolder& folder, const std::string& shape);
/// Writes and opens the model of a spec.
ModelFile make_model(const TemporaryFolder& folder, const SyntheticSpec& spec);

/// An engine on the reference backend over a model of its own.
std::unique_ptr<Engine> open_engine(const TemporaryFolder& folder, const SyntheticSpec& spec,
                                    EngineOptions options, std::uint32_t threads = 1,
                                    const plugins::BackendOptions& backend = {});

/// `count` token ids below `vocab`, from a seed.
std::vector<std::int32_t> random_tokens(std::uint64_t seed, std::size_t count, std::uint32_t vocab);

/// Evaluates tokens in prefill chunks of at most `chunk` rows and gives the logits of every row,
/// one after the other.
std::vector<float> all_logits(Engine& engine, SessionId session,
                              const std::vector<std::int32_t>& tokens, std::uint32_t chunk);

}  // namespace ds4::test

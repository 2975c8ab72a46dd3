#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "wrap/host_api.hpp"

namespace ds4 {

/// Bytes of one expert as the backend reads it.
struct ExpertBytes {
  std::uint64_t gate_up = 0;
  std::uint64_t down = 0;
};

/// What an expert cache holds, and how an expert gets there.
struct ExpertSource {
  std::vector<ExpertBytes> layers;  ///< of an expert, by layer
  std::uint32_t experts = 0;        ///< of a layer
  /// Reads one expert and puts it into the form that the backend reads. Called by several threads
  /// at once, each a `reader` of its own from 0 up, each expert by one. Gives the bytes it read.
  std::function<Result<std::uint64_t>(std::uint32_t reader, std::uint32_t layer,
                                      std::uint32_t expert, std::span<std::byte> gate_up,
                                      std::span<std::byte> down)>
      load;
};

/// What a cache did since it was made, or since reset_counts().
struct ExpertCacheCounts {
  std::uint64_t hits = 0;        ///< asked for and there
  std::uint64_t read_ahead = 0;  ///< of the hits: there because of a prefetch
  std::uint64_t late = 0;        ///< asked for, and on the way since a prefetch: waited for
  std::uint64_t misses = 0;      ///< asked for, and waited for from the beginning
  std::uint64_t loads = 0;       ///< experts read
  std::uint64_t bytes_read = 0;  ///< of the source
  double waited_seconds = 0;     ///< by acquire()

  [[nodiscard]] std::uint64_t asked() const noexcept { return hits + late + misses; }
  [[nodiscard]] double hit_rate() const noexcept {
    return asked() == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(asked());
  }
};

/// Routed experts of a model that is larger than memory: those used most stay, within a fixed
/// number of bytes that are taken once; the others are read when a layer chooses them, several at a
/// time.
///
/// Any thread may call. acquire() pins what it returns until release(). The victim of a full cache
/// is the expert with the fewest uses, old uses counting less and less, of equals the one used
/// longest ago; experts that are pinned, or on their way, stay. Once every reader and ticket has
/// been in use, nothing is allocated any more.
class ExpertCache final : public plugins::ExpertStore {
 public:
  /// `bytes`: of the experts themselves; `readers`: threads that load, at least one.
  /// Errors: invalid_argument when not even `least` experts fit, with the bytes they would take;
  /// out_of_memory.
  static Result<std::unique_ptr<ExpertCache>> make(ExpertSource source, std::uint64_t bytes,
                                                   std::uint32_t least, std::uint32_t readers);
  ~ExpertCache() override;
  ExpertCache(const ExpertCache&) = delete;
  ExpertCache& operator=(const ExpertCache&) = delete;

  /// Starts to load those that are not there, as far as there is room that nobody uses.
  void prefetch(std::uint32_t layer, std::span<const std::int32_t> ids) noexcept override;

  /// Waits until all `ids` are there; an id may stand more than once. Errors: io (what loading
  /// reports); invalid_argument for an id outside the layer, or for more different experts at once
  /// than the cache holds beside those that others have pinned. Nothing is pinned then.
  Result<std::uint64_t> acquire(std::uint32_t layer, std::span<const std::int32_t> ids,
                                std::span<ds4_expert_view> out) noexcept override;
  void release(std::uint64_t ticket) noexcept override;

  [[nodiscard]] std::uint32_t capacity() const noexcept;  ///< experts
  [[nodiscard]] ExpertCacheCounts counts() const noexcept;
  void reset_counts() noexcept;

  /// Bytes that a slot takes: an expert, rounded up to whole pages.
  [[nodiscard]] static std::uint64_t slot_bytes(std::span<const ExpertBytes> layers) noexcept;
  /// Bytes of bookkeeping beside the slots.
  [[nodiscard]] static std::uint64_t table_bytes(std::uint64_t slots,
                                                 std::uint64_t experts) noexcept;

 private:
  struct State;
  explicit ExpertCache(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ds4

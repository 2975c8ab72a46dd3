#include "table.hpp"

#include <array>
#include <iterator>

namespace ds4::reference {
namespace {

/// In the order of sdk::kOps.
constexpr const OpEntry* kEntries[] = {
    &kCopyCast,
    &kFill,
    &kGatherRows,
    &kScatterRows,
    &kPageRows,
    &kResolveTokens,
    &kAdd,
    &kMul,
    &kScaleAdd,
    &kRowSum,
    &kUnary,
    &kMatmul,
    &kMatmulAct,
    &kGroupedMatmul,
    &kRmsNorm,
    &kRopeTail,
    &kQuantRoundTrip,
    &kSwigluClamp,
    &kSoftmaxSink,
    &kSoftmaxPool,
    &kMixStreams,
    &kTopk,
    &kTakeColumns,
    &kNormalizeSum,
    &kSinkhornSplit,
    &kAttentionRows,
    &kEmbedStreams,
    &kHcPre,
    &kHcPost,
    &kQProject,
    &kKvProject,
    &kKvCommit,
    &kCompressProject,
    &kCompressEmit,
    &kCompressCommit,
    &kIndexScore,
    &kIndexTopk,
    &kAttnDecode,
    &kAttnPrefillWindow,
    &kAttnPrefillMixed,
    &kAttnIndexed,
    &kAttnOut,
    &kRoute,
    &kMoeRouted,
    &kFfnShared,
    &kHead,
    &kSampleArgmax,
    &kSampleTopk,
    &kSteer,
};
static_assert(std::size(kEntries) == std::size(sdk::kOps));

/// Position in kEntries by op id, so that a step of many small ops does not search.
constexpr auto kPositions = [] {
  std::array<std::uint8_t, 128> positions{};
  for (std::uint32_t id = 0; id < positions.size(); ++id) {
    positions[id] = static_cast<std::uint8_t>(sdk::op_index(id));
  }
  return positions;
}();

}  // namespace

const OpEntry& op_entry(std::uint32_t id) noexcept {
  return *kEntries[kPositions[id & 127u]];
}

}  // namespace ds4::reference

/// Every op of this backend by id; each entry lives in the file of its op. And what all of those
/// files use.
#pragma once

#include <iterator>

#include "cpu-common/contracts/contracts.hpp"
#include "cpu-common/dequant.hpp"
#include "cpu-common/loops.hpp"

namespace ds4::fast {

using namespace cpu;  // the plumbing that CPU backends share

extern const OpEntry kCopyCast;
extern const OpEntry kFill;
extern const OpEntry kGatherRows;
extern const OpEntry kScatterRows;
extern const OpEntry kPageRows;
extern const OpEntry kResolveTokens;
extern const OpEntry kAdd;
extern const OpEntry kMul;
extern const OpEntry kScaleAdd;
extern const OpEntry kRowSum;
extern const OpEntry kUnary;
extern const OpEntry kMatmul;
extern const OpEntry kMatmulAct;
extern const OpEntry kGroupedMatmul;
extern const OpEntry kRmsNorm;
extern const OpEntry kRopeTail;
extern const OpEntry kQuantRoundTrip;
extern const OpEntry kSwigluClamp;
extern const OpEntry kSoftmaxSink;
extern const OpEntry kSoftmaxPool;
extern const OpEntry kMixStreams;
extern const OpEntry kTopk;
extern const OpEntry kTakeColumns;
extern const OpEntry kNormalizeSum;
extern const OpEntry kSinkhornSplit;
extern const OpEntry kAttentionRows;
extern const OpEntry kEmbedStreams;
extern const OpEntry kHcPre;
extern const OpEntry kHcPost;
extern const OpEntry kQProject;
extern const OpEntry kKvProject;
extern const OpEntry kKvCommit;
extern const OpEntry kCompressProject;
extern const OpEntry kCompressEmit;
extern const OpEntry kCompressCommit;
extern const OpEntry kIndexScore;
extern const OpEntry kIndexTopk;
extern const OpEntry kAttnDecode;
extern const OpEntry kAttnPrefillWindow;
extern const OpEntry kAttnPrefillMixed;
extern const OpEntry kAttnIndexed;
extern const OpEntry kAttnOut;
extern const OpEntry kRoute;
extern const OpEntry kMoeRouted;
extern const OpEntry kFfnShared;
extern const OpEntry kHead;
extern const OpEntry kSampleArgmax;
extern const OpEntry kSampleTopk;
extern const OpEntry kSteer;

/// All of them in the order of sdk::kOps.
extern const OpEntry* const kOps[std::size(sdk::kOps)];

}  // namespace ds4::fast

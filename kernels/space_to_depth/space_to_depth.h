// YOLOv7's ReOrg: pixels of a 2 x 2 block side by side in channels.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/dtype.h"
#include "kernels/channel_view.h"
#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu {

// y[n,p,q,b*C + c] = x[n, 2p + b % 2, 2q + b / 2, c] for b < 4: even row and column, odd row, odd
// column, both odd; then `padding` channels of zeros. x [N,H,W,C], y [N,H/2,W/2,4C + padding]; bits
// are moved, not numbers. Counts are elements. Source: ReOrg in models/common.py of the official
// YOLOv7 code.
struct SpaceToDepthProblem {
  DType dtype = DType::kF16;                 // kF16, kBF16 or kF32
  int64_t batch = 1, height = 0, width = 0;  // of x; height and width are even
  int64_t channels = 0;                      // C
  int64_t padding = 0;                       // channels of zeros behind y's 4C
  ChannelView x = {}, y = {};
  int64_t alignment_bytes = 16;  // of both buffers' first element: a power of two
};

// One line of variants.inc. The name reads space_to_depth_<dtype>_v<vector bytes>.
struct SpaceToDepthVariant {
  std::string_view name;
  DType dtype;
  int64_t vector_bytes;  // of one element: the variant that others are judged by
};

// The inventory, by growing vectors.
std::span<const SpaceToDepthVariant> space_to_depth_variants();

// kInvalidArgument: the problem makes no sense (says why). kUnsupported: another dtype; a tensor of
// 2^31 elements or more; channels, padding, an offset, stride or base that are no multiple of the
// vector.
Status can_implement(const SpaceToDepthVariant& variant, const SpaceToDepthProblem& problem);

// The variant with the widest vectors that can_implement the problem. Pure.
Result<SpaceToDepthVariant> select_space_to_depth(const SpaceToDepthProblem& problem);

// Enqueues the kernel and returns; `variant` is one of space_to_depth_variants(). x and y are
// device memory, owned by the caller, that stays alive until the stream gets there; their views do
// not overlap. Errors of can_implement; kInvalidArgument if a pointer is null or has less than
// alignment_bytes; of launch(). The function: KernelTable::space_to_depth.
using SpaceToDepth = Status(void* y, const void* x, const SpaceToDepthProblem& problem,
                            const SpaceToDepthVariant& variant, Stream stream);

}  // namespace yolocu

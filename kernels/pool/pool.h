// Maximum and mean over windows of NHWC tensors.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/dtype.h"
#include "kernels/channel_view.h"
#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu {

// kMax: a NaN in the window wins, padding never does. kMean: sum in f32, row by row, over window
// area; without padding.
enum class PoolKind : uint8_t { kMax, kMean };

// y[n,p,q,c] = max, or mean, over r, s < window of x[n, p*stride - padding + r, q*stride - padding
// + s, c], with P = (H + 2*padding - window) / stride + 1 and Q alike. x [N,H,W,C], y [N,P,Q,C] of
// `dtype`; y is rounded once, a maximum not at all. Counts are elements.
struct PoolProblem {
  PoolKind kind = PoolKind::kMax;
  DType dtype = DType::kF16;  // kF16, kBF16 or kF32
  int64_t batch = 1, height = 0, width = 0, channels = 0;
  int64_t window = 2, stride = 2;  // of both directions
  int64_t padding = 0;             // at most window / 2, so that no window is all padding
  ChannelView x = {}, y = {};
  int64_t alignment_bytes = 16;  // of both buffers' first element: a power of two

  int64_t out_height() const { return (height + 2 * padding - window) / stride + 1; }  // P
  int64_t out_width() const { return (width + 2 * padding - window) / stride + 1; }    // Q
};

// One line of variants.inc: a thread makes vector_bytes of y at a time. The name reads
// pool_<kind>_<dtype>_v<vector bytes>.
struct PoolVariant {
  std::string_view name;
  PoolKind kind;
  DType dtype;
  int64_t vector_bytes;  // of one element: the variant that others are judged by
};

// The inventory, by growing vectors.
std::span<const PoolVariant> pool_variants();

// kInvalidArgument: the problem makes no sense (says why). kUnsupported: another kind or dtype; a
// tensor of 2^31 elements or more; an offset, stride or base that is no multiple of the vector.
Status can_implement(const PoolVariant& variant, const PoolProblem& problem);

// The variant with the widest vectors that can_implement the problem. Pure.
Result<PoolVariant> select_pool(const PoolProblem& problem);

// Enqueues the kernel and returns; `variant` is one of pool_variants(). x and y are device memory,
// owned by the caller, that stays alive until the stream gets there; their views do not overlap.
// Errors of can_implement; kInvalidArgument if a pointer is null or has less than alignment_bytes;
// of launch(). The function: KernelTable::pool.
using Pool = Status(void* y, const void* x, const PoolProblem& problem, const PoolVariant& variant,
                    Stream stream);

}  // namespace yolocu

// Channels of one NHWC view to another, where a concat or chunk could not be a view.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/dtype.h"
#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu {

// dst[p, dst_offset + c] = src[p, src_offset + c] for p < pixels, c < channels.
// dst [pixels, dst_pixel_stride], src [pixels, src_pixel_stride]: NHWC buffers with pixels = N*H*W
// and all their channels as the stride. Counts are elements.
struct ChannelCopyProblem {
  DType dtype = DType::kF16;  // kF16 or kF32; bits are moved, not numbers
  int64_t pixels = 0;
  int64_t channels = 0;
  int64_t dst_pixel_stride = 0, dst_offset = 0;  // offset + channels <= stride
  int64_t src_pixel_stride = 0, src_offset = 0;
  int64_t alignment_bytes = 16;  // of both buffers' first element: a power of two
};

// kNaive: a thread moves one element; the others are judged by it.
// kVector: a row of threads moves a pixel, vector_bytes at a time, then the residue by elements.
enum class ChannelCopyAlgorithm : uint8_t { kNaive, kVector };

// One line of variants.inc. The name reads channel_copy_<algorithm>_<dtype>_v<vector bytes>.
struct ChannelCopyVariant {
  std::string_view name;
  ChannelCopyAlgorithm algorithm;
  DType dtype;
  int64_t vector_bytes;  // size of the element for kNaive
};

// The inventory, naive variants first, then by growing vectors.
std::span<const ChannelCopyVariant> channel_copy_variants();

// kInvalidArgument: the problem makes no sense (says why). kUnsupported: another dtype, or an
// offset, stride or base that is not a multiple of the vector.
Status can_implement(const ChannelCopyVariant& variant, const ChannelCopyProblem& problem);

// The variant with the widest vectors that can_implement the problem. Pure.
Result<ChannelCopyVariant> select_channel_copy(const ChannelCopyProblem& problem);

// Enqueues the copy and returns; `variant` is one of channel_copy_variants(). dst and src are
// device memory, owned by the caller, that stays alive until the stream gets there; they may be one
// buffer if the channels do not overlap. Errors of can_implement; kInvalidArgument if a pointer has
// less than alignment_bytes; of launch(). The function: KernelTable::channel_copy.
using ChannelCopy = Status(void* dst, const void* src, const ChannelCopyProblem& problem,
                           const ChannelCopyVariant& variant, Stream stream);

}  // namespace yolocu

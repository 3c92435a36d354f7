// Nearest-neighbour resizing and sums of feature maps: upsample, add, and the fusion of YOLOv9's
// CBFuse in one pass.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/dtype.h"
#include "kernels/channel_view.h"
#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu {

constexpr int64_t kMostResizeInputs = 6;  // the first CBFuse of YOLOv9-e: five maps and its own

// One summand: [N, height, width, C].
struct ResizeInput {
  int64_t height = 0, width = 0;
  ChannelView view = {};
};

// y[n,p,q,c] = sum over i < count of inputs[i][n, floor(p * H_i / P), floor(q * W_i / Q), c], from
// left to right in f32, rounded once. y [N,P,Q,C], inputs of `dtype`; counts are elements. One
// input of P / f x Q / f is the upsample by f, whose bits are kept (but for the payload of a NaN);
// inputs of P x Q are a plain sum. Source: torch.nn.functional.interpolate(mode="nearest").
struct ResizeSumProblem {
  DType dtype = DType::kF16;  // kF16, kBF16 or kF32
  int64_t batch = 1, out_height = 0, out_width = 0, channels = 0;
  int64_t count = 1;  // of inputs
  std::array<ResizeInput, kMostResizeInputs> inputs = {};
  ChannelView y = {};
  int64_t alignment_bytes = 16;  // of all buffers' first element: a power of two
};

// One line of variants.inc: a thread makes vector_bytes of y at a time. The name reads
// resize_sum_<dtype>_v<vector bytes>.
struct ResizeSumVariant {
  std::string_view name;
  DType dtype;
  int64_t vector_bytes;  // of one element: the variant that others are judged by
};

// The inventory, by growing vectors.
std::span<const ResizeSumVariant> resize_sum_variants();

// kInvalidArgument: the problem makes no sense (says why), extents over 65536 included.
// kUnsupported: another dtype; a tensor of 2^31 elements or more; an offset, stride or base that is
// no multiple of the vector.
Status can_implement(const ResizeSumVariant& variant, const ResizeSumProblem& problem);

// The variant with the widest vectors that can_implement the problem. Pure.
Result<ResizeSumVariant> select_resize_sum(const ResizeSumProblem& problem);

// Device memory, owned by the caller, that stays alive until the stream gets there. Each points to
// the first element of its buffer, not of the view; those from `count` on are not looked at. An
// input may be y if the two have one view and one extent; otherwise it does not overlap y.
struct ResizeSumTensors {
  void* y = nullptr;
  std::array<const void*, kMostResizeInputs> inputs = {};
};

// Enqueues the kernel and returns; `variant` is one of resize_sum_variants(). Errors of
// can_implement; kInvalidArgument if a pointer is null or has less than alignment_bytes; of
// launch(). The function: KernelTable::resize_sum.
using ResizeSum = Status(const ResizeSumTensors& tensors, const ResizeSumProblem& problem,
                         const ResizeSumVariant& variant, Stream stream);

}  // namespace yolocu

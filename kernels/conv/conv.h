// Convolution of NHWC tensors with bias, activation and residual, on the tensor cores of sm_80 and
// later; of f32, for checking, without them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/activation.h"
#include "engine/base/dtype.h"
#include "kernels/channel_view.h"
#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu {

// Where a result goes: a view of [N, upsample*P, upsample*Q, view.pixel_stride] elements. upsample
// 2 repeats each pixel, as the nearest neighbour does:
//   buffer[n, upsample*p + i, upsample*q + j, view.offset + k] = y[n,p,q,k] for i, j < upsample.
struct ConvOutput {
  ChannelView view = {};
  int64_t upsample = 1;  // 1 or 2
};

// y[n,p,q,k] = act(bias[k] + sum over r, s, c of
//                    x[n, p*stride - padding + r, q*stride - padding + s, g*(C/groups) + c] *
//                    w[k,r,s,c]) + residual[n,p,q,k]
// with g = k / (K/groups), x zero outside the picture, P = (H + 2*padding - R) / stride + 1 and Q
// alike. x [N,H,W,C], y and residual [N,P,Q,K], w [K,R,S,C/groups] of `dtype`; bias [K] f32. Sums
// are f32 and y is rounded once. y is stored once or twice, so that a concatenation or an
// upsampling that reads it costs no pass of its own. Counts are elements.
struct ConvProblem {
  DType dtype = DType::kF16;                    // kF16, kBF16 or kF32
  int64_t batch = 1, height = 0, width = 0;     // N, H, W
  int64_t channels = 0;                         // C
  int64_t out_channels = 0;                     // K
  int64_t filter_height = 1, filter_width = 1;  // R, S
  int64_t stride = 1, padding = 0;              // of both directions
  int64_t groups = 1;                           // divides C and K
  Activation activation = Activation::kNone;
  float negative_slope = 0.0f;               // of kLeakyRelu: finite
  ChannelView x = {}, y = {};                // offset + channels <= pixel_stride
  int64_t y_upsample = 1;                    // of the output that y views
  std::optional<ConvOutput> second = {};     // none: y is stored once
  std::optional<ChannelView> residual = {};  // none: nothing is added
  int64_t alignment_bytes = 16;              // of every tensor's first element: a power of two

  ConvOutput first() const { return {y, y_upsample}; }
  int64_t out_height() const { return (height + 2 * padding - filter_height) / stride + 1; }  // P
  int64_t out_width() const { return (width + 2 * padding - filter_width) / stride + 1; }     // Q
  int64_t out_pixels() const { return batch * out_height() * out_width(); }
  int64_t group_channels() const { return channels / groups; }
  int64_t group_out_channels() const { return out_channels / groups; }
  int64_t depth() const { return filter_height * filter_width * group_channels(); }  // R*S*C/groups
};

// kNaive: a thread computes one output; the others are judged by it.
// kTiled: f32 by ordinary arithmetic, bit for bit as kNaive. For checking, not for speed.
// kDepthwise: groups = C = K; a thread computes 8 channels of a pixel, or 1.
// kImplicitGemm: a block computes block_m x block_n of the product M = N*P*Q, N = K/groups,
// K = R*S*C/groups by mma.sync, its operands staged through shared memory by cp.async.
// kWarpgroupGemm: the same by wgmma, whose operands stay in shared memory. sm_90a alone.
enum class ConvAlgorithm : uint8_t { kNaive, kTiled, kDepthwise, kImplicitGemm, kWarpgroupGemm };

// The implicit GEMMs on tensor cores: their sums over k may be divided among blocks.
constexpr bool may_split(ConvAlgorithm algorithm) {
  return algorithm == ConvAlgorithm::kImplicitGemm || algorithm == ConvAlgorithm::kWarpgroupGemm;
}

// Compile-time choices of kTiled, kImplicitGemm and kWarpgroupGemm, in elements. All 0 for the
// others.
struct ConvTile {
  int block_m = 0, block_n = 0, block_k = 0;  // of a block; block_k is one stage of the pipeline
  int warp_m = 0, warp_n = 0;                 // of a warp
  int stages = 0;
  int element_bytes = 2;  // of the operands

  constexpr int warps() const { return warp_m == 0 ? 0 : (block_m / warp_m) * (block_n / warp_n); }
  constexpr int threads() const { return warps() * 32; }
  constexpr int stage_bytes() const { return (block_m + block_n) * block_k * element_bytes; }
  constexpr int sum_bytes() const { return block_m * block_n * 4; }
  // Of a block: the ring of stages, then, in its place, the sums on their way to y.
  constexpr int shared_bytes() const {
    const int ring = stages * stage_bytes();
    return ring > sum_bytes() ? ring : sum_bytes();
  }
};

// One line of variants.inc. The name reads conv_naive_<dtype>, conv_depthwise_<dtype>_v<load bytes>
// or conv_{tiled,igemm}_<dtype>_b<block m>x<n>x<k>_w<warp m>x<n>_s<stages>_v<load bytes>, where
// conv_wgmma has no warps.
struct ConvVariant {
  std::string_view name;
  ConvAlgorithm algorithm;
  DType dtype;
  ConvTile tile;
  int load_bytes;  // of one copy from global memory: 2 (plain loads), or 4, 8, 16 (cp.async)
};

// The inventory: the naive variants first.
std::span<const ConvVariant> conv_variants();

// A variant, and into how many equal runs of stages it divides the sum over k: each run is a
// block's, the last of a tile's blocks to finish adds their sums, in order of k whoever was last.
struct ConvChoice {
  ConvVariant variant;
  int64_t splits = 1;
};

// Most tiles of an output that is computed in splits: each has a ticket in the workspace.
constexpr int64_t kConvTickets = 1024;
constexpr int64_t kConvTicketBytes = kConvTickets * 4;

// Bytes of ConvTensors::workspace: kConvTicketBytes, then the f32 sums of every block; 0 for one
// split.
int64_t conv_workspace_bytes(const ConvChoice& choice, const ConvProblem& problem);

// kInvalidArgument: the problem makes no sense (says why). kUnsupported: another dtype; a view of x
// or w whose vectors of load_bytes are not aligned or straddle a filter position; a tensor of 2^31
// elements or more; a tiled variant and more than 65535 groups; kDepthwise and other groups than
// channels.
Status can_implement(const ConvVariant& variant, const ConvProblem& problem);
// The same, and kUnsupported for splits where may_split() is false or there are groups, for so many
// that one would have no stage, and for more than kConvTickets tiles.
Status can_implement(const ConvChoice& choice, const ConvProblem& problem);

// What selection must know of a device.
struct ConvDevice {
  int64_t multiprocessors = 108;                // A100
  int64_t shared_bytes_per_block = 163 * 1024;  // sm_80
  bool has_wgmma = false;                       // sm_90a, and code for it
};

// can_implement, and kUnsupported where the device has too little shared memory or no wgmma.
Status can_run(const ConvChoice& choice, const ConvProblem& problem, const ConvDevice& device);

// The tiled variant and splits of lowest conv_cost; where each input channel is a group of its own
// and there is no product, the kDepthwise variant of the widest loads, else the naive one. Errors
// of can_implement. Pure.
Result<ConvChoice> select_conv(const ConvProblem& problem, const ConvDevice& device);

// One line a variant: name, cost or why not, the chosen one marked. For people.
std::string explain_conv_selection(const ConvProblem& problem, const ConvDevice& device);

// Device memory, owned by the caller, that stays alive until the stream gets there. Each points to
// the first element of its buffer, not of the view. second and residual are null if and only if the
// problem has none. Those of y, second and residual that are one buffer have one pixel_stride and
// upsample; their channels are disjoint, but the residual may be exactly one of the outputs.
//
// workspace: conv_workspace_bytes, aligned to 256 bytes; unused if those are 0. Its first
// kConvTicketBytes are zero before the first launch that gets it, and left zero by every launch, so
// that launches of any problems may use it, one after the other.
struct ConvTensors {
  void* y = nullptr;
  void* second = nullptr;
  const void* x = nullptr;
  const void* w = nullptr;
  const float* bias = nullptr;
  const void* residual = nullptr;
  void* workspace = nullptr;
};

// kInvalidArgument: a pointer is null or has less than alignment_bytes (bias: 4 bytes); one that
// the problem has no use for; views of one buffer that do not go together.
Status check_tensors(const ConvTensors& tensors, const ConvProblem& problem,
                     const ConvChoice& choice);

// Enqueues the convolution and returns; the variant is one of conv_variants(). y and x do not
// overlap. Errors of can_implement, check_tensors and launch(). The function: KernelTable::conv.
using Conv = Status(const ConvTensors& tensors, const ConvProblem& problem,
                    const ConvChoice& choice, Stream stream);

}  // namespace yolocu

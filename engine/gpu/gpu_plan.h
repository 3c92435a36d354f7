// The static plan of the cuda and emulated devices: one ordered list of launches on ranges of the
// buffers of one arena. Pure arithmetic: no device is needed to make one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "engine/plan/channel_layout.h"
#include "engine/plan/memory_planner.h"
#include "kernels/conv/conv.h"
#include "kernels/copy/channel_copy.h"
#include "kernels/decode/decode.h"
#include "kernels/nms/nms.h"
#include "kernels/pool/pool.h"
#include "kernels/preprocess/letterbox.h"
#include "kernels/resize/resize_sum.h"
#include "kernels/space_to_depth/space_to_depth.h"
#include "weights/format/model.h"

namespace yolocu::gpu {

// Channels of a value start at multiples of this: 16 bytes of f16, the widest load. The channels
// between hold zeros, and convolutions have zero weights for them.
constexpr int64_t kChannelBlock = 8;

// Every buffer of the arena starts at a multiple of this.
constexpr int64_t kBufferAlignment = 256;

// Number of a buffer of the plan.
constexpr int kNoBuffer = -1;

// Which detections are wanted, as DetectorOptions has it.
struct DetectionRule {
  CandidateRule candidates = {};
  double iou = 0.45;
  int64_t max_detections = 300;
};

struct PlanOptions {
  DType dtype = DType::kF16;  // of activations and weights: kF16, kBF16 or kF32
  int64_t batch = 1, height = 0, width = 0;
  ConvDevice device = {};
  InputLifetime input = InputLifetime::kUntilRead;
  // Pictures to detections; without it, an input tensor to predictions.
  std::optional<DetectionRule> detections = {};
};

// All buffers below are numbers of GpuPlan::buffers. The views within them are the problem's.

// Convolution node `conv`, whose weights are ConvWeights of that number.
struct ConvStep {
  int conv = 0;
  ConvProblem problem = {};
  ConvChoice choice = {};
  int y = kNoBuffer, x = kNoBuffer, residual = kNoBuffer, second = kNoBuffer;
};

struct PoolStep {
  PoolProblem problem = {};
  PoolVariant variant = {};
  int y = kNoBuffer, x = kNoBuffer;
};

struct ResizeSumStep {
  ResizeSumProblem problem = {};
  ResizeSumVariant variant = {};
  int y = kNoBuffer;
  std::array<int, kMostResizeInputs> inputs = {};
};

struct SpaceToDepthStep {
  SpaceToDepthProblem problem = {};
  SpaceToDepthVariant variant = {};
  int y = kNoBuffer, x = kNoBuffer;
};

struct CopyStep {
  ChannelCopyProblem problem = {};
  ChannelCopyVariant variant = {};
  int y = kNoBuffer, x = kNoBuffer;
};

// Pictures to the network's input.
struct LetterboxStep {
  LetterboxProblem problem = {};
  LetterboxVariant variant = {};
  int y = kNoBuffer;
};

// Buffers of a decode op's maps, by level.
struct HeadBuffers {
  std::array<int, kMaxDecodeLevels> boxes = {}, classes = {};
};

struct PredictionStep {
  DecodeProblem problem = {};
  DecodeVariant variant = {};
  HeadBuffers heads = {};
  int predictions = kNoBuffer;
};

// The lists of candidates are three buffers.
struct CandidateBuffers {
  int boxes = kNoBuffer, keys = kNoBuffer, counts = kNoBuffer;
};

struct CandidateStep {
  DecodeProblem problem = {};
  CandidateRule rule = {};
  DecodeVariant variant = {};
  HeadBuffers heads = {};
  CandidateBuffers lists = {};
};

// Candidates to the results, which lie outside of the arena.
struct NmsStep {
  NmsProblem problem = {};
  NmsVariant variant = {};
  CandidateBuffers lists = {};
  int workspace = kNoBuffer;
};

using Work = std::variant<LetterboxStep, ConvStep, PoolStep, ResizeSumStep, SpaceToDepthStep,
                          CopyStep, PredictionStep, CandidateStep, NmsStep>;

struct Step {
  int node = 0;  // of the graph: whose value it makes, or helps to
  Work work;
};

// How one convolution's weights are laid out for the device: [K, R, S, C / groups] with K and C
// padded as the layouts say. The same for every batch and size.
struct ConvWeightLayout {
  ChannelLayout in, out;
  int64_t groups = 1;  // of the padded convolution: 1 if it is computed as a dense one
};

struct GpuPlan {
  PlanOptions options;
  Graph graph;                          // the model's, after passes that keep all numbers
  std::vector<Step> steps;              // in order of launch
  std::vector<BufferRequest> buffers;   // first and last are numbers of steps
  ArenaPlan arena;                      // offsets of the buffers
  std::vector<int64_t> channels;        // by node: of its value, without padding
  std::vector<const char*> free_nodes;  // by node: why it needs no launch, or nullptr
  ChannelLayout input_layout;           // of the network's input
  int input = kNoBuffer;                // [batch, height, width, padded channels] of the dtype
  ChannelView input_view = {};
  int predictions = kNoBuffer;  // [batch, anchors, row] f32; without `detections` only
  int64_t workspace_bytes = 0;  // of convolutions with split sums; zero between launches
};

// What weights must look like on the device, by node; empty for nodes that are no convolution.
// Errors of plan_channel_layouts.
Result<std::vector<ConvWeightLayout>> plan_conv_weights(const Graph& graph,
                                                        const std::vector<ValueShape>& shapes);

// The graph is valid and the size one that check_input_size allows. kUnsupported: a map beyond the
// reach of the kernels (2^31 elements), a head they cannot decode, ReOrg or a picture whose
// channels are taken apart at other places than multiples of kChannelBlock; the message names the
// node.
Result<GpuPlan> make_gpu_plan(const ModelSpec& spec, const PlanOptions& options);

}  // namespace yolocu::gpu

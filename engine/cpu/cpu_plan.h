// The static plan of the cpu device: which steps run in which order on which ranges of which
// buffers. Pure arithmetic on the graph; executing it is cpu_executor.cpp's business.
//
// A plan is for one picture. A batch runs it picture by picture: the arena stays small, and views
// of channel ranges are dense only at batch 1.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "engine/cpu/blocked_ops.h"
#include "engine/cpu/kernels/conv_task.h"
#include "engine/cpu/kernels/pool_task.h"
#include "engine/executor.h"
#include "engine/plan/channel_layout.h"
#include "engine/plan/memory_planner.h"
#include "weights/format/graph.h"
#include "weights/format/quantization.h"

namespace yolocu::cpu {

// A tensor of the plan: `offset` elements into buffer `buffer`; see Tensor for the rest.
struct View {
  static constexpr int kPicture = -1;  // the executor's input, NHWC
  static constexpr int kNone = -2;
  int buffer = kNone;
  Element element = Element::kF32;
  int64_t offset = 0, block = 1, channels = 0, height = 0, width = 0;
};

// Convolution node `conv`.
struct ConvStep {
  int conv = 0;
  View destination = {}, source = {};
  View residual = {};  // buffer kNone: none
  int residual_value = 0;
  float output_scale = 0;  // of an int8 destination
  ConvShape shape = {};
};

struct PoolStep {
  View destination = {}, source = {};
  PoolShape shape = {};
};

struct UpsampleStep {
  View destination = {}, source = {};
  int64_t factor = 2;
};

// Views of the values `inputs`.
struct AddStep {
  View destination;
  std::vector<View> sources;
  std::vector<int> inputs;
  float output_scale = 0;  // of an int8 destination
};

struct CopyStep {
  View destination = {}, source = {};
};

struct GatherStep {
  View destination = {}, source = {};
  Gather plan;
};

// The last step: heads to predictions.
struct DecodeStep {
  struct Head {
    View view = {};
    int64_t channels = 0;  // without padding
    Gather to_pixels;      // NHWC
  };
  std::vector<Head> heads;
};

struct Step {
  int node = 0;  // the step belongs to; whose value it makes, or helps to
  std::variant<ConvStep, PoolStep, UpsampleStep, AddStep, CopyStep, GatherStep, DecodeStep> work;
};

struct CpuPlan {
  std::vector<Step> steps;
  std::vector<BufferRequest> buffers;  // first and last are numbers of steps
  std::vector<ChannelLayout> layouts;  // one a value
  std::vector<ChannelScales> scales;   // one a value: empty where it is not int8
  ChannelLayout picture_layout;        // of View::kPicture
  std::vector<PlanStep> views;         // nodes that cost nothing, for Executor::plan()
};

// shapes: of infer_shapes; every extent at height x width is at least 1. block: channels in a
// block. element: of feature maps; what only decoding reads is f32, as is the picture. kI8: those
// values that have scales, bf16 the others.
// Errors of plan_channel_layouts and infer_scales. kUnsupported: a convolution in floating point of
// an int8 value.
Result<CpuPlan> make_cpu_plan(const Graph& graph, const std::vector<ValueShape>& shapes,
                              int64_t height, int64_t width, int64_t block, Element element);

}  // namespace yolocu::cpu

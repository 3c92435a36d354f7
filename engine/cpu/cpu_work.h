// Steps of the plan bound to memory, kernels and weights: what a run executes.
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/cpu/blocked_ops.h"
#include "engine/cpu/onednn.h"
#include "engine/cpu/tensor.h"
#include "engine/postprocess/decode.h"
#include "weights/format/graph.h"

namespace yolocu::cpu {

// What changes from picture to picture.
struct PictureJob {
  float* picture = nullptr;      // [height, width, 3] f32
  std::span<float> predictions;  // [anchors, row] f32
};

// Where a step finds its source: in the arena, or in the job's picture.
enum class SourcePlace : uint8_t { kArena, kPicture };

// Convolution or pooling by oneDNN.
struct KernelWork {
  KernelCall call;
  SourcePlace source_place = SourcePlace::kArena;
};

struct DirectConvWork {
  Tensor destination, source, residual;
  SourcePlace source_place = SourcePlace::kArena;
  const float* weights = nullptr;
  const float* bias = nullptr;
  ConvProblem problem;
};

struct UpsampleWork {
  Tensor destination, source;
  int64_t factor = 2;
};

struct AddWork {
  Tensor destination;
  std::vector<Tensor> sources;
};

struct CopyWork {
  Tensor destination, source;
};

struct GatherWork {
  Tensor destination, source;
  SourcePlace source_place = SourcePlace::kArena;
  Gather plan;
};

struct DecodeWork {
  const Op* op = nullptr;  // a decode op of the model
  std::vector<HeadView> heads;
};

using Work = std::variant<KernelWork, DirectConvWork, UpsampleWork, AddWork, CopyWork, GatherWork,
                          DecodeWork>;

// Runs one step. Allocates nothing. kUnavailable: oneDNN refuses.
Status execute(Work& work, const PictureJob& job);

// For Executor::plan(): oneDNN's name of the kernel, or ours.
std::string implementation_name(const Work& work);

}  // namespace yolocu::cpu

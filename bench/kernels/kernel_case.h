// The launches of a plan as cases of their own: each distinct one once, with memory that is laid
// out for it alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/kernels/networks.h"
#include "engine/gpu/gpu_plan.h"
#include "kernels/kernel_table.h"

namespace yolocu::bench {

struct CaseOptions {
  DType dtype = DType::kF16;
  int64_t batch = 1;
  int64_t size = 0;  // H = W of the network's input; 0: its own
  ConvDevice device = {};
  // kSelected: what a plan launches. kAll: every variant that can implement the problem, but for
  // naive convolutions, which take minutes.
  enum class Variants : uint8_t { kSelected, kAll } variants = Variants::kSelected;
};

// Memory that a launch needs beyond the buffers of its step: numbers of KernelCase::step's buffers.
struct CaseBuffers {
  int weight = gpu::kNoBuffer, bias = gpu::kNoBuffer;
  int pixels = gpu::kNoBuffer, pictures = gpu::kNoBuffer;
  int detections = gpu::kNoBuffer, detection_counts = gpu::kNoBuffer;
};

// One problem and how it is computed. Layers are one case if family, shape, implementation and
// FLOPs are the same; their views may differ, and those of the first count.
struct KernelCase {
  std::string family;          // "conv"
  std::string network, layer;  // "gelan-c", "model.4.cv1": of the first such layer
  std::string shape;           // "1x160x160x128->128k3s1"
  std::string implementation;  // the variant's name, "/splits:4" behind it
  int64_t count = 1;           // layers of the network like this
  double flops = 0;            // of convolutions, without those of padding
  int64_t bytes = 0;           // of operands and results, each once: the least that is moved
  int64_t candidates = 0;      // of nms: in the list of each picture
  // A plan of one step whose buffers overlap nowhere.
  gpu::GpuPlan step;
  CaseBuffers extra;

  const gpu::Work& work() const { return step.steps.front().work; }
  // "conv/gelan-c/model.4.cv1/1x160x160x128->128k3s1/conv_igemm_f16_...".
  std::string name() const;
};

// Of pictures that letterbox reads.
constexpr int64_t kPictureWidth = 1280, kPictureHeight = 720;
// Candidates in a list: one of so many anchors, as in the picture of a street; and all there can
// be, as when confidence is 0.001.
constexpr int64_t kAnchorsPerCandidate = 64;

// The cases of a network, from pictures to detections and from a tensor to predictions, in order of
// launch. Errors of make_gpu_plan.
Result<std::vector<KernelCase>> kernel_cases(const Network& network, const CaseOptions& options);

}  // namespace yolocu::bench

// The steps of a plan as launches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/gpu/gpu_plan.h"
#include "kernels/kernel_table.h"

namespace yolocu::gpu {

// Weights of one convolution in device memory, laid out as its ConvWeightLayout says.
struct ConvWeights {
  const void* weight = nullptr;
  const float* bias = nullptr;
};

// Device memory of one context. What a plan does not use may be nullptr.
struct ContextMemory {
  std::byte* arena = nullptr;                  // plan.arena.size_bytes
  void* workspace = nullptr;                   // plan.workspace_bytes, zero
  std::span<const ConvWeights> weights = {};   // by node
  const LetterboxPicture* pictures = nullptr;  // [batch]
  const uint32_t* wanted_classes = nullptr;    // nullptr: all
  NmsDetection* detections = nullptr;          // [batch, max_detections]
  int32_t* detection_counts = nullptr;         // [batch]
};

// Enqueues one step: one launch, or a few.
Status enqueue_step(const GpuPlan& plan, const Step& step, const ContextMemory& memory,
                    const KernelTable& kernels, Stream stream);

// Enqueues every step, in order. An error names the node.
Status enqueue(const GpuPlan& plan, const ContextMemory& memory, const KernelTable& kernels,
               Stream stream);

}  // namespace yolocu::gpu

// The kernels of one instruction set, and which of them this processor can run.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/cpu/kernels/conv_task.h"
#include "engine/cpu/kernels/pool_task.h"

namespace yolocu::cpu {

// scratch: ConvTask::scratch_bytes of the calling thread's own, aligned to 64 bytes.
using ConvKernel = void (*)(const ConvTask& task, int64_t chunk, std::byte* scratch);

using PoolKernel = void (*)(const PoolTask& task, int64_t chunk, std::byte* scratch);

// Pixels [begin, end) of a block.
using AddKernel = void (*)(const AddTask& task, int64_t block, int64_t begin, int64_t end);

struct KernelTable {
  const char* name = "";    // "avx512"
  int64_t lanes = 8;        // floats in a vector, and channels in a block
  int64_t tile_pixels = 1;  // of a register tile
  bool has_dot = false;     // multiplies bf16 and 8-bit integers
  // Null where the kernels lack the shape's elements, layout or stride.
  ConvKernel (*direct)(const ConvShape& shape) = nullptr;
  ConvKernel (*winograd)(const ConvShape& shape) = nullptr;
  // A row of outputs of a block of channels; null if the kernels lack the element.
  PoolKernel (*pool)(const PoolShape& shape) = nullptr;
  AddKernel add = nullptr;
  // See decode.h.
  void (*sigmoid)(float* y, const float* x, int64_t count, int64_t stride) = nullptr;
  float (*greatest)(const float* x, int64_t count, int64_t stride) = nullptr;
  void (*expected_bins)(float* sides, const float* logits, int64_t bins, int64_t stride) = nullptr;
};

// What the processor does best. YOLOCU_CPU_KERNELS=avx512_dot|avx512|avx2|portable in the
// environment asks for less; a name that the processor cannot run is ignored.
const KernelTable& kernel_table();

// Whether the processor has the instructions of a table below.
bool can_run(const KernelTable& table);

// Of each file kernels_*.cpp; null where the compiler's target has no such instructions.
const KernelTable* portable_kernels();
const KernelTable* avx2_kernels();
const KernelTable* avx512_kernels();
const KernelTable* avx512_dot_kernels();

}  // namespace yolocu::cpu

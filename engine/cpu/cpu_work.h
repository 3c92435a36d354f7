// Steps of the plan bound to memory, kernels and weights: what a run executes.
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "engine/cpu/aligned_buffer.h"
#include "engine/cpu/blocked_ops.h"
#include "engine/cpu/conv_algorithm.h"
#include "engine/cpu/cpu_decode.h"
#include "engine/cpu/kernels/kernel_table.h"
#include "engine/cpu/tensor.h"
#include "engine/cpu/threads.h"
#include "weights/format/graph.h"

namespace yolocu::cpu {

// What changes from picture to picture, and who computes.
struct PictureJob {
  float* picture = nullptr;  // [height, width, 3] f32
  DecodeOutput output;
  Team* team = nullptr;
  std::byte* scratch = nullptr;  // scratch_bytes for each thread of the team
  int64_t scratch_bytes = 0;

  std::byte* scratch_of(int thread) const { return scratch + thread * scratch_bytes; }
};

// Where a step finds its source: in the arena, or in the job's picture.
enum class SourcePlace : uint8_t { kArena, kPicture };

struct ConvWork {
  ConvTask task;
  ConvChoice choice;
  SourcePlace source_place = SourcePlace::kArena;
};

struct PoolWork {
  PoolTask task;
  PoolKernel kernel = nullptr;
};

struct UpsampleWork {
  Tensor destination, source;
  int64_t factor = 2;
};

struct AddWork {
  AddTask task;
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
  DecodeTask task;
};

using Work =
    std::variant<ConvWork, PoolWork, UpsampleWork, AddWork, CopyWork, GatherWork, DecodeWork>;

// Runs one step. Allocates nothing.
void execute(Work& work, const PictureJob& job);

// For Executor::plan(): "winograd avx512", "copy".
std::string implementation_name(const Work& work);

}  // namespace yolocu::cpu

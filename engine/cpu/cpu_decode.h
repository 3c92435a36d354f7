// Heads in blocks of channels to prediction rows, on all threads: formulas and order of rows are
// those of postprocess/decode.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/blocked_ops.h"
#include "engine/cpu/tensor.h"
#include "engine/cpu/threads.h"
#include "weights/format/graph.h"

namespace yolocu::cpu {

// A head in blocks, and its relayout to NHWC in f32.
struct DecodeHead {
  Tensor blocked;
  int64_t channels = 0;  // without padding
  Gather to_pixels;
};

struct DecodeTask {
  const Op* op = nullptr;  // DecodeDflOp or DecodeAnchorOp
  std::vector<DecodeHead> heads;

  // That each thread needs: a row of all channels of a level.
  int64_t scratch_bytes() const;
};

// Where rows go and which matter.
struct DecodeOutput {
  std::span<float> predictions;  // [anchors, row]
  // Rows without a score above it are zeros: objectness where there is one, or the best class.
  // Negative: all rows are computed.
  float least_score = -1.0f;
};

// scratch: of all threads, scratch_bytes apart, at least task.scratch_bytes().
void decode(Team& team, const DecodeTask& task, const DecodeOutput& output, std::byte* scratch,
            int64_t scratch_bytes);

}  // namespace yolocu::cpu

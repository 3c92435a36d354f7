// One line of a plan, for people and tests.
#pragma once

#include <cstdint>
#include <string>

namespace yolocu {

struct PlanStep {
  std::string node;  // graph node's name
  std::string
      implementation;  // "brgconv:avx512_core", "copy", "view", "reference", a kernel's name

  // Of the cuda and emulated devices only.
  int launches = 0;           // 1, or 0 for a node that costs nothing
  std::string tile = {};      // "128x64x32", "/4" behind it if the sum is split in four
  std::string grid = {};      // blocks, "400x1x1"
  int64_t bytes = 0;          // that its operands and results have together: what it must move
  double flops = 0;           // of convolutions, without those of padding
  int64_t arena_offset = -1;  // bytes, of its first result; -1: it lies outside
};

}  // namespace yolocu

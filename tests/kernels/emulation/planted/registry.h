// Kernels with one planted error each, and the same kernels without it: how they are declared and
// launched. A topic has a header of its own with its kernels and, at its end, their list; a new one
// is a kernel template <Version> and a line there.
#pragma once

#include <variant>
#include <vector>

#include "kernels/device/tensor_map.h"
#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu::testing {

enum class Version { kWrong, kRight };

// in: 128 int, 0..127. out: 128 int, not initialised.
using In = device::GlobalPtr<const int>;
using Out = device::GlobalPtr<int>;

// words: in as i32 [4, 32], one box of 512 bytes. result: out alike.
// tile: f16 [64, 64] of ones, one box of 8 KiB in the 128B swizzle.
// pixels: the same as an image [1, 8, 8, 64], im2col boxes of 8 pixels of 64 channels; base pixels
// -1..6 in both dimensions.
struct PlantedMaps {
  device::TensorMap words, result, tile, pixels;
};

using PlantedKernel = void (*)(Out, In);
using PlantedMapKernel = void (*)(Out, In, const PlantedMaps);
using AnyPlantedKernel = std::variant<PlantedKernel, PlantedMapKernel>;

// reports: one of these must be part of the message, as the order decides which is seen first.
struct PlantedBug {
  const char* name;
  AnyPlantedKernel wrong, right;
  std::vector<const char*> reports;
  LaunchConfig config = {.block = {128}, .shared_bytes = 1024};
};

// The same list for launches of another shape.
inline std::vector<PlantedBug> launched_as(const LaunchConfig& config,
                                           std::vector<PlantedBug> bugs) {
  for (PlantedBug& bug : bugs) bug.config = config;
  return bugs;
}

inline int rank_of_thread() {
  return static_cast<int>(device::thread_rank());
}

}  // namespace yolocu::testing

#define PLANTED(kernel, ...)                                         \
  ::yolocu::testing::PlantedBug {                                    \
#kernel, kernel < Version::kWrong>, kernel < Version::kRight>, { \
      __VA_ARGS__                                                    \
    }                                                                \
  }
// One of several errors of one kernel: template <Version, error>.
#define PLANTED_CASE(kernel, error, ...)                                                      \
  ::yolocu::testing::PlantedBug {                                                             \
#kernel " " #error, kernel < Version::kWrong, error>, kernel < Version::kRight, error>, { \
      __VA_ARGS__                                                                             \
    }                                                                                         \
  }

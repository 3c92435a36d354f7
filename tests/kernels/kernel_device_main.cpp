// --device emulated|cuda|all (default all): where the cases run. One line says which GPU is used,
// or why none is.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "tests/kernels/kernel_device.h"

namespace {

enum class Devices { kAll, kEmulated, kCuda, kUnknown };

Devices parse_arguments(int argc, char** argv) {
  if (argc == 1) return Devices::kAll;
  const std::string option = argv[1], value = argc == 3 ? argv[2] : "";
  if (option != "--device") return Devices::kUnknown;
  if (value == "all") return Devices::kAll;
  if (value == "emulated") return Devices::kEmulated;
  return value == "cuda" ? Devices::kCuda : Devices::kUnknown;
}

// Leaves out the cases of one instantiation, whatever else --gtest_filter says.
void exclude(const std::string& pattern) {
  std::string filter = GTEST_FLAG_GET(filter);
  filter += (filter.find('-') == std::string::npos ? "-" : ":") + pattern;
  GTEST_FLAG_SET(filter, filter);
}

std::string gpu_line(Devices devices) {
  if (devices == Devices::kEmulated) return "GPU tests skipped: --device emulated";
  const auto gpu = yolocu::cuda_runtime();
  if (!gpu.ok()) return "GPU tests skipped: " + gpu.status().message();
  return "GPU tests on " + yolocu::testing::device_text(gpu.value()->info());
}

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const Devices devices = parse_arguments(argc, argv);
  if (devices == Devices::kUnknown) {
    std::fprintf(stderr, "usage: %s [--device emulated|cuda|all] [--gtest_...]\n", argv[0]);
    return 2;
  }
  if (devices == Devices::kEmulated) exclude("cuda/*");
  if (devices == Devices::kCuda) exclude("emulated/*");
  // Not into a list of tests, which ctest reads.
  if (!GTEST_FLAG_GET(list_tests)) std::printf("%s\n", gpu_line(devices).c_str());
  return RUN_ALL_TESTS();
}

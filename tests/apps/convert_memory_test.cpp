// What a conversion of 100 MB costs, measured on the built program as a process.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "tests/apps/program.h"
#include "tests/import/torch_builder.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using namespace testing;           // NOLINT: builders of files
using namespace testing::pickled;  // NOLINT

constexpr int64_t kChannels = 512, kWeights = kChannels * kChannels * 9;

struct Precision {
  const char* storage;
  const char* dtype;  // of the output
  int64_t bytes;
  std::string one;  // an element
};

// Module attributes of a square window.
std::vector<std::pair<std::string, std::string>> window(int64_t kernel, int64_t stride) {
  const auto pair = [](int64_t v) { return tuple({integer(v), integer(v)}); };
  return {{"kernel_size", pair(kernel)},   {"stride", pair(stride)},
          {"padding", pair(kernel / 2)},   {"dilation", pair(1)},
          {"padding_mode", text("zeros")}, {"groups", integer(1)}};
}

// A checkpoint of `layers` convolutions with batch norms, each with storages of its own.
class Builder {
 public:
  explicit Builder(Precision precision) : precision_(std::move(precision)) {}

  std::vector<std::byte> build(int64_t layers) {
    std::vector<std::pair<std::string, std::string>> modules = {{"0", conv_block(3, -1)}};
    for (int64_t i = 1; i < layers; ++i) {
      modules.emplace_back(std::to_string(i), conv_block(kChannels, -1));
    }
    modules.emplace_back(std::to_string(layers), head());
    const std::string list = pickled_module({.module = "torch.nn.modules.container",
                                             .name = "Sequential",
                                             .children = std::move(modules)});
    const std::string model =
        pickled_module({.module = "models.yolo", .name = "Model", .children = {{"model", list}}});
    return torch_file(record({{"model", model}}), storages_);
  }

 private:
  std::string tensor(const std::vector<int64_t>& shape) {
    int64_t elements = 1;
    std::vector<int64_t> strides(shape.size());
    for (size_t d = shape.size(); d-- > 0; elements *= shape[d]) strides[d] = elements;
    const std::string key = std::to_string(storages_.size());
    std::string bytes;
    for (int64_t i = 0; i < elements; ++i) bytes += precision_.one;
    storages_.emplace_back(key, std::move(bytes));
    return pickled_parameter(
        pickled_tensor(pickled_storage(precision_.storage, key, elements), 0, shape, strides));
  }

  std::string conv(int64_t out, int64_t in, int64_t kernel) {
    return pickled_module({.module = "torch.nn.modules.conv",
                           .name = "Conv2d",
                           .parameters = {{"weight", tensor({out, in, kernel, kernel})}},
                           .state = window(kernel, 1)});
  }

  std::string conv_block(int64_t in, int64_t from) {
    const std::string bn = pickled_module(
        {.module = "torch.nn.modules.batchnorm",
         .name = "BatchNorm2d",
         .parameters = {{"weight", tensor({kChannels})}, {"bias", tensor({kChannels})}},
         .buffers = {{"running_mean", tensor({kChannels})}, {"running_var", tensor({kChannels})}},
         .state = {{"eps", real(1e-3)}}});
    return pickled_module({.children = {{"conv", conv(kChannels, in, 3)}, {"bn", bn}},
                           .state = {{"f", integer(from)}}});
  }

  std::string head() {
    const std::string convs = pickled_module({.module = "torch.nn.modules.container",
                                              .name = "ModuleList",
                                              .children = {{"0", conv(6, kChannels, 1)}}});
    return pickled_module({.module = "models.yolo",
                           .name = "Detect",
                           .buffers = {{"anchor_grid", tensor({1, 1, 1, 1, 1, 2})}},
                           .children = {{"m", convs}},
                           .state = {{"nc", integer(1)}, {"f", list({integer(-1)})}}});
  }

  Precision precision_;
  std::vector<std::pair<std::string, std::string>> storages_;
};

class ConvertMemory : public ::testing::TestWithParam<Precision> {};

TEST_P(ConvertMemory, StaysWithinItsBounds) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have memory of their own";
#endif
  const TempDir folder;
  const std::string checkpoint = folder.file("large.pt"), packed = folder.file("large.yolocu");
  write_bytes(checkpoint,
              Builder(GetParam()).build(100'000'000 / (kWeights * GetParam().bytes) + 2));
  malloc_trim(0);  // a child's peak begins with its parent's memory
  const auto converted =
      run_yolocu({"convert", checkpoint, "-o", packed, "--dtype", GetParam().dtype});
  ASSERT_EQ(converted.exit_code, 0) << converted.err;
  const auto larger = static_cast<int64_t>(
      std::max(std::filesystem::file_size(checkpoint), std::filesystem::file_size(packed)));
  ASSERT_GT(larger, 100'000'000);
  EXPECT_LE(converted.peak_bytes, larger * 5 / 2 + (32 << 20));
  EXPECT_LE(converted.cpu_seconds, 3.0 * static_cast<double>(larger) / 1e8);
  std::printf("%s of %.0f MB to %s: peak %.0f MB, %.2f s of processor time\n", GetParam().storage,
              static_cast<double>(larger) / 1e6, GetParam().dtype,
              static_cast<double>(converted.peak_bytes) / 1e6, converted.cpu_seconds);
}

INSTANTIATE_TEST_SUITE_P(
    Large, ConvertMemory,
    ::testing::Values(Precision{"HalfStorage", "fp16", 2, std::string("\x66\x2E", 2)},
                      Precision{"HalfStorage", "fp32", 2, std::string("\x66\x2E", 2)},
                      Precision{"FloatStorage", "fp32", 4, std::string("\xCD\xCC\xCC\x3D", 4)}),
    [](const auto& test) { return std::string(test.param.storage) + "_" + test.param.dtype; });

}  // namespace
}  // namespace yolocu

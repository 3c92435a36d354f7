// The cpu device in int8 against the reference device, on networks with every op that int8 passes
// through.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/cpu/kernels/kernel_table.h"
#include "engine/executor.h"
#include "engine/quantize/quantizer.h"
#include "tests/engine/quantize/noise_run.h"
#include "tests/engine/test_graphs.h"
#include "weights/format/quantization.h"

namespace yolocu::quantize {
namespace {

using testing::ModelBuilder;
using testing::Numbers;

const ConvOp kDown{.kernel = 3, .stride = 2, .padding = 1, .activation = Activation::kSilu};
const ConvOp kSame{.kernel = 3, .padding = 1, .activation = Activation::kSilu};

// Sums: fused into a convolution, of two others, with a concat of different scales as an operand.
std::shared_ptr<const Model> network_of_sums() {
  ModelBuilder b(Numbers::kReals, 11);
  const int x = b.conv(0, 24, kDown);
  const int y = b.conv(x, 24, kSame);
  const int fused = b.add({x, b.conv(y, 24, kSame)});
  const int two = b.concat({b.conv(fused, 12, kSame), b.slice(y, 0, 12)});
  const int inner = b.add({two, fused});
  return b.finish({b.conv(b.add({inner, y}), 21, {}), b.conv(inner, 21, {})});
}

// Pools, upsample, space to depth, groups, leaky ReLU.
std::shared_ptr<const Model> network_of_pools() {
  ModelBuilder b(Numbers::kReals, 12);
  ConvOp leaky = kSame;
  leaky.activation = Activation::kLeakyRelu;
  leaky.negative_slope = 0.1f;
  ConvOp groups = kSame;
  groups.groups = 2;
  const int x = b.conv(0, 32, kSame);
  const int mean = b.op({x}, AvgPoolOp{});
  const int halved = b.conv(mean, 32, kDown);
  const int most = b.op({halved}, MaxPoolOp{.kernel = 5, .stride = 1, .padding = 2});
  const int joined = b.concat({halved, most, b.conv(b.op({x}, SpaceToDepthOp{}), 16, leaky)});
  const int grouped = b.conv(joined, 64, groups);
  const int up = b.op({b.op({grouped}, MaxPoolOp{})}, UpsampleOp{});
  return b.finish({b.conv(b.concat({up, grouped}), 21, {})});
}

// What the kernels lack: a depthwise convolution and a stride of 4, by loops.
std::shared_ptr<const Model> network_of_loops(const ConvOp& stem) {
  ModelBuilder b(Numbers::kReals, 13);
  ConvOp depthwise = kSame;
  depthwise.groups = 24;
  const int x = b.conv(0, 24, stem);
  const int y = b.conv(b.conv(x, 24, depthwise), 24, kSame);
  return b.finish({b.conv(b.conv(y, 32, {.kernel = 4, .stride = 4}), 21, {}), b.conv(y, 21, {})});
}

// `model` with all int8 weights 127 and all biases of convolutions with int8 results so large that
// these are 127, too: the largest sums there can be.
std::shared_ptr<const Model> saturated(const Model& model) {
  auto copy = std::make_shared<Model>(model);
  auto storage = std::make_shared<std::vector<std::vector<std::byte>>>();
  const auto fill = [&](const std::string& name, std::span<const std::byte> element) {
    TensorView& tensor = copy->tensors.find(name)->second;
    std::vector<std::byte>& bytes = storage->emplace_back(tensor.data.size());
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = element[i % element.size()];
    tensor.data = bytes;
  };
  const int8_t weight = 127;
  const float bias = 1e6f;
  for (const Node& node : copy->spec.graph.nodes) {
    const auto* const conv = std::get_if<ConvOp>(&node.op);
    if (conv == nullptr) continue;
    if (!conv->accumulator_scale.empty()) {
      fill(conv->weight, std::as_bytes(std::span(&weight, 1)));
    }
    if (conv->output_scale > 0) fill(conv->bias, std::as_bytes(std::span(&bias, 1)));
  }
  copy->storage = std::make_shared<std::pair<decltype(storage), std::shared_ptr<const void>>>(
      storage, model.storage);
  return copy;
}

class CpuInt8 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!cpu::kernel_table().has_dot) GTEST_SKIP() << "this processor has no int8 dot products";
  }

  // Roundings of fp32 move what is next to a tie by a unit, and that is all.
  // `part`: of what int8 changes.
  static void expect_same(const std::shared_ptr<const Model>& model, double part = 0.1) {
    const auto quantized = quantize_model(
        model, 3, load_noise, {.keep = 0, .error_pictures = 2, .height = kSize, .width = kSize});
    ASSERT_OK(quantized);
    ASSERT_TRUE(is_quantized(quantized->model->spec.graph));
    EXPECT_GT(quantized->report.int8_flops, 0.5 * quantized->report.flops);
    const auto real = predictions(model, Device::kReference, {.batch = 2});
    const auto expected = predictions(quantized->model, Device::kReference,
                                      {.batch = 2, .precision = Precision::kInt8});
    const auto actual =
        predictions(quantized->model, Device::kCpu, {.batch = 2, .precision = Precision::kInt8});
    const double rounding = difference(*model, real, expected);
    EXPECT_GT(rounding, 0);
    EXPECT_LE(difference(*model, expected, actual), part * rounding);
  }
};

TEST_F(CpuInt8, GelanBlocks) {
  expect_same(testing::small_network());
}

TEST_F(CpuInt8, Sums) {
  expect_same(network_of_sums());
}

TEST_F(CpuInt8, PoolsAndGroups) {
  expect_same(network_of_pools());
}

TEST_F(CpuInt8, Loops) {
  expect_same(network_of_loops(kDown));
}

// Sums of 127 x 127 over 256 channels are beyond what Winograd's integers can tell apart.
TEST_F(CpuInt8, LargestSums) {
  ModelBuilder b(Numbers::kReals, 14);
  ConvOp linear = kSame;
  linear.activation = Activation::kNone;
  const auto quantized =
      quantize_model(b.finish({b.conv(b.conv(0, 256, kDown), 21, linear)}), 3, load_noise,
                     {.keep = 0, .error_pictures = 2, .height = kSize, .width = kSize});
  ASSERT_OK(quantized);
  const auto model = saturated(*quantized->model);
  const auto expected = predictions(model, Device::kReference, {.precision = Precision::kInt8});
  const auto actual = predictions(model, Device::kCpu, {.precision = Precision::kInt8});
  EXPECT_LE(difference(*model, expected, actual), 1e-5);
}

// Other stems than 3 x 3 read the picture in bf16, which is as coarse as int8.
TEST_F(CpuInt8, WideStem) {
  expect_same(network_of_loops({.kernel = 6, .stride = 2, .padding = 2}), 1.0);
}

TEST_F(CpuInt8, WhatIsNotQuantizedIsRefused) {
  const auto executor =
      create_executor(testing::small_network(), Device::kCpu,
                      {.height = kSize, .width = kSize, .precision = Precision::kInt8});
  EXPECT_EQ(executor.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(executor.status().message().find("yolocu quantize"), std::string::npos);
}

}  // namespace
}  // namespace yolocu::quantize

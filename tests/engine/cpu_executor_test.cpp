// The cpu device against the reference ops: every op, odd shapes, every way to share memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "engine/base/str_cat.h"
#include "engine/cpu/onednn.h"
#include "engine/executor.h"
#include "tests/engine/cpu_test_model.h"

namespace yolocu {
namespace {

using testing::ModelBuilder;
using testing::Numbers;

constexpr int64_t kHeight = 13;
constexpr int64_t kWidth = 9;

// |cpu - reference| <= 32 eps * bound (0 for integers) for every element of every head. Numbers
// that are mostly zero would prove nothing.
void compare(const Model& model, Numbers numbers, int64_t height, int64_t width,
             const std::string& what) {
  SCOPED_TRACE(what);
  const auto count = static_cast<size_t>(height * width * 3);
  const std::vector<float> picture = numbers == Numbers::kIntegers
                                         ? testing::random_integers(count, 3, 99)
                                         : testing::random_floats(count, 99);
  const testing::CpuRun cpu = testing::run_cpu(model, height, width, picture);
  const testing::ReferenceRun reference = testing::run_reference(model, height, width, picture);
  ASSERT_EQ(cpu.heads.size(), reference.heads.size());
  for (const std::string& implementation : cpu.implementations) {
    EXPECT_FALSE(cpu::is_reference_implementation(implementation)) << implementation;
  }
  const double scale = numbers == Numbers::kIntegers ? 0.0 : 32 * 1.2e-7;
  for (size_t head = 0; head < cpu.heads.size(); ++head) {
    const std::vector<float>& expected = reference.heads[head];
    ASSERT_EQ(cpu.heads[head].size(), expected.size());
    size_t zeros = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      if (numbers == Numbers::kIntegers) {
        ASSERT_LT(reference.bounds[head][i], 1 << 24) << "sums may round";
      }
      const double error = std::abs(double{cpu.heads[head][i]} - double{expected[i]});
      ASSERT_TRUE(error <= scale * double{reference.bounds[head][i]})
          << "head " << head << ", element " << i << ": " << cpu.heads[head][i] << ", expected "
          << expected[i];
      zeros += expected[i] == 0 ? 1 : 0;
    }
    EXPECT_LT(zeros * 4, expected.size() * 3) << "head " << head << " is mostly zeros";
  }
}

struct ConvCase {
  int64_t in, out, kernel, stride, padding, groups;
};

std::string text(const ConvCase& c) {
  return str_cat(c.in, "->", c.out, " k", c.kernel, " s", c.stride, " p", c.padding, " g",
                 c.groups);
}

// A 1x1 convolution makes c.in channels; c.in == 3 takes the picture itself.
std::shared_ptr<const Model> conv_model(const ConvCase& c, Activation activation, Numbers numbers) {
  ModelBuilder b(numbers);
  const int x = c.in == 3 ? 0 : b.conv(0, c.in, {});
  const int y = b.conv(x, c.out,
                       {.kernel = c.kernel,
                        .stride = c.stride,
                        .padding = c.padding,
                        .groups = c.groups,
                        .activation = activation,
                        .negative_slope = 0.25f});
  return b.finish({y});
}

const ConvCase kConvs[] = {
    {3, 16, 3, 1, 1, 1},   {3, 24, 3, 2, 1, 1},  {3, 255, 1, 1, 0, 1},  {3, 6, 3, 1, 1, 3},
    {1, 8, 1, 1, 0, 1},    {1, 24, 3, 1, 1, 1},  {24, 1, 3, 1, 1, 1},   {24, 24, 3, 1, 1, 1},
    {24, 85, 1, 1, 0, 1},  {85, 24, 3, 2, 1, 1}, {85, 255, 1, 1, 0, 1}, {255, 6, 1, 1, 0, 1},
    {64, 64, 3, 1, 1, 4},  {64, 64, 1, 1, 0, 4}, {24, 24, 3, 1, 1, 4},  {12, 20, 3, 1, 1, 4},
    {40, 80, 3, 1, 1, 4},  {96, 96, 3, 1, 1, 4}, {24, 24, 3, 1, 1, 24}, {32, 32, 5, 2, 2, 32},
    {16, 32, 3, 1, 1, 16}, {16, 32, 5, 1, 2, 1}, {24, 40, 7, 1, 3, 1},  {32, 16, 1, 2, 0, 1},
    {17, 33, 3, 1, 1, 1},  {10, 8, 1, 1, 0, 2},  {8, 16, 3, 4, 1, 1}};

TEST(CpuConvolution, IsExactOnIntegers) {
  for (const ConvCase& c : kConvs) {
    for (const Activation activation :
         {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu}) {
      const int64_t size = c.stride * 5;
      compare(*conv_model(c, activation, Numbers::kIntegers), Numbers::kIntegers,
              c.stride == 1 ? kHeight : size, c.stride == 1 ? kWidth : size + c.stride, text(c));
    }
  }
}

TEST(CpuConvolution, IsCloseOnRealsWithSilu) {
  for (const ConvCase& c : kConvs) {
    compare(*conv_model(c, Activation::kSilu, Numbers::kReals), Numbers::kReals, 4 * c.stride,
            11 * c.stride, text(c));
  }
}

TEST(CpuConvolution, OnePixelAndOneRow) {
  for (const ConvCase& c : kConvs) {
    if (c.stride > 1) continue;
    const auto model = conv_model(c, Activation::kNone, Numbers::kIntegers);
    compare(*model, Numbers::kIntegers, 1, 1, text(c));
    compare(*model, Numbers::kIntegers, 1, 7, text(c));
    compare(*model, Numbers::kIntegers, 6, 1, text(c));
  }
}

// oneDNN has only its reference implementation for these.
TEST(CpuConvolution, UncommonGeometryTakesTheDirectRoute) {
  for (const int64_t groups : {1, 2, 24}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = b.conv(0, 24, {});
    const int wide = b.conv(x, 24, {.kernel = 1, .padding = 1, .groups = groups});
    const int back = b.conv(wide, 8, {.kernel = 3});
    const auto model = b.finish({back});
    compare(*model, Numbers::kIntegers, 5, 4, str_cat("groups ", groups));
    const auto run = testing::run_cpu(*model, 5, 4, std::vector<float>(60));
    EXPECT_EQ(std::count(run.implementations.begin(), run.implementations.end(), "direct"), 1);
  }
}

TEST(CpuConvolution, FourByFourAfterAnotherSize) {
  ModelBuilder b(Numbers::kReals);
  const int x =
      b.conv(0, 24, {.kernel = 4, .stride = 2, .padding = 1, .activation = Activation::kSilu});
  const int y = b.conv(x, 40, {.kernel = 4, .stride = 2, .padding = 1});
  compare(*b.finish({y, x}), Numbers::kReals, 20, 12, "4x4 stride 2");
}

TEST(CpuConvolution, WithoutBias) {
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 24, {.bias = "none"});
  compare(*b.finish({b.conv(x, 17, {.kernel = 3, .padding = 1, .bias = "none"})}),
          Numbers::kIntegers, 6, 5, "no bias");
}

TEST(CpuPooling, MatchesTheReference) {
  for (const int64_t channels : {3, 24, 85}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = channels == 3 ? 0 : b.conv(0, channels, {});
    const int halved = b.op({x}, MaxPoolOp{});
    const int same = b.op({x}, MaxPoolOp{.kernel = 5, .stride = 1, .padding = 2});
    const int wide = b.op({x}, MaxPoolOp{.kernel = 13, .stride = 1, .padding = 6});
    const int mean = b.conv(b.op({x}, AvgPoolOp{}), 8, {.kernel = 2, .padding = 1});
    const int quarter = b.op({x}, AvgPoolOp{.kernel = 2, .stride = 2});
    compare(*b.finish({halved, same, wide, mean, quarter}), Numbers::kIntegers, 10, 14,
            str_cat(channels, " channels"));
  }
}

TEST(CpuPooling, WindowsLargerThanThePicture) {
  for (const int64_t kernel : {3, 5, 9, 13}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = b.conv(0, 24, {});
    const int y = b.op({x}, MaxPoolOp{.kernel = kernel, .stride = 1, .padding = kernel / 2});
    const auto model = b.finish({y});
    for (const int64_t size : {1, 2, 3}) {
      compare(*model, Numbers::kIntegers, size, 1, str_cat("kernel ", kernel, ", ", size, "x1"));
      compare(*model, Numbers::kIntegers, 1, size, str_cat("kernel ", kernel, ", 1x", size));
    }
  }
}

TEST(CpuCopies, UpsampleAndSpaceToDepth) {
  for (const int64_t channels : {3, 24, 85}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = channels == 3 ? 0 : b.conv(0, channels, {});
    const int small = b.op({x}, MaxPoolOp{});
    const int up = b.op({small}, UpsampleOp{});
    const int tiny = b.op({small}, MaxPoolOp{});
    const int up4 = b.op({tiny}, UpsampleOp{.factor = 4});
    const int depth = b.op({x}, SpaceToDepthOp{});
    const int both = b.concat({up, x, up4});
    compare(*b.finish({both, depth, b.conv(depth, 20, {.kernel = 3, .padding = 1})}),
            Numbers::kIntegers, 12, 8, str_cat(channels, " channels"));
  }
}

TEST(CpuAdd, InEveryPosition) {
  for (const int64_t channels : {24, 32, 85}) {
    for (const Activation activation : {Activation::kNone, Activation::kLeakyRelu}) {
      ModelBuilder b(Numbers::kIntegers);
      const ConvOp conv{
          .kernel = 3, .padding = 1, .activation = activation, .negative_slope = 0.5f};
      const int x = b.conv(0, channels, {});
      const int y = b.conv(x, channels, conv);
      const int fused = b.add({x, y});
      const int other_order = b.add({b.conv(fused, channels, {}), x});
      const int twice = b.add({other_order, other_order});
      const int three = b.add({x, twice, fused});
      const int used_elsewhere = b.conv(x, channels, conv);
      const int not_fused = b.add({used_elsewhere, x});
      compare(*b.finish({three, not_fused, used_elsewhere}), Numbers::kIntegers, 5, 6,
              str_cat(channels, " channels"));
    }
  }
}

// Chunks of a convolution, convolutions on a chunk, all concatenated: the block of GELAN networks.
int gelan_block(ModelBuilder& b, int x, int64_t half) {
  const int both = b.conv(x, 2 * half, {});
  const int left = b.slice(both, 0, half);
  const int right = b.slice(both, half, half);
  const int third = b.conv(right, half, {.kernel = 3, .padding = 1});
  const int fourth = b.add({third, b.conv(third, half, {})});
  return b.concat({left, right, third, fourth});
}

TEST(CpuViews, GelanBlocks) {
  for (const int64_t half : {1, 8, 16, 24, 30, 45}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = gelan_block(b, b.conv(0, 24, {}), half);
    const auto model = b.finish({x});
    compare(*model, Numbers::kIntegers, 5, 7, str_cat("half ", half));
    const auto run = testing::run_cpu(*model, 4, 4, std::vector<float>(48));
    EXPECT_EQ(std::count(run.implementations.begin(), run.implementations.end(), "copy"), 0);
  }
}

TEST(CpuViews, ConcatsAndSlicesInEveryPattern) {
  for (const int64_t n : {7, 16, 24}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = b.conv(0, n, {});
    const int y = b.conv(0, n + 9, {});
    const int z = b.conv(x, n, {.kernel = 3, .padding = 1});
    const int xy = b.concat({x, y});
    const int yx = b.concat({y, x});            // the same values again
    const int nested = b.concat({xy, z, xy});   // a concat twice, in a concat
    const int cut = b.slice(nested, 3, 2 * n);  // across an input's end
    const int cut_cut = b.slice(cut, n - 2, n);
    const int swapped = b.concat({b.slice(y, 5, n + 4), b.slice(y, 0, 5)});
    const int doubled = b.concat({x, x});
    const int picture = b.concat({0, cut_cut, 0});
    const int sum = b.add({cut_cut, x, z});
    const int pooled = b.op({nested}, MaxPoolOp{.kernel = 3, .stride = 1, .padding = 1});
    compare(*b.finish({xy, yx, nested, cut, cut_cut, swapped, doubled, picture, sum, pooled}),
            Numbers::kIntegers, 4, 5, str_cat("n ", n));
  }
}

TEST(CpuViews, DepthwiseAndGroupsOnConcats) {
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 10, {});
  const int y = b.conv(0, 22, {});
  const int both = b.concat({x, y});
  const int depthwise = b.conv(both, 32, {.kernel = 3, .padding = 1, .groups = 32});
  const int grouped = b.conv(both, 32, {.kernel = 3, .padding = 1, .groups = 2});
  const int part = b.slice(depthwise, 5, 11);
  compare(*b.finish({depthwise, grouped, part}), Numbers::kIntegers, 6, 5, "groups on views");
}

std::shared_ptr<const Model> small_network() {
  ModelBuilder b(Numbers::kReals, 5);
  const ConvOp down{.kernel = 3, .stride = 2, .padding = 1, .activation = Activation::kSilu};
  const int p1 = gelan_block(b, b.conv(0, 32, down), 24);
  const int p2 = gelan_block(b, b.conv(p1, 48, down), 24);
  const int up = b.op({p2}, UpsampleOp{});
  return b.finish({b.conv(b.concat({up, p1}), 21, {}), b.conv(p2, 21, {})});
}

std::vector<float> run_network(Device device, const ExecutorOptions& options) {
  auto executor = create_executor(small_network(), device, options);
  EXPECT_TRUE(executor.ok()) << executor.status().message();
  if (!executor.ok()) return {};
  const auto x = testing::random_floats((*executor)->input().size(), 3);
  std::copy(x.begin(), x.end(), (*executor)->input().begin());
  const Status status = (*executor)->run();
  EXPECT_TRUE(status.ok()) << status.message();
  return {(*executor)->output().begin(), (*executor)->output().end()};
}

TEST(CpuExecutor, AgreesWithTheReferenceOnBatchesAndSizes) {
  for (const ExecutorOptions& options :
       {ExecutorOptions{.batch = 1, .height = 32, .width = 48},
        ExecutorOptions{.batch = 2, .height = 20, .width = 4},
        ExecutorOptions{.batch = 3, .height = 4, .width = 64, .threads = 1}}) {
    const auto expected = run_network(Device::kReference, options);
    const auto actual = run_network(Device::kCpu, options);
    EXPECT_FALSE(expected.empty());
    EXPECT_TRUE(testing::all_close(actual, expected, 2e-4, 2e-4));
  }
}

TEST(CpuExecutor, RunsAgainWithTheSameBits) {
  auto executor =
      create_executor(small_network(), Device::kCpu, {.batch = 2, .height = 16, .width = 24});
  ASSERT_OK(executor);
  const auto x = testing::random_floats((*executor)->input().size(), 3);
  std::vector<float> outputs[2];
  for (std::vector<float>& output : outputs) {
    std::copy(x.begin(), x.end(), (*executor)->input().begin());
    ASSERT_OK((*executor)->run());
    output.assign((*executor)->output().begin(), (*executor)->output().end());
  }
  EXPECT_EQ(outputs[0], outputs[1]);
}

TEST(CpuExecutor, TwoThreadsWithAnExecutorEachGetTheSame) {
  const ExecutorOptions options{.batch = 1, .height = 32, .width = 32, .threads = 1};
  const auto expected = run_network(Device::kCpu, options);
  std::vector<float> results[2];
  std::thread other([&] { results[0] = run_network(Device::kCpu, options); });
  results[1] = run_network(Device::kCpu, options);
  other.join();
  EXPECT_EQ(results[0], expected);
  EXPECT_EQ(results[1], expected);
}

TEST(CpuExecutor, PlanNamesEveryNodeAndNoReferenceImplementation) {
  const auto model = small_network();
  auto executor = create_executor(model, Device::kCpu, {.height = 32, .width = 32});
  ASSERT_OK(executor);
  const std::vector<PlanStep> plan = (*executor)->plan();
  for (size_t i = 1; i < model->spec.graph.nodes.size(); ++i) {
    const std::string& name = model->spec.graph.nodes[i].name;
    const auto line = std::find_if(plan.begin(), plan.end(),
                                   [&](const PlanStep& step) { return step.node == name; });
    ASSERT_NE(line, plan.end()) << name;
    EXPECT_FALSE(cpu::is_reference_implementation(line->implementation)) << name;
  }
  EXPECT_GT((*executor)->arena_bytes(), 0);
}

TEST(CpuExecutor, RefusesWhatItCannotDo) {
  const auto code = [](const ExecutorOptions& options) {
    return create_executor(small_network(), Device::kCpu, options).status().code();
  };
  EXPECT_EQ(code({.batch = 0, .height = 32, .width = 32}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.height = 30, .width = 32}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.height = 32, .width = -32}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.height = 32, .width = 32, .threads = -1}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.height = 1 << 16, .width = 1 << 16}), StatusCode::kResourceExhausted);
  EXPECT_EQ(code({.height = int64_t{1} << 40, .width = 32}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.height = 32, .width = 32, .precision = Precision::kInt8}),
            StatusCode::kUnsupported);
}

TEST(CpuExecutor, RefusesAPictureThatWindowsUseUp) {
  ModelBuilder b(Numbers::kReals);
  const int shrunk = b.op({0}, AvgPoolOp{.kernel = 3, .stride = 1});
  const int back = b.conv(shrunk, 8, {.kernel = 1, .padding = 1});
  const auto model = b.finish({back});
  const auto executor = create_executor(model, Device::kCpu, {.height = 2, .width = 2});
  EXPECT_EQ(executor.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(executor.status().message().find("too small: a feature map would be empty"),
            std::string::npos);
}

// Sums of overlapping slices: every cut of one becomes a cut of all.
TEST(CpuExecutor, RefusesGraphsThatShredTheirChannels) {
  ModelBuilder b(Numbers::kReals);
  const int wide = b.conv(0, 4096, {.kernel = 1});
  std::vector<int> sums;
  for (int64_t sum = 0; sum < 8; ++sum) {
    std::vector<int> parts;
    for (int64_t i = 0; i < 50; ++i) parts.push_back(b.slice(wide, sum * 61 + i * 7, 3000));
    sums.push_back(b.add(parts));
  }
  const auto executor = create_executor(b.finish(sums), Device::kCpu, {.height = 8, .width = 8});
  EXPECT_EQ(executor.status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace yolocu

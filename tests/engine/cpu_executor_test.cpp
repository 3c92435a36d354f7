// The cpu device against the reference ops: every op, odd shapes, every way to share memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "engine/base/str_cat.h"
#include "engine/cpu/cpu_binder.h"
#include "engine/cpu/kernels/kernel_table.h"
#include "engine/executor.h"
#include "tests/engine/test_graphs.h"

namespace yolocu {
namespace {

using testing::ModelBuilder;
using testing::Numbers;
using testing::small_network;
using testing::TestGraph;

struct CpuRun {
  testing::Heads heads;
  std::vector<std::string> implementations;
};

// A head in blocks as NHWC.
std::vector<float> head_pixels(const cpu::DecodeHead& head) {
  const cpu::Tensor& map = head.blocked;
  std::vector<float> pixels(static_cast<size_t>(map.pixels() * head.channels));
  const cpu::Tensor to{reinterpret_cast<std::byte*>(pixels.data()),
                       cpu::Element::kF32,
                       head.channels,
                       head.channels,
                       map.height,
                       map.width};
  for (int64_t y = 0; y < map.height; ++y) cpu::gather_row(to, y, map, y, head.to_pixels);
  return pixels;
}

// By the cpu device, all steps but the decoding. Memory starts as NaN.
CpuRun run_cpu(const Model& model, int64_t height, int64_t width, const std::vector<float>& picture,
               cpu::ConvPolicy policy = cpu::ConvPolicy::kFastest,
               cpu::Element element = cpu::Element::kF32) {
  CpuRun result;
  const auto shapes = infer_shapes(model.spec.graph);
  if (!shapes.ok()) {
    ADD_FAILURE() << shapes.status().message();
    return result;
  }
  const auto planned = cpu::make_cpu_plan(model.spec.graph, *shapes, height, width,
                                          cpu::kernel_table().lanes, element);
  if (!planned.ok()) {
    ADD_FAILURE() << planned.status().message();
    return result;
  }
  const cpu::CpuPlan& plan = *planned;
  cpu::Team team(2);
  auto bound = cpu::bind_plan(plan, model, team, 0, policy);
  if (!bound.ok()) {
    ADD_FAILURE() << bound.status().message();
    return result;
  }
  // What a step does not write must not matter.
  for (float& value : bound->arena.floats()) value = std::nanf("");
  for (float& value : bound->scratch.floats()) value = std::nanf("");
  std::vector<float> pixels = picture;
  for (size_t i = 0; i + 1 < bound->work.size(); ++i) {
    cpu::execute(bound->work[i], {.picture = pixels.data(),
                                  .output = {},
                                  .team = &team,
                                  .scratch = bound->scratch.data(),
                                  .scratch_bytes = bound->scratch_bytes});
  }
  for (cpu::Work& work : bound->work) {
    result.implementations.push_back(cpu::implementation_name(work));
  }
  for (const cpu::DecodeHead& head : std::get<cpu::DecodeWork>(bound->work.back()).task.heads) {
    result.heads.push_back(head_pixels(head));
  }
  return result;
}

// |cpu - reference| <= 320 eps * bound (0 for integers) for every element of every head. Numbers
// that are mostly zero would prove nothing.
void compare(const Model& model, Numbers numbers, int64_t height, int64_t width,
             const std::string& what) {
  SCOPED_TRACE(what);
  const auto count = static_cast<size_t>(height * width * 3);
  const std::vector<float> picture = numbers == Numbers::kIntegers
                                         ? testing::random_integers(count, 3, 99)
                                         : testing::random_floats(count, 99);
  const bool is_exact = numbers == Numbers::kIntegers;
  const CpuRun cpu = run_cpu(model, height, width, picture,
                             is_exact ? cpu::ConvPolicy::kByDefinition : cpu::ConvPolicy::kFastest);
  const testing::ReferenceRun reference = testing::run_reference(model, height, width, picture);
  ASSERT_EQ(cpu.heads.size(), reference.heads.size());
  // Winograd's own error is some 10 times that of a sum.
  const double scale = is_exact ? 0.0 : 320 * 1.2e-7;
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

// In bf16, every value that a step stores is rounded to 8 bits: |cpu - reference| <= 8 x 2^-8 of
// the bound, for graphs of at most eight steps behind each other.
void compare_bf16(const TestGraph& g) {
  SCOPED_TRACE(g.name + " in bf16");
  const std::vector<float> picture =
      testing::random_integers(static_cast<size_t>(g.height * g.width * 3), 3, 99);
  const CpuRun cpu = run_cpu(*g.model, g.height, g.width, picture, cpu::ConvPolicy::kByDefinition,
                             cpu::Element::kBf16);
  const testing::ReferenceRun reference =
      testing::run_reference(*g.model, g.height, g.width, picture);
  ASSERT_EQ(cpu.heads.size(), reference.heads.size());
  for (size_t head = 0; head < cpu.heads.size(); ++head) {
    ASSERT_EQ(cpu.heads[head].size(), reference.heads[head].size());
    for (size_t i = 0; i < cpu.heads[head].size(); ++i) {
      const double error = std::abs(double{cpu.heads[head][i]} - double{reference.heads[head][i]});
      ASSERT_TRUE(error <= 8.0 / 256 * double{reference.bounds[head][i]})
          << "head " << head << ", element " << i << ": " << cpu.heads[head][i] << ", expected "
          << reference.heads[head][i];
    }
  }
}

void compare_all(const std::vector<TestGraph>& graphs, Numbers numbers = Numbers::kIntegers) {
  for (const TestGraph& g : graphs) {
    compare(*g.model, numbers, g.height, g.width, g.name);
    if (cpu::kernel_table().has_dot) compare_bf16(g);
  }
}

TEST(CpuDevice, ConvolutionsAreExactOnIntegers) {
  compare_all(testing::convolution_graphs(Numbers::kIntegers));
  compare_all(testing::tiny_convolution_graphs());
}

TEST(CpuDevice, ConvolutionsAreCloseOnRealsWithSilu) {
  compare_all(testing::convolution_graphs(Numbers::kReals), Numbers::kReals);
}

TEST(CpuDevice, UncommonGeometryIsExact) {
  compare_all(testing::uncommon_convolution_graphs());
}

// Strides above 2, windows above 64 taps and depthwise ones.
TEST(CpuDevice, WhatTheKernelsLackIsComputedByLoops) {
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 24, {.kernel = 3, .stride = 3});
  const int wide = b.conv(x, 24, {.kernel = 9, .padding = 4});
  const int depthwise = b.conv(wide, 24, {.kernel = 3, .padding = 1, .groups = 24});
  const auto model = b.finish({depthwise, x});
  compare(*model, Numbers::kIntegers, 15, 12, "loops");
  const CpuRun run = run_cpu(*model, 15, 12, std::vector<float>(15 * 12 * 3));
  EXPECT_EQ(std::count(run.implementations.begin(), run.implementations.end(), "plain"), 2);
  EXPECT_EQ(std::count(run.implementations.begin(), run.implementations.end(), "depthwise"), 1);
}

TEST(CpuDevice, PoolsMatchTheReference) {
  compare_all(testing::pooling_graphs());
}

TEST(CpuDevice, ResizesMatchTheReference) {
  compare_all(testing::resize_graphs());
}

TEST(CpuDevice, SumsMatchTheReference) {
  compare_all(testing::sum_graphs());
}

TEST(CpuDevice, GelanBlocksNeedNoCopy) {
  for (const TestGraph& g : testing::gelan_graphs()) {
    compare(*g.model, Numbers::kIntegers, g.height, g.width, g.name);
    const CpuRun run = run_cpu(*g.model, 4, 4, std::vector<float>(48));
    EXPECT_EQ(std::count(run.implementations.begin(), run.implementations.end(), "copy"), 0);
  }
}

TEST(CpuDevice, ViewsMatchTheReference) {
  compare_all(testing::view_graphs());
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

TEST(CpuExecutor, PlanNamesEveryNodeAndNoLoops) {
  const auto model = small_network();
  auto executor = create_executor(model, Device::kCpu, {.height = 32, .width = 32});
  ASSERT_OK(executor);
  const std::vector<PlanStep> plan = (*executor)->plan();
  for (size_t i = 1; i < model->spec.graph.nodes.size(); ++i) {
    const std::string& name = model->spec.graph.nodes[i].name;
    const auto line = std::find_if(plan.begin(), plan.end(),
                                   [&](const PlanStep& step) { return step.node == name; });
    ASSERT_NE(line, plan.end()) << name;
    EXPECT_NE(line->implementation, "plain") << name;
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
  EXPECT_EQ(code({.height = 32, .width = 32, .precision = Precision::kFp16}),
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

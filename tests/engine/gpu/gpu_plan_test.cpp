// What a plan launches, and what it does not.
#include "engine/gpu/gpu_plan.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/gpu/plan_report.h"
#include "tests/engine/test_graphs.h"

namespace yolocu {
namespace {

using gpu::GpuPlan;
using testing::ModelBuilder;
using testing::Numbers;

GpuPlan plan_of(const Model& model, int64_t height, int64_t width) {
  auto plan = gpu::make_gpu_plan(model.spec, {.height = height, .width = width});
  EXPECT_TRUE(plan.ok()) << plan.status().message();
  return plan.ok() ? *std::move(plan) : GpuPlan{};
}

template <typename Step>
int count(const GpuPlan& plan) {
  int number = 0;
  for (const gpu::Step& step : plan.steps) number += std::holds_alternative<Step>(step.work);
  return number;
}

TEST(GpuPlan, ResidualSumsAreTheConvolutions) {
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 16, {});
  const int sum = b.add({x, b.conv(x, 16, {})});
  const GpuPlan plan = plan_of(*b.finish({sum}), 4, 4);
  EXPECT_EQ(count<gpu::ConvStep>(plan), 2);
  EXPECT_EQ(count<gpu::ResizeSumStep>(plan), 0);
}

TEST(GpuPlan, ConcatsSlicesAndUpsamplesAreStores) {
  ModelBuilder b(Numbers::kIntegers);
  const int x = testing::gelan_block(b, b.conv(0, 16, {}), 24);
  const int small = b.conv(x, 32, {.kernel = 3, .stride = 2, .padding = 1});
  const int up = b.op({small}, UpsampleOp{});
  const int joined = b.conv(b.concat({up, x}), 16, {});
  const GpuPlan plan = plan_of(*b.finish({joined, small}), 8, 8);
  EXPECT_EQ(count<gpu::CopyStep>(plan), 0);
  EXPECT_EQ(count<gpu::ResizeSumStep>(plan), 0);
}

// The second concat of a value is its convolution's second store; a third one is a copy.
TEST(GpuPlan, ValuesInSeveralConcats) {
  for (const int concats : {1, 2, 3}) {
    ModelBuilder b(Numbers::kIntegers);
    const int x = b.conv(0, 16, {});
    std::vector<int> heads;
    for (int i = 0; i < concats; ++i) heads.push_back(b.concat({b.conv(0, 8, {}), x}));
    const GpuPlan plan = plan_of(*b.finish(heads), 4, 4);
    EXPECT_EQ(count<gpu::CopyStep>(plan), concats == 3 ? 1 : 0) << concats;
  }
}

TEST(GpuPlan, MapsOfOneSumAreReadAtTheirOwnSize) {
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 16, {});
  const int half = b.op({x}, MaxPoolOp{}), quarter = b.op({half}, MaxPoolOp{});
  const int sum = b.add({b.op({half}, UpsampleOp{}), b.op({quarter}, UpsampleOp{.factor = 4}), x});
  const GpuPlan plan = plan_of(*b.finish({sum}), 8, 8);
  EXPECT_EQ(count<gpu::ResizeSumStep>(plan), 1);
}

TEST(GpuPlan, RefusesMoreLevelsThanTheKernelsDecode) {
  ModelBuilder b(Numbers::kIntegers);
  const int x = b.conv(0, 8, {});
  const auto model = b.finish({x, x, x, x, x});
  const auto plan = gpu::make_gpu_plan(model->spec, {.height = 4, .width = 4});
  testing::expect_refused(plan.status(), StatusCode::kUnsupported, "at most 4 levels, got 5");
}

TEST(GpuPlan, RefusesMapsBeyondTheReachOfTheKernels) {
  ModelBuilder b(Numbers::kIntegers);
  const auto model = b.finish({b.conv(0, 64, {})});
  const auto plan = gpu::make_gpu_plan(model->spec, {.height = 8192, .width = 8192});
  EXPECT_EQ(plan.status().code(), StatusCode::kUnsupported) << plan.status().message();
}

// Buffers that are alive together do not overlap, and nothing lies beyond the arena.
TEST(GpuPlan, LifetimesAreKept) {
  const GpuPlan plan = plan_of(*testing::small_network(), 64, 96);
  ASSERT_GT(plan.buffers.size(), 4u);
  for (size_t a = 0; a < plan.buffers.size(); ++a) {
    const BufferRequest& x = plan.buffers[a];
    EXPECT_LE(plan.arena.offsets[a] + x.size_bytes, plan.arena.size_bytes);
    EXPECT_EQ(plan.arena.offsets[a] % gpu::kBufferAlignment, 0);
    for (size_t b = a + 1; b < plan.buffers.size(); ++b) {
      const BufferRequest& y = plan.buffers[b];
      if (x.last < y.first || y.last < x.first) continue;
      EXPECT_TRUE(plan.arena.offsets[a] + x.size_bytes <= plan.arena.offsets[b] ||
                  plan.arena.offsets[b] + y.size_bytes <= plan.arena.offsets[a])
          << a << " and " << b;
    }
  }
}

// Other buffers that share bytes of the arena with the network's input.
int buffers_over_the_input(InputLifetime input) {
  const auto made = gpu::make_gpu_plan(testing::small_network()->spec,
                                       {.height = 64, .width = 96, .input = input});
  if (!made.ok()) return -1;
  const GpuPlan& plan = *made;
  const auto self = static_cast<size_t>(plan.input);
  const int64_t begin = plan.arena.offsets[self];
  const int64_t end = begin + plan.buffers[self].size_bytes;
  int number = 0;
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const int64_t offset = plan.arena.offsets[i];
    number += i != self && offset < end && begin < offset + plan.buffers[i].size_bytes;
  }
  return number;
}

TEST(GpuPlan, NothingOverwritesAnInputThatIsKept) {
  EXPECT_GT(buffers_over_the_input(InputLifetime::kUntilRead), 0);
  EXPECT_EQ(buffers_over_the_input(InputLifetime::kKept), 0);
}

TEST(GpuPlanReport, NamesEveryNodeAndLaunch) {
  const auto model = testing::small_network();
  const GpuPlan plan = plan_of(*model, 32, 32);
  std::map<std::string, int> lines;
  double flops = 0;
  for (const PlanStep& step : gpu::describe_steps(plan)) {
    ++lines[step.node];
    flops += step.flops;
    EXPECT_EQ(step.launches == 1, !step.grid.empty()) << step.node;
  }
  const auto shapes = infer_shapes(model->spec.graph);
  ASSERT_OK(shapes);
  EXPECT_DOUBLE_EQ(flops, conv_flops(model->spec.graph, *shapes, 32, 32));
  for (size_t i = 1; i < model->spec.graph.nodes.size(); ++i) {
    EXPECT_EQ(lines.count(model->spec.graph.nodes[i].name), 1u);
  }
}

}  // namespace
}  // namespace yolocu

// What a plan launches, and what it does not.
#include "engine/gpu/gpu_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
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

// The buffers that a step touches, as its launch does.
struct Touched {
  std::vector<int> operator()(const gpu::LetterboxStep& s) const { return {s.y}; }
  std::vector<int> operator()(const gpu::ConvStep& s) const {
    return {s.y, s.x, s.residual, s.second};
  }
  std::vector<int> operator()(const gpu::PoolStep& s) const { return {s.y, s.x}; }
  std::vector<int> operator()(const gpu::ResizeSumStep& s) const {
    std::vector<int> all(s.inputs.begin(), s.inputs.begin() + s.problem.count);
    all.push_back(s.y);
    return all;
  }
  std::vector<int> operator()(const gpu::SpaceToDepthStep& s) const { return {s.y, s.x}; }
  std::vector<int> operator()(const gpu::CopyStep& s) const { return {s.y, s.x}; }
  std::vector<int> heads(const DecodeProblem& problem, const gpu::HeadBuffers& buffers) const {
    std::vector<int> all;
    for (size_t i = 0; i < static_cast<size_t>(problem.level_count); ++i) {
      all.push_back(buffers.boxes[i]);
      if (problem.head == DecodeHead::kDfl) all.push_back(buffers.classes[i]);
    }
    return all;
  }
  std::vector<int> operator()(const gpu::PredictionStep& s) const {
    std::vector<int> all = heads(s.problem, s.heads);
    all.push_back(s.predictions);
    return all;
  }
  std::vector<int> operator()(const gpu::CandidateStep& s) const {
    std::vector<int> all = heads(s.problem, s.heads);
    all.insert(all.end(), {s.lists.boxes, s.lists.keys, s.lists.counts});
    return all;
  }
  std::vector<int> operator()(const gpu::NmsStep& s) const {
    return {s.lists.boxes, s.lists.keys, s.lists.counts, s.workspace};
  }
};

struct Lifetime {
  int first = INT32_MAX, last = -1;
};

// From the steps themselves. The network's input is there from the beginning.
std::vector<Lifetime> lifetimes(const GpuPlan& plan) {
  std::vector<Lifetime> lives(plan.buffers.size());
  lives[static_cast<size_t>(plan.input)].first = 0;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (const int buffer : std::visit(Touched(), plan.steps[i].work)) {
      if (buffer == gpu::kNoBuffer) continue;
      Lifetime& life = lives[static_cast<size_t>(buffer)];
      life.first = std::min(life.first, static_cast<int>(i));
      life.last = std::max(life.last, static_cast<int>(i));
    }
  }
  return lives;
}

// Buffers that steps need at the same time do not overlap, and nothing lies beyond the arena.
void expect_no_overlap(const GpuPlan& plan) {
  const std::vector<Lifetime> lives = lifetimes(plan);
  const std::vector<int64_t>& offsets = plan.arena.offsets;
  for (size_t a = 0; a < lives.size(); ++a) {
    const int64_t end = offsets[a] + plan.buffers[a].size_bytes;
    EXPECT_LE(end, plan.arena.size_bytes);
    EXPECT_EQ(offsets[a] % gpu::kBufferAlignment, 0);
    for (size_t b = a + 1; b < lives.size(); ++b) {
      if (lives[a].last < lives[b].first || lives[b].last < lives[a].first) continue;
      EXPECT_TRUE(end <= offsets[b] || offsets[b] + plan.buffers[b].size_bytes <= offsets[a])
          << a << " and " << b;
    }
  }
}

TEST(GpuPlan, BuffersInUseDoNotOverlap) {
  expect_no_overlap(plan_of(*testing::small_network(), 64, 96));
  for (const auto& graphs : {testing::view_graphs(), testing::sum_graphs(),
                             testing::resize_graphs(), testing::pooling_graphs()}) {
    for (const testing::TestGraph& g : graphs) {
      SCOPED_TRACE(g.name);
      expect_no_overlap(plan_of(*g.model, g.height, g.width));
    }
  }
  auto detecting =
      gpu::make_gpu_plan(testing::small_network()->spec,
                         {.height = 64, .width = 96, .detections = gpu::DetectionRule()});
  ASSERT_OK(detecting);
  expect_no_overlap(*detecting);
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

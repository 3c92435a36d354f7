// The plan and executor of the GPU devices against the reference ops: every op, odd shapes, every
// way to share memory and launches. fp32, where integers are exact, shows that the plan is right;
// fp16 and bf16 differ from it in variants only.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/executor.h"
#include "tests/engine/gpu/gpu_run.h"
#include "tests/engine/test_graphs.h"

namespace yolocu {
namespace {

using testing::Heads;
using testing::Numbers;
using testing::TestGraph;

// What one rounding of the type does.
double epsilon(DType dtype) {
  if (dtype == DType::kF16) return std::ldexp(1.0, -11);
  return std::ldexp(1.0, dtype == DType::kBF16 ? -8 : -24);
}

// Two convolutions on the way to a head, each rounding input, weights and result, and fast_exp:
// 16 roundings relative to sum |x| |w| are ample. kIntegers in fp32: none.
void compare(const TestGraph& g, DType dtype, Numbers numbers) {
  SCOPED_TRACE(g.name);
  const auto count = static_cast<size_t>(g.height * g.width * 3);
  const std::vector<float> picture = numbers == Numbers::kIntegers
                                         ? testing::random_integers(count, 3, 99)
                                         : testing::random_floats(count, 99);
  const Heads actual = testing::run_gpu(g.model, dtype, g.height, g.width, picture);
  const auto reference = testing::run_reference(*g.model, g.height, g.width, picture);
  const bool is_exact = numbers == Numbers::kIntegers && dtype == DType::kF32;
  const double scale = is_exact ? 0.0 : 16 * epsilon(dtype);
  ASSERT_EQ(actual.size(), reference.heads.size());
  for (size_t head = 0; head < actual.size(); ++head) {
    const std::vector<float>& expected = reference.heads[head];
    ASSERT_EQ(actual[head].size(), expected.size());
    size_t zeros = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const double bound = reference.bounds[head][i];
      if (is_exact) {
        ASSERT_LT(bound, 1 << 24) << "sums may round";
      }
      const double error = std::abs(double{actual[head][i]} - double{expected[i]});
      ASSERT_TRUE(error <= scale * bound) << "head " << head << ", element " << i << ": "
                                          << actual[head][i] << ", expected " << expected[i];
      zeros += expected[i] == 0 ? 1 : 0;
    }
    EXPECT_LT(zeros * 4, expected.size() * 3) << "head " << head << " is mostly zeros";
  }
}

struct GraphFamily {
  std::string_view name;
  std::vector<TestGraph> (*graphs)();
};

class GpuDevice : public ::testing::TestWithParam<GraphFamily> {};

TEST_P(GpuDevice, IsExactOnIntegers) {
  for (const TestGraph& g : GetParam().graphs()) compare(g, DType::kF32, Numbers::kIntegers);
}

const GraphFamily kFamilies[] = {
    {"Convolutions", [] { return testing::convolution_graphs(Numbers::kIntegers); }},
    {"TinyConvolutions", testing::tiny_convolution_graphs},
    {"UncommonConvolutions", testing::uncommon_convolution_graphs},
    {"Pools", testing::pooling_graphs},
    {"Resizes", testing::resize_graphs},
    {"Sums", testing::sum_graphs},
    {"GelanBlocks", testing::gelan_graphs},
    {"Views", testing::view_graphs}};

INSTANTIATE_TEST_SUITE_P(Reference, GpuDevice, ::testing::ValuesIn(kFamilies),
                         [](const auto& test) { return std::string(test.param.name); });

class GpuPrecision : public ::testing::TestWithParam<DType> {};

TEST_P(GpuPrecision, IsCloseOnRealsWithSilu) {
  for (const TestGraph& g : testing::convolution_graphs(Numbers::kReals)) {
    compare(g, GetParam(), Numbers::kReals);
  }
}

TEST_P(GpuPrecision, IsCloseOnNetworks) {
  compare({"small network", testing::small_network(), 20, 28}, GetParam(), Numbers::kReals);
}

INSTANTIATE_TEST_SUITE_P(Types, GpuPrecision,
                         ::testing::Values(DType::kF16, DType::kBF16, DType::kF32),
                         [](const auto& test) { return std::string(dtype_name(test.param)); });

// Every order of launches, blocks and lanes that the plan leaves open gives the same bits.
TEST(GpuOrder, SeedsChangeNothing) {
  const auto model = testing::small_network();
  const auto picture = testing::random_floats(20 * 28 * 3, 99);
  const Heads first = testing::run_gpu(model, DType::kF16, 20, 28, picture);
  ASSERT_FALSE(first.empty());
  for (uint64_t seed = 2; seed <= 6; ++seed) {
    EXPECT_EQ(testing::run_gpu(model, DType::kF16, 20, 28, picture, {.seed = seed}), first) << seed;
  }
}

// Small and large cards get other tiles and splits, and are as close to the reference.
TEST(GpuPlans, OtherCards) {
  const TestGraph g{"small network", testing::small_network(), 20, 28};
  const auto picture = testing::random_floats(20 * 28 * 3, 99);
  const auto reference = testing::run_reference(*g.model, g.height, g.width, picture);
  for (const int64_t multiprocessors : {1, 16, 108, 170}) {
    const Heads heads = testing::run_gpu(g.model, DType::kF16, g.height, g.width, picture,
                                         {.multiprocessors = multiprocessors});
    ASSERT_EQ(heads.size(), reference.heads.size());
    for (size_t head = 0; head < heads.size(); ++head) {
      for (size_t i = 0; i < heads[head].size(); ++i) {
        const double error = std::abs(double{heads[head][i]} - double{reference.heads[head][i]});
        ASSERT_LE(error, 16 * epsilon(DType::kF16) * reference.bounds[head][i]);
      }
    }
  }
}

// Deep maps of few pixels, whose sums are split over blocks: the tickets of one launch are the
// start of the next.
TEST(GpuPlans, SplitSumsRepeat) {
  testing::ModelBuilder b(Numbers::kReals, 3);
  const int x = b.conv(0, 256, {.kernel = 3, .padding = 1});
  const auto model = b.finish({b.conv(x, 64, {.kernel = 3, .padding = 1})});
  const auto plan = gpu::make_gpu_plan(model->spec, {.height = 6, .width = 6});
  ASSERT_OK(plan);
  EXPECT_GT(plan->workspace_bytes, 0) << "no sum is split";
  compare({"split sums", model, 6, 6}, DType::kF16, Numbers::kReals);
}

// Through the executor, two pictures at a time. Predictions of integers are as exact as sigmoids.
TEST_P(GpuDevice, ExecutorsAgreeOnBatches) {
  for (const TestGraph& g : GetParam().graphs()) {
    SCOPED_TRACE(g.name);
    std::vector<float> outputs[2];
    const Device devices[] = {Device::kReference, testing::tested_device()};
    for (size_t i = 0; i < 2; ++i) {
      auto executor = create_executor(
          g.model, devices[i],
          {.batch = 2, .height = g.height, .width = g.width, .precision = Precision::kFp32});
      ASSERT_OK(executor);
      const auto x = testing::random_integers((*executor)->input().size(), 3, 7);
      std::copy(x.begin(), x.end(), (*executor)->input().begin());
      ASSERT_OK((*executor)->run());
      outputs[i].assign((*executor)->output().begin(), (*executor)->output().end());
    }
    EXPECT_TRUE(testing::all_close(outputs[1], outputs[0], 1e-4, 1e-5));
  }
}

}  // namespace
}  // namespace yolocu

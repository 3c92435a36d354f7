// Every variant of the pools on every device, against the oracle. Whole buffers are compared.
#include <gtest/gtest.h>

#include "kernels/emulation/runtime.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/pool.h"

namespace yolocu {
namespace {

using testing::TypedView;
using testing::WildNumbers;

class PoolKernel : public testing::KernelTest<PoolVariant> {
 protected:
  // y of the whole buffer; `expected` is what it began as, and then what the oracle makes of it.
  void expect_equal(const PoolProblem& problem, TypedView& expected, const TypedView& x) {
    const DeviceMemory out = to_device(expected.bytes(), "y"), in = to_device(x.bytes(), "x");
    ASSERT_OK(kernels().pool(out.data(), in.data(), problem, test_case(), stream()));
    testing::reference_pool(expected, x, problem);
    EXPECT_TRUE(expected.equals(to_host(out))) << testing::describe(problem);
  }

  template <typename Next>
  void run(const PoolProblem& problem, Next next) {
    const int64_t out_pixels = problem.batch * problem.out_height() * problem.out_width();
    TypedView y(problem.dtype, out_pixels, problem.y, problem.channels, 1);
    TypedView x(problem.dtype, problem.batch * problem.height * problem.width, problem.x,
                problem.channels, 2);
    x.fill(next);
    expect_equal(problem, y, x);
  }
};

TEST_P(PoolKernel, EqualsTheOracle) {
  int problems = 0;
  for (const PoolProblem& problem : testing::pool_problems(test_case().kind, test_case().dtype)) {
    if (!can_implement(test_case(), problem).ok()) continue;
    ++problems;
    run(problem, WildNumbers(static_cast<uint32_t>(problems)));
  }
  EXPECT_GE(problems, 15) << "the problems must exercise every variant";
}

// Where all of a window is smaller than what padding might be taken for.
TEST_P(PoolKernel, PaddingNeverContributes) {
  for (PoolProblem problem : testing::pool_problems(test_case().kind, test_case().dtype)) {
    if (problem.padding == 0 || !can_implement(test_case(), problem).ok()) continue;
    run(problem, [] { return -INFINITY; });
    run(problem, [] { return -3.0; });
  }
}

TEST_P(PoolKernel, RefusesMisalignedPointers) {
  PoolProblem problem = testing::pool_problems(test_case().kind, test_case().dtype).back();
  problem.x = problem.y = {96, 0};
  alignas(16) uint8_t memory[64];
  testing::expect_refused(kernels().pool(memory + 1, memory, problem, test_case(), stream()),
                          StatusCode::kInvalidArgument, "pool y");
  testing::expect_refused(kernels().pool(memory, nullptr, problem, test_case(), stream()),
                          StatusCode::kInvalidArgument, "pool x");
}

std::string_view name_of(const PoolVariant& variant) {
  return variant.name;
}

YOLOCU_INSTANTIATE_ON_DEVICES(PoolKernel,
                              ::testing::ValuesIn(pool_variants().begin(), pool_variants().end()),
                              name_of);

}  // namespace
}  // namespace yolocu

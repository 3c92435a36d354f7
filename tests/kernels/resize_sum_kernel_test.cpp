// Every variant of resize_sum on every device, against the oracle. Whole buffers are compared.
#include <gtest/gtest.h>

#include "kernels/emulation/runtime.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/resize_sum.h"

namespace yolocu {
namespace {

using testing::ResizeExtent;
using testing::TypedView;

class ResizeSumKernel : public testing::KernelTest<ResizeSumVariant> {
 protected:
  // Input i is filled by numbers(i).
  template <typename Numbers>
  void run(const ResizeSumProblem& problem, Numbers numbers) {
    const int64_t pixels = problem.batch * problem.out_height * problem.out_width;
    TypedView y(problem.dtype, pixels, problem.y, problem.channels, 1);
    const DeviceMemory out = to_device(y.bytes(), "y");
    ResizeSumTensors tensors = {.y = out.data()};
    std::vector<TypedView> inputs;
    std::vector<DeviceMemory> memory;
    for (size_t i = 0; i < static_cast<size_t>(problem.count); ++i) {
      const auto& [height, width, view] = problem.inputs[i];
      inputs.emplace_back(problem.dtype, problem.batch * height * width, view, problem.channels, 2);
      inputs.back().fill(numbers(i));
      memory.push_back(to_device(inputs.back().bytes(), "input"));
      tensors.inputs[i] = memory.back().data();
    }
    ASSERT_OK(kernels().resize_sum(tensors, problem, test_case(), stream()));
    testing::reference_resize_sum(y, inputs, problem);
    EXPECT_TRUE(y.equals(to_host(out))) << testing::describe(problem);
  }
};

// Of many magnitudes, so that sums are rounded.
struct Fractions {
  std::mt19937 random;
  double operator()() {
    return std::ldexp(static_cast<double>(random() % 4097) - 2048,
                      static_cast<int>(random() % 24) - 17);
  }
};

TEST_P(ResizeSumKernel, EqualsTheOracle) {
  uint32_t problems = 0;
  for (const ResizeSumProblem& problem : testing::resize_sum_problems(test_case().dtype)) {
    if (!can_implement(test_case(), problem).ok()) continue;
    ++problems;
    const auto seed = [&](size_t i) { return problems * 10 + static_cast<uint32_t>(i); };
    run(problem, [&](size_t i) { return testing::WildNumbers(seed(i)); });
    run(problem, [&](size_t i) { return Fractions{std::mt19937(seed(i))}; });
  }
  EXPECT_GE(problems, 9u) << "the problems must exercise every variant";
}

// Large + 1 + 1 is Large, rounded to 16 bits twice, but Large + 2, rounded once.
TEST_P(ResizeSumKernel, RoundsOnceAndKeepsTheSignOfZero) {
  const double large = test_case().dtype == DType::kF16 ? 2048 : 256;
  const std::vector<ResizeExtent> same(3, {2, 2});
  run(testing::resize_sum_problem(test_case().dtype, 1, {2, 2}, same, 9, 8),
      [&](size_t i) { return [=] { return i == 0 ? large : 1.0; }; });
  run(testing::resize_sum_problem(test_case().dtype, 1, {2, 2}, {{1, 1}}, 9, 8),
      [](size_t) { return [] { return -0.0; }; });
}

TEST_P(ResizeSumKernel, AnInputMayBeTheOutput) {
  ResizeSumProblem problem =
      testing::resize_sum_problem(test_case().dtype, 2, {4, 6}, {{2, 3}, {4, 6}}, 19, 8);
  problem.inputs[1].view = problem.y;
  TypedView y(problem.dtype, 48, problem.y, 19, 1),
      x(problem.dtype, 12, problem.inputs[0].view, 19, 2);
  y.fill(testing::WildNumbers(3));
  x.fill(testing::WildNumbers(4));
  const DeviceMemory out = to_device(y.bytes(), "y"), in = to_device(x.bytes(), "x");
  ASSERT_OK(kernels().resize_sum({.y = out.data(), .inputs = {in.data(), out.data()}}, problem,
                                 test_case(), stream()));
  const TypedView before = y;
  testing::reference_resize_sum(y, {x, before}, problem);
  EXPECT_TRUE(y.equals(to_host(out)));
}

TEST_P(ResizeSumKernel, RefusesMisalignedPointers) {
  ResizeSumProblem problem =
      testing::resize_sum_problem(test_case().dtype, 1, {1, 1}, {{1, 1}, {1, 1}}, 8, 8);
  alignas(16) uint8_t memory[64];
  const auto refused = [&](const ResizeSumTensors& tensors, const std::string& fragment) {
    testing::expect_refused(kernels().resize_sum(tensors, problem, test_case(), stream()),
                            StatusCode::kInvalidArgument, fragment);
  };
  refused({.y = memory + 1, .inputs = {memory, memory}}, "resize_sum y");
  refused({.y = memory, .inputs = {memory, nullptr}}, "resize_sum input 1");
}

std::string_view name_of(const ResizeSumVariant& variant) {
  return variant.name;
}

YOLOCU_INSTANTIATE_ON_DEVICES(ResizeSumKernel,
                              ::testing::ValuesIn(resize_sum_variants().begin(),
                                                  resize_sum_variants().end()),
                              name_of);

}  // namespace
}  // namespace yolocu

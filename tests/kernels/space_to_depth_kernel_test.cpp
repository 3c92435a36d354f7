// Every variant of space_to_depth on every device, against the oracle. Whole buffers are compared.
#include <gtest/gtest.h>

#include "kernels/emulation/runtime.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/space_to_depth.h"

namespace yolocu {
namespace {

using testing::TypedView;

class SpaceToDepthKernel : public testing::KernelTest<SpaceToDepthVariant> {};

TEST_P(SpaceToDepthKernel, EqualsTheOracle) {
  uint32_t problems = 0;
  for (const SpaceToDepthProblem& p : testing::space_to_depth_problems(test_case().dtype)) {
    if (!can_implement(test_case(), p).ok()) continue;
    ++problems;
    const int64_t pixels = p.batch * p.height * p.width;
    TypedView y(p.dtype, pixels / 4, p.y, 4 * p.channels + p.padding, 1);
    TypedView x(p.dtype, pixels, p.x, p.channels, 2);
    x.fill(testing::WildNumbers(problems));
    const DeviceMemory out = to_device(y.bytes(), "y"), in = to_device(x.bytes(), "x");
    ASSERT_OK(kernels().space_to_depth(out.data(), in.data(), p, test_case(), stream()));
    testing::reference_space_to_depth(y, x, p);
    EXPECT_TRUE(y.equals(to_host(out))) << testing::describe(p);
  }
  EXPECT_GE(problems, 8u) << "the problems must exercise every variant";
}

TEST_P(SpaceToDepthKernel, RefusesMisalignedPointers) {
  const SpaceToDepthProblem problem = {.dtype = test_case().dtype,
                                       .height = 2,
                                       .width = 2,
                                       .channels = 8,
                                       .x = {8, 0},
                                       .y = {32, 0}};
  alignas(16) uint8_t memory[128];
  const auto& table = kernels();
  testing::expect_refused(table.space_to_depth(memory + 1, memory, problem, test_case(), stream()),
                          StatusCode::kInvalidArgument, "space_to_depth y");
  testing::expect_refused(table.space_to_depth(memory, nullptr, problem, test_case(), stream()),
                          StatusCode::kInvalidArgument, "space_to_depth x");
}

std::string_view name_of(const SpaceToDepthVariant& variant) {
  return variant.name;
}

YOLOCU_INSTANTIATE_ON_DEVICES(SpaceToDepthKernel,
                              ::testing::ValuesIn(space_to_depth_variants().begin(),
                                                  space_to_depth_variants().end()),
                              name_of);

}  // namespace
}  // namespace yolocu

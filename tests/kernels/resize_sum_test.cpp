// Legality and selection of resize_sum: pure host code.
#include "kernels/resize/resize_sum.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/str_cat.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

ResizeSumProblem aligned_problem() {
  return {.out_height = 20,
          .out_width = 16,
          .channels = 24,
          .count = 2,
          .inputs = {ResizeInput{10, 8, {24, 0}}, ResizeInput{20, 16, {32, 8}}},
          .y = {64, 8}};
}

std::string selected(const ResizeSumProblem& problem) {
  const auto variant = select_resize_sum(problem);
  return variant.ok() ? std::string(variant->name) : variant.status().message();
}

TEST(ResizeSumInventory, NamesDecodeToTheirFields) {
  std::set<std::string_view> names;
  for (const ResizeSumVariant& variant : resize_sum_variants()) {
    const char* dtype = variant.dtype == DType::kF16    ? "f16"
                        : variant.dtype == DType::kBF16 ? "bf16"
                                                        : "f32";
    EXPECT_EQ(variant.name, str_cat("resize_sum_", dtype, "_v", variant.vector_bytes));
    EXPECT_TRUE(names.insert(variant.name).second) << variant.name << " is there twice";
  }
}

TEST(ResizeSumSelection, WidestVectorThatAllViewsAllow) {
  ResizeSumProblem problem = aligned_problem();
  EXPECT_EQ(selected(problem), "resize_sum_f16_v16");
  problem.inputs[2].view = {25, 1};
  EXPECT_EQ(selected(problem), "resize_sum_f16_v16") << "there is no third input";
  problem.inputs[1].view.offset = 4;
  EXPECT_EQ(selected(problem), "resize_sum_f16_v8");
  problem.y.pixel_stride = 66;
  EXPECT_EQ(selected(problem), "resize_sum_f16_v4");
  problem.dtype = DType::kBF16;
  problem.alignment_bytes = 2;
  EXPECT_EQ(selected(problem), "resize_sum_bf16_v2");
  problem.dtype = DType::kI8;
  EXPECT_EQ(selected(problem), "resize_sum: no variant for I8");
}

TEST(ResizeSumLegality, RefusesProblemsThatMakeNoSense) {
  using P = ResizeSumProblem;
  const auto refuses = [](StatusCode code, const std::string& fragment, void (*change)(P&)) {
    P problem = aligned_problem();
    change(problem);
    testing::expect_refused(can_implement(resize_sum_variants().front(), problem), code, fragment);
  };
  const auto kInvalid = StatusCode::kInvalidArgument;
  ASSERT_OK(can_implement(resize_sum_variants().front(), aligned_problem()));
  refuses(kInvalid, "batch", [](P& p) { p.batch = 0; });
  refuses(kInvalid, "count in 1..6, got 0", [](P& p) { p.count = 0; });
  refuses(kInvalid, "count in 1..6, got 7", [](P& p) { p.count = 7; });
  refuses(kInvalid, "input 2: expected height", [](P& p) { p.count = 3; });
  refuses(kInvalid, "y: expected height", [](P& p) { p.out_height = 65537; });
  refuses(kInvalid, "input 1: channels", [](P& p) { p.inputs[1].view.offset = 9; });
  refuses(kInvalid, "y: channels", [](P& p) { p.y.offset = -1; });
  refuses(kInvalid, "alignment", [](P& p) { p.alignment_bytes = 0; });
  refuses(StatusCode::kUnsupported, "2^31", [](P& p) { p.batch = 1 << 20; });
  refuses(StatusCode::kUnsupported, "F32", [](P& p) { p.dtype = DType::kF32; });
}

}  // namespace
}  // namespace yolocu

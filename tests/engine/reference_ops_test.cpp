// The oracle itself, against results worked out by hand.
#include "engine/reference/reference_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/test_support.h"

namespace yolocu::reference {
namespace {

Tensor tensor(int64_t h, int64_t w, int64_t c, std::vector<float> values) {
  Tensor t(1, h, w, c);
  EXPECT_EQ(t.values.size(), values.size());
  t.values = std::move(values);
  return t;
}

TEST(ReferenceConv, PointwiseMixesChannels) {
  const Tensor x = tensor(1, 2, 2, {1, 2, 3, 4});
  const ConvOp op{.out_channels = 3};
  const std::vector<float> weight{1, 0, 0, 1, 10, 100};
  const std::vector<float> bias{0, 0.5f, -1};
  const Tensor y = convolve(x, op, weight, bias);
  EXPECT_EQ(y.values, (std::vector<float>{1, 2.5f, 209, 3, 4.5f, 429}));
}

TEST(ReferenceConv, ThreeByThreeIsCorrelationWithZeroPadding) {
  // Weight rows read from the top left; centre 100, right neighbour 1.
  const Tensor x = tensor(2, 2, 1, {1, 2, 3, 4});
  const ConvOp op{.out_channels = 1, .kernel = 3, .padding = 1};
  const std::vector<float> weight{0, 0, 0, 0, 100, 1, 0, 0, 0};
  EXPECT_EQ(convolve(x, op, weight, {}).values, (std::vector<float>{102, 200, 304, 400}));
}

TEST(ReferenceConv, StrideAndOddSizes) {
  const Tensor x = tensor(3, 5, 1, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
  const ConvOp op{.out_channels = 1, .kernel = 3, .stride = 2, .padding = 1};
  const std::vector<float> ones(9, 1.0f);
  const Tensor y = convolve(x, op, ones, {});
  EXPECT_EQ(y.h, 2);
  EXPECT_EQ(y.w, 3);
  EXPECT_EQ(y.values, (std::vector<float>{12, 27, 24, 32, 57, 44}));
}

TEST(ReferenceConv, FourByFourStrideTwoOnOnePixelOfOutput) {
  Tensor x(1, 2, 2, 1);
  x.values = {1, 2, 3, 4};
  const ConvOp op{.out_channels = 1, .kernel = 4, .stride = 2, .padding = 1};
  std::vector<float> weight(16);
  for (size_t i = 0; i < 16; ++i) weight[i] = static_cast<float>(i);
  // The picture covers rows and columns 1..2 of the window.
  EXPECT_EQ(convolve(x, op, weight, {}).values, (std::vector<float>{5 + 12 + 27 + 40}));
}

TEST(ReferenceConv, GroupsReadTheirOwnChannels) {
  const Tensor x = tensor(1, 1, 4, {1, 2, 3, 4});
  const ConvOp op{.out_channels = 4, .groups = 2};
  const std::vector<float> weight{1, 1, 1, -1, 1, 1, 1, -1};
  EXPECT_EQ(convolve(x, op, weight, {}).values, (std::vector<float>{3, -1, 7, -1}));
}

TEST(ReferenceConv, BatchesAreIndependent) {
  Tensor x(2, 1, 1, 1);
  x.values = {2, 5};
  EXPECT_EQ(convolve(x, ConvOp{.out_channels = 1}, std::vector<float>{3}, {}).values,
            (std::vector<float>{6, 15}));
}

TEST(ReferenceActivation, Formulas) {
  EXPECT_EQ(activate(-2, Activation::kNone, 0), -2);
  EXPECT_EQ(activate(-2, Activation::kRelu, 0), 0);
  EXPECT_EQ(activate(3, Activation::kRelu, 0), 3);
  EXPECT_DOUBLE_EQ(activate(-2, Activation::kLeakyRelu, 0.1), -0.2);
  EXPECT_EQ(activate(2, Activation::kLeakyRelu, 0.1), 2);
  EXPECT_EQ(activate(0, Activation::kSilu, 0), 0);
  EXPECT_NEAR(activate(1, Activation::kSilu, 0), 0.731058578630005, 1e-12);
  EXPECT_NEAR(activate(-1, Activation::kSilu, 0), -0.268941421369995, 1e-12);
  EXPECT_EQ(activate(-1000, Activation::kSilu, 0), 0);
  EXPECT_TRUE(std::isnan(activate(NAN, Activation::kSilu, 0)));
  EXPECT_TRUE(std::isnan(activate(NAN, Activation::kRelu, 0)));
}

TEST(ReferencePool, MaxWithAndWithoutPadding) {
  const Tensor x = tensor(3, 3, 1, {-1, -2, -3, -4, -5, -6, -7, -8, -9});
  EXPECT_EQ(max_pool(x, {.kernel = 2, .stride = 2}).values, (std::vector<float>{-1}));
  // Padding must not count as zero.
  EXPECT_EQ(max_pool(x, {.kernel = 3, .stride = 2, .padding = 1}).values,
            (std::vector<float>{-1, -2, -4, -5}));
  EXPECT_EQ(max_pool(x, {.kernel = 5, .stride = 1, .padding = 2}).values[8], -1);
}

TEST(ReferencePool, MaxKeepsNan) {
  const Tensor x = tensor(1, 4, 1, {1, NAN, 2, 3});
  const Tensor y = max_pool(x, {.kernel = 1, .stride = 1});
  EXPECT_TRUE(std::isnan(y.values[1]));
  Tensor square(1, 2, 2, 1);
  square.values = {5, NAN, 1, 7};
  EXPECT_TRUE(std::isnan(max_pool(square, {.kernel = 2, .stride = 2}).values[0]));
}

TEST(ReferencePool, AverageWithStrideOne) {
  const Tensor x = tensor(2, 3, 1, {1, 2, 3, 5, 6, 8});
  EXPECT_EQ(avg_pool(x, {.kernel = 2, .stride = 1}).values, (std::vector<float>{3.5f, 4.75f}));
}

TEST(ReferenceShape, Upsample) {
  const Tensor y = upsample(tensor(1, 2, 2, {1, 2, 3, 4}), {.factor = 2});
  EXPECT_EQ(y.values, (std::vector<float>{1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4}));
}

TEST(ReferenceShape, ConcatAddSlice) {
  const Tensor a = tensor(1, 2, 1, {1, 2}), b = tensor(1, 2, 2, {3, 4, 5, 6});
  const Tensor* pair[] = {&a, &b};
  const Tensor y = concat(pair);
  EXPECT_EQ(y.values, (std::vector<float>{1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(slice(y, {.begin = 1, .channels = 2}).values, b.values);
  const Tensor* thrice[] = {&b, &b, &b};
  EXPECT_EQ(add(thrice).values, (std::vector<float>{9, 12, 15, 18}));
}

TEST(ReferenceShape, SpaceToDepthHasRowsBeforeColumns) {
  const Tensor y = space_to_depth(tensor(2, 2, 2, {1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(y.h, 1);
  EXPECT_EQ(y.values, (std::vector<float>{1, 2, 5, 6, 3, 4, 7, 8}));
}

TEST(ReferenceDecode, DflOfSharpAndFlatLogits) {
  // One pixel at stride 8, 4 bins. A logit of 1000 puts all weight on its bin: l = 1, t = 2, r = 3;
  // equal logits give the mean, b = 1.5.
  Tensor box(1, 1, 1, 16), cls(1, 1, 1, 2);
  box.values = {0, 1000, 0, 0, 0, 0, 1000, 0, 0, 0, 0, 1000, 7, 7, 7, 7};
  cls.values = {0, 100};
  const Tensor* heads[] = {&box, &cls};
  const Tensor y = decode_dfl(heads, {.classes = 2, .bins = 4, .strides = {8}});
  // x1 = -0.5, x2 = 3.5; y1 = -1.5, y2 = 2 in cells.
  EXPECT_TRUE(testing::all_close(y.values, std::vector<float>{12, 2, 32, 28, 0.5f, 1}, 1e-6, 0));
}

TEST(ReferenceDecode, DflAnchorsRunRowByRowAndLevelByLevel) {
  Tensor box0(1, 1, 2, 4), cls0(1, 1, 2, 1), box1(1, 1, 1, 4), cls1(1, 1, 1, 1);
  const Tensor* heads[] = {&box0, &cls0, &box1, &cls1};
  const Tensor y = decode_dfl(heads, {.classes = 1, .bins = 1, .strides = {8, 16}});
  ASSERT_EQ(y.w, 3);
  EXPECT_EQ(y.values, (std::vector<float>{4, 4, 0, 0, 0.5f, 12, 4, 0, 0, 0.5f, 8, 8, 0, 0, 0.5f}));
}

TEST(ReferenceDecode, AnchorBoxes) {
  // Two anchors on a 1x2 map, one class; all logits 0: s = 1/2.
  Tensor head(1, 1, 2, 12);
  head.values[8] = 1000;  // first pixel, second anchor: width logit -> s = 1
  const Tensor* heads[] = {&head};
  const Tensor y =
      decode_anchor(heads, {.classes = 1, .strides = {8}, .anchors = {{10, 20, 30, 40}}});
  ASSERT_EQ(y.w, 4);
  const std::vector<float> expected{4, 4, 10,  20, 0.5f, 0.5f, 12, 4, 10, 20, 0.5f, 0.5f,
                                    4, 4, 120, 40, 0.5f, 0.5f, 12, 4, 30, 40, 0.5f, 0.5f};
  EXPECT_TRUE(testing::all_close(y.values, expected, 1e-6, 0));
}

}  // namespace
}  // namespace yolocu::reference

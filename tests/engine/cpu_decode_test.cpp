// Decoding of blocked heads against that of plain ones, and its early filter: what suppression
// keeps must not change by it.
#include "engine/cpu/cpu_decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/base/half.h"
#include "engine/base/str_cat.h"
#include "engine/cpu/kernels/kernel_table.h"
#include "engine/postprocess/decode.h"
#include "engine/postprocess/nms.h"

namespace yolocu::cpu {
namespace {

constexpr int64_t kHeight = 6, kWidth = 5;

// Blocked logits of one head, as floats and as they are stored where that is bf16.
struct Head {
  std::vector<float> values;
  std::vector<uint16_t> stored;
  DecodeHead head;
};

// Logits around that of `score`, some a bit or two from it, some far away, some NaN.
Head make_head(int64_t channels, double score, std::mt19937& bits,
               const std::vector<int64_t>& cuts = {}, Element element = Element::kF32) {
  const int64_t lanes = kernel_table().lanes;
  const ChannelLayout layout(channels, cuts, lanes);
  const ChannelLayout dense = ChannelLayout::dense(channels);
  Head head;
  head.values.resize(static_cast<size_t>(layout.padded_channels() * kHeight * kWidth));
  const double logit = std::log(score / (1 - score));
  std::uniform_int_distribution<int> kind(0, 40);
  std::normal_distribution<double> normal;
  for (float& value : head.values) {
    const int k = kind(bits);
    value = static_cast<float>(k == 0  ? logit
                               : k < 4 ? logit + normal(bits)
                                       : logit - 2 + normal(bits));
    if (k == 1) value = std::nextafter(static_cast<float>(logit), 1000.0f);
    if (k == 2) value = std::nextafter(static_cast<float>(logit), -1000.0f);
    if (k == 40) value = std::nanf("");
  }
  auto* data = reinterpret_cast<std::byte*>(head.values.data());
  if (element == Element::kBf16) {
    for (float& value : head.values) {
      head.stored.push_back(float_to_bfloat16(value));
      value = bfloat16_to_float(head.stored.back());
    }
    data = reinterpret_cast<std::byte*>(head.stored.data());
  }
  head.head = {{data, element, lanes, layout.padded_channels(), kHeight, kWidth},
               channels,
               plan_relayout(dense, channels, layout, lanes)};
  return head;
}

std::vector<float> decoded(const DecodeTask& task, int64_t rows, int64_t row, float least_score) {
  std::vector<float> predictions(static_cast<size_t>(rows * row), std::nanf(""));
  Team team(2);
  const int64_t bytes = (task.scratch_bytes() + 63) / 64 * 64;
  std::vector<std::byte> scratch(static_cast<size_t>(bytes * team.threads()));
  decode(team, task, {predictions, least_score}, scratch.data(), bytes);
  return predictions;
}

void expect_same_detections(const Op& op, const std::vector<int64_t>& channels, int64_t anchors,
                            int64_t row, ScoreLayout scores) {
  std::mt19937 bits(5);
  size_t found = 0;
  for (const float confidence : {0.0f, 1e-6f, 0.001f, 0.25f, 0.5f, 0.999999f, 1.0f}) {
    const double around = std::clamp(double{confidence}, 1e-6, 1 - 1e-6);
    std::vector<Head> heads;
    for (const int64_t c : channels) heads.push_back(make_head(c, around, bits));
    DecodeTask task{&op, {}};
    for (const Head& head : heads) task.heads.push_back(head.head);
    const int64_t rows = anchors * kHeight * kWidth;
    const NmsOptions options{.layout = scores, .confidence = confidence, .iou = 0.99};
    const auto all = non_max_suppression(decoded(task, rows, row, -1), row, options);
    const auto filtered = non_max_suppression(decoded(task, rows, row, confidence), row, options);
    found += all.size();
    ASSERT_EQ(filtered.size(), all.size()) << confidence;
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(filtered[i].score, all[i].score) << confidence;
      EXPECT_EQ(filtered[i].class_id, all[i].class_id) << confidence;
      EXPECT_TRUE(filtered[i].x1 == all[i].x1 ||
                  (std::isnan(filtered[i].x1) && std::isnan(all[i].x1)))
          << confidence;
    }
  }
  EXPECT_GT(found, 5u);
}

// As [height, width, channels].
std::vector<float> plain(const Head& head) {
  const Tensor& map = head.head.blocked;
  std::vector<float> pixels(static_cast<size_t>(head.head.channels * map.pixels()));
  for (const ChannelRun& run : head.head.to_pixels.runs) {
    for (int64_t c = 0; c < run.count; ++c) {
      for (int64_t p = 0; p < map.pixels(); ++p) {
        pixels[static_cast<size_t>(p * head.head.channels + run.destination + c)] =
            head.values[static_cast<size_t>(map.index(run.source + c, p))];
      }
    }
  }
  return pixels;
}

HeadView view_of(const std::vector<float>& pixels) {
  const auto channels = static_cast<int64_t>(pixels.size()) / (kHeight * kWidth);
  return {pixels.data(), kHeight, kWidth, channels, channels, 0};
}

// Boxes are of pixels of the network's input.
void expect_close(const std::vector<float>& actual, const std::vector<float>& expected, int64_t row,
                  float largest_box) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(actual[i])) continue;
    const bool is_box = i % static_cast<size_t>(row) < 4;
    ASSERT_NEAR(actual[i], expected[i], 1e-6f * (is_box ? largest_box : 1)) << i;
  }
}

// How the channels of heads lie: in order, cut, in bf16.
struct HeadKind {
  std::vector<int64_t> cuts;
  Element element;
};
const HeadKind kHeadKinds[] = {{{}, Element::kF32}, {{3}, Element::kF32}, {{}, Element::kBf16}};

// Sides that fill a vector, a part of one, and more than one; classes likewise.
TEST(CpuDecode, DflIsThatOfPlainHeads) {
  std::mt19937 bits(6);
  for (const int64_t bins : {1, 5, 8, 16, 19, 32}) {
    for (const int64_t classes : {4, 7, 16, 40, 80}) {
      for (const HeadKind& kind : kHeadKinds) {
        SCOPED_TRACE(str_cat(bins, " bins, ", classes, " classes, ", kind.cuts.size(),
                             " cuts, element ", static_cast<int>(kind.element)));
        const DecodeDflOp op{.classes = classes, .bins = bins, .strides = {8}};
        const Op variant = op;
        const Head box = make_head(4 * bins, 0.5, bits, kind.cuts, kind.element);
        const Head scores = make_head(classes, 0.5, bits, kind.cuts, kind.element);
        const int64_t row = 4 + classes, rows = kHeight * kWidth;
        const auto actual = decoded({&variant, {box.head, scores.head}}, rows, row, -1);
        std::vector<float> expected(actual.size());
        const auto box_pixels = plain(box), score_pixels = plain(scores);
        decode_dfl(expected, op, std::vector{view_of(box_pixels), view_of(score_pixels)}, 1);
        expect_close(actual, expected, row, 8 * 32);
      }
    }
  }
}

TEST(CpuDecode, AnchorsAreThoseOfPlainHeads) {
  std::mt19937 bits(7);
  for (const int64_t classes : {1, 11, 80}) {
    for (const HeadKind& kind : kHeadKinds) {
      SCOPED_TRACE(str_cat(classes, " classes, ", kind.cuts.size(), " cuts, element ",
                           static_cast<int>(kind.element)));
      const DecodeAnchorOp op{
          .classes = classes, .strides = {8}, .anchors = {{10, 13, 16, 30, 33, 23}}};
      const Op variant = op;
      const int64_t row = 5 + classes, rows = 3 * kHeight * kWidth;
      const Head head = make_head(3 * row, 0.5, bits, kind.cuts, kind.element);
      const auto actual = decoded({&variant, {head.head}}, rows, row, -1);
      std::vector<float> expected(actual.size());
      const auto pixels = plain(head);
      decode_anchor(expected, op, std::vector{view_of(pixels)}, 1);
      expect_close(actual, expected, row, 4 * 33);
    }
  }
}

TEST(CpuDecode, DflFilterKeepsWhatSuppressionKeeps) {
  for (const int64_t classes : {1, 7, 80}) {
    const Op op = DecodeDflOp{.classes = classes, .bins = 16, .strides = {8}};
    expect_same_detections(op, {64, classes}, 1, 4 + classes, ScoreLayout::kClasses);
  }
}

TEST(CpuDecode, AnchorFilterKeepsWhatSuppressionKeeps) {
  for (const int64_t classes : {1, 7, 80}) {
    const Op op =
        DecodeAnchorOp{.classes = classes, .strides = {8}, .anchors = {{10, 13, 16, 30, 33, 23}}};
    expect_same_detections(op, {3 * (5 + classes)}, 3, 5 + classes,
                           ScoreLayout::kObjectnessAndClasses);
  }
}

}  // namespace
}  // namespace yolocu::cpu

// Decoding of blocked heads against that of plain ones, and its early filter: what suppression keeps
// must not change by it.
#include "engine/cpu/cpu_decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/cpu/kernels/kernel_table.h"
#include "engine/postprocess/decode.h"
#include "engine/postprocess/nms.h"

namespace yolocu::cpu {
namespace {

constexpr int64_t kHeight = 6, kWidth = 5;

// Blocked logits of one head, and where they are.
struct Head {
  std::vector<float> values;
  DecodeHead head;
};

// Logits around that of `score`, some a bit or two from it, some far away, some NaN.
Head make_head(int64_t channels, double score, std::mt19937& bits,
               const std::vector<int64_t>& cuts = {}) {
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
  head.head = {{reinterpret_cast<std::byte*>(head.values.data()), Element::kF32, lanes,
                layout.padded_channels(), kHeight, kWidth},
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
std::vector<float> plain(const DecodeHead& head) {
  const Tensor& map = head.blocked;
  std::vector<float> pixels(static_cast<size_t>(head.channels * map.pixels()));
  for (const ChannelRun& run : head.to_pixels.runs) {
    for (int64_t c = 0; c < run.count; ++c) {
      for (int64_t p = 0; p < map.pixels(); ++p) {
        pixels[static_cast<size_t>(p * head.channels + run.destination + c)] =
            map.floats()[map.index(run.source + c, p)];
      }
    }
  }
  return pixels;
}

// Heads whose channels lie in order, with padding behind them and between them; sides that fill a
// vector, a part of one, and more than one.
TEST(CpuDecode, DflIsThatOfPlainHeads) {
  std::mt19937 bits(6);
  for (const int64_t bins : {1, 5, 8, 16, 19, 32}) {
    for (const int64_t classes : {1, 7, 16, 40, 80}) {
      for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{}, std::vector<int64_t>{3}}) {
        const DecodeDflOp op{.classes = classes, .bins = bins, .strides = {8}};
        const Op variant = op;
        const bool is_cut = !cuts.empty() && classes > 3;
        const Head box = make_head(4 * bins, 0.5, bits, cuts);
        const Head scores = make_head(classes, 0.5, bits, is_cut ? cuts : std::vector<int64_t>{});
        const auto box_pixels = plain(box.head), score_pixels = plain(scores.head);
        const int64_t row = 4 + classes, rows = kHeight * kWidth;
        const auto actual = decoded({&variant, {box.head, scores.head}}, rows, row, -1);
        std::vector<float> expected(actual.size());
        const auto view = [](const std::vector<float>& pixels, int64_t channels) {
          return HeadView{pixels.data(), kHeight, kWidth, channels, channels, 0};
        };
        const std::vector<HeadView> heads = {view(box_pixels, 4 * bins),
                                             view(score_pixels, classes)};
        decode_dfl(expected, op, heads, 1);
        for (size_t i = 0; i < actual.size(); ++i) {
          if (std::isnan(expected[i]) && std::isnan(actual[i])) continue;
          // Boxes are of pixels, up to 8 x 32 of them.
          const float most = i % static_cast<size_t>(row) < 4 ? 1e-6f * 8 * 32 : 1e-6f;
          ASSERT_NEAR(actual[i], expected[i], most)
              << i << ", bins " << bins << ", classes " << classes << ", cut " << is_cut;
        }
      }
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

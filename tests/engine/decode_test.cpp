// Decoding of head outputs against plain loops in double, and against the official code.
#include "engine/postprocess/decode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/engine/golden.h"

namespace yolocu {
namespace {

using testing::channels_last;
using testing::golden_cases;
using testing::HeadFormat;
using testing::load_array;
using testing::load_json;
using testing::load_predictions;
using testing::random_floats;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

// A head output and the numbers behind it; what lies between pixels and pictures is NaN.
struct Head {
  std::vector<float> data;
  HeadView view;  // without its pointer, so that heads may be copied; see views()
  float at(int64_t image, int64_t y, int64_t x, int64_t channel) const {
    return data[static_cast<size_t>(image * view.image_stride +
                                    (y * view.width + x) * view.pixel_stride + channel)];
  }
};

Head make_head(int64_t batch, int64_t height, int64_t width, int64_t channels, int64_t gap,
               std::span<const float> values) {
  Head head;
  const int64_t pixel_stride = channels + gap;
  const int64_t image_stride = height * width * pixel_stride + 3 * gap;
  head.data.assign(static_cast<size_t>(batch * image_stride), kNan);
  size_t next = 0;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < height * width; ++i) {
      for (int64_t c = 0; c < channels; ++c) {
        head.data[static_cast<size_t>(b * image_stride + i * pixel_stride + c)] = values[next++];
      }
    }
  }
  head.view = {nullptr, height, width, channels, pixel_stride, image_stride};
  return head;
}

Head random_head(int64_t batch, int64_t height, int64_t width, int64_t channels, uint64_t seed) {
  std::vector<float> values =
      random_floats(static_cast<size_t>(batch * height * width * channels), seed);
  for (float& value : values) value *= 9;
  return make_head(batch, height, width, channels, static_cast<int64_t>(seed % 3), values);
}

std::vector<HeadView> views(const std::vector<Head>& heads) {
  std::vector<HeadView> result;
  for (const Head& head : heads) {
    result.push_back(head.view);
    result.back().data = head.data.data();
  }
  return result;
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

double distance(const Head& box, int64_t image, int64_t y, int64_t x, int64_t side, int64_t bins) {
  double sum = 0, weighted = 0;
  for (int64_t j = 0; j < bins; ++j) {
    const double e = std::exp(double{box.at(image, y, x, side * bins + j)});
    sum += e;
    weighted += static_cast<double>(j) * e;
  }
  return weighted / sum;
}

std::vector<float> plain_dfl(const DecodeDflOp& op, const std::vector<Head>& heads, int64_t batch) {
  std::vector<float> out;
  for (int64_t b = 0; b < batch; ++b) {
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const Head& box = heads[2 * level];
      for (int64_t y = 0; y < box.view.height; ++y) {
        for (int64_t x = 0; x < box.view.width; ++x) {
          double d[4];
          for (int64_t side = 0; side < 4; ++side) d[side] = distance(box, b, y, x, side, op.bins);
          const double stride = op.strides[level];
          const double row[] = {(static_cast<double>(x) + 0.5 + (d[2] - d[0]) / 2) * stride,
                                (static_cast<double>(y) + 0.5 + (d[3] - d[1]) / 2) * stride,
                                (d[0] + d[2]) * stride, (d[1] + d[3]) * stride};
          for (const double value : row) out.push_back(static_cast<float>(value));
          for (int64_t c = 0; c < op.classes; ++c) {
            out.push_back(static_cast<float>(sigmoid(heads[2 * level + 1].at(b, y, x, c))));
          }
        }
      }
    }
  }
  return out;
}

TEST(DecodeDfl, EqualsPlainLoops) {
  uint64_t seed = 1;
  for (const int64_t bins : {1, 2, 15, 16, 17, 40}) {
    for (const int64_t classes : {1, 3, 80}) {
      SCOPED_TRACE(std::to_string(bins) + " bins, " + std::to_string(classes) + " classes");
      const DecodeDflOp op = {.classes = classes, .bins = bins, .strides = {8, 16}};
      std::vector<Head> heads;
      for (const auto& [height, width] : {std::pair<int64_t, int64_t>{5, 3}, {1, 1}}) {
        heads.push_back(random_head(2, height, width, 4 * bins, seed++));
        heads.push_back(random_head(2, height, width, classes, seed++));
      }
      std::vector<float> out(static_cast<size_t>(2 * 16 * (4 + classes)), kNan);
      decode_dfl(out, op, views(heads), 2);
      const double absolute = 1e-6 * static_cast<double>(bins) * 16;  // of a distance, in pixels
      EXPECT_TRUE(testing::all_close(out, plain_dfl(op, heads, 2), absolute, 1e-6));
    }
  }
}

// One bin far above the others is a distance of that many cells.
TEST(DecodeDfl, CertainBinsGiveWholeCells) {
  std::vector<float> logits(4 * 4, -200.0f);
  for (size_t side = 0; side < 4; ++side) logits[side * 4 + side] = 200.0f;  // 0 1 2 3 cells
  const Head box = make_head(1, 1, 1, 16, 0, logits);
  const Head classes = make_head(1, 1, 1, 2, 0, std::vector<float>{0, 100});
  std::vector<float> out(6);
  decode_dfl(out, {.classes = 2, .bins = 4, .strides = {8}}, views({box, classes}), 1);
  EXPECT_TRUE(testing::all_close(out, std::vector<float>{12, 12, 16, 32, 0.5f, 1}, 1e-6, 0));
}

TEST(Decode, ScoresOfExtremeLogits) {
  const std::vector<float> logits = {0, 1, -1, 20, -20, 88, -88, 1000, -1000, kInf, -kInf};
  const auto classes = static_cast<int64_t>(logits.size());
  const Head box = make_head(1, 1, 1, 64, 0, std::vector<float>(64, 0.0f));
  const Head head = make_head(1, 1, 1, classes, 0, logits);
  std::vector<float> out(logits.size() + 4);
  decode_dfl(out, {.classes = classes, .strides = {8}}, views({box, head}), 1);
  for (size_t i = 0; i < logits.size(); ++i) {
    const double expected = sigmoid(logits[i]);
    EXPECT_NEAR(out[4 + i], expected, 1e-7 + 1e-6 * expected) << "logit " << logits[i];
  }
}

// Every logit in steps of 1/64, so that a bad constant of the exponential shows.
TEST(Decode, ScoresAreAccurateEverywhere) {
  std::vector<float> logits;
  for (int i = -80 * 64; i <= 80 * 64; ++i) logits.push_back(static_cast<float>(i) / 64);
  const auto classes = static_cast<int64_t>(logits.size());
  const Head box = make_head(1, 1, 1, 4, 0, std::vector<float>(4, 0.0f));
  const Head head = make_head(1, 1, 1, classes, 0, logits);
  std::vector<float> out(logits.size() + 4);
  decode_dfl(out, {.classes = classes, .bins = 1, .strides = {8}}, views({box, head}), 1);
  for (size_t i = 0; i < logits.size(); ++i) {
    const double expected = sigmoid(logits[i]);
    ASSERT_NEAR(out[4 + i], expected, 5e-7 * expected) << "logit " << logits[i];
  }
}

TEST(Decode, NanStaysInItsPlace) {
  std::vector<float> logits(2 * 64, 0.0f);
  logits[64 + 16] = kNan;  // a bin of the top side of the second pixel
  const Head box = make_head(1, 1, 2, 64, 0, logits);
  const Head head = make_head(1, 1, 2, 2, 0, std::vector<float>{0, kNan, 0, 0});
  std::vector<float> out(12);
  decode_dfl(out, {.classes = 2, .strides = {8}}, views({box, head}), 1);
  const bool is_nan[] = {false, false, false, false, false, true,
                         false, true,  false, true,  false, false};
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(std::isnan(out[i]), is_nan[i]) << i;
}

std::vector<float> plain_anchor(const DecodeAnchorOp& op, const std::vector<Head>& heads,
                                int64_t batch) {
  std::vector<float> out;
  for (int64_t b = 0; b < batch; ++b) {
    for (size_t level = 0; level < heads.size(); ++level) {
      for (size_t anchor = 0; anchor < op.anchors[level].size() / 2; ++anchor) {
        for (int64_t y = 0; y < heads[level].view.height; ++y) {
          for (int64_t x = 0; x < heads[level].view.width; ++x) {
            for (int64_t k = 0; k < 5 + op.classes; ++k) {
              const int64_t channel = static_cast<int64_t>(anchor) * (5 + op.classes) + k;
              const double s = sigmoid(heads[level].at(b, y, x, channel));
              const double stride = op.strides[level];
              const auto i = static_cast<size_t>(k);
              double value = s;
              if (k == 0) value = (2 * s - 0.5 + static_cast<double>(x)) * stride;
              if (k == 1) value = (2 * s - 0.5 + static_cast<double>(y)) * stride;
              if (k == 2 || k == 3) value = 4 * s * s * op.anchors[level][2 * anchor + i - 2];
              out.push_back(static_cast<float>(value));
            }
          }
        }
      }
    }
  }
  return out;
}

TEST(DecodeAnchor, EqualsPlainLoops) {
  for (const int64_t classes : {1, 2, 80}) {
    const DecodeAnchorOp op = {
        .classes = classes, .strides = {8, 32}, .anchors = {{10, 13, 16, 30}, {33, 23, 30, 61}}};
    const std::vector<Head> heads = {random_head(2, 3, 4, 2 * (5 + classes), 1),
                                     random_head(2, 1, 2, 2 * (5 + classes), 2)};
    std::vector<float> out(static_cast<size_t>(2 * 28 * (5 + classes)), kNan);
    decode_anchor(out, op, views(heads), 2);
    EXPECT_TRUE(testing::all_close(out, plain_anchor(op, heads, 2), 3e-5, 2e-6)) << classes;
  }
}

TEST(DecodeAnchor, ZeroLogitsAreTheAnchorAtTheCellsCentre) {
  const Head head = make_head(1, 1, 1, 6, 0, std::vector<float>(6, 0.0f));
  std::vector<float> out(6);
  const DecodeAnchorOp op = {.classes = 1, .strides = {16}, .anchors = {{10, 20}}};
  decode_anchor(out, op, views({head}), 1);
  EXPECT_EQ(out, (std::vector<float>{8, 8, 10, 20, 0.5f, 0.5f}));
}

// Boxes within 1e-3 pixels and 1e-6 relative, scores within 1e-6.
void expect_predictions(const std::vector<float>& out, const testing::Predictions& expected) {
  ASSERT_EQ(out.size(), expected.values.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const double value = expected.values[i];
    const bool is_box = i % static_cast<size_t>(expected.row) < 4;
    const double tolerance = is_box ? 1e-3 + 1e-6 * std::abs(value) : 1e-6;
    ASSERT_NEAR(out[i], value, tolerance) << "element " << i;
  }
}

Head golden_head(const NpyArray& raw, int64_t begin, int64_t count) {
  return make_head(raw.shape[0], raw.shape[2], raw.shape[3], count, 1,
                   channels_last(raw, begin, count));
}

// raw [B, A, h, w, row] -> [B, h, w, A * row].
Head golden_anchor_head(const NpyArray& raw) {
  const int64_t anchors = raw.shape[1], height = raw.shape[2], width = raw.shape[3];
  const int64_t row = raw.shape[4];
  std::vector<float> values;
  for (int64_t b = 0; b < raw.shape[0]; ++b) {
    for (int64_t pixel = 0; pixel < height * width; ++pixel) {
      for (int64_t a = 0; a < anchors; ++a) {
        const int64_t begin = ((b * anchors + a) * height * width + pixel) * row;
        values.insert(values.end(), raw.values.begin() + begin, raw.values.begin() + begin + row);
      }
    }
  }
  return make_head(raw.shape[0], height, width, anchors * row, 1, values);
}

TEST(DecodeDfl, EqualsTheOfficialCode) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  const auto names = golden_cases("v9_");
  ASSERT_GE(names.size(), 14u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string folder = "a/" + name + "/";
    const auto facts = load_json(folder + "case.json");
    DecodeDflOp op = {.classes = facts["nc"],
                      .strides = facts["strides"].get<std::vector<float>>()};
    std::vector<Head> heads;
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const NpyArray raw = load_array(folder + "raw_" + std::to_string(level) + ".npy");
      heads.push_back(golden_head(raw, 0, 64));
      heads.push_back(golden_head(raw, 64, op.classes));
    }
    const auto expected = load_predictions(folder + "pred.npy", HeadFormat::kV9);
    std::vector<float> out(expected.values.size(), kNan);
    decode_dfl(out, op, views(heads), expected.batch);
    expect_predictions(out, expected);
  }
}

TEST(DecodeAnchor, EqualsTheOfficialCode) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  const auto names = golden_cases("v7_");
  ASSERT_GE(names.size(), 10u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string folder = "a/" + name + "/";
    const auto facts = load_json(folder + "case.json");
    DecodeAnchorOp op;
    op.classes = facts["nc"];
    op.strides = facts["strides"].get<std::vector<float>>();
    op.anchors = facts["anchors_px"].get<std::vector<std::vector<float>>>();
    std::vector<Head> heads;
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const NpyArray raw = load_array(folder + "raw_" + std::to_string(level) + ".npy");
      heads.push_back(golden_anchor_head(raw));
    }
    const auto expected = load_predictions(folder + "pred.npy", HeadFormat::kV7);
    std::vector<float> out(expected.values.size(), kNan);
    decode_anchor(out, op, views(heads), expected.batch);
    expect_predictions(out, expected);
  }
}

}  // namespace
}  // namespace yolocu

// Made-up weights: the same every time, and a network that is alive from the first layer to the
// last.
#include "weights/import/arch/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <type_traits>

#include "engine/reference/reference_ops.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using reference::Tensor;

// Of gelan-t's first filter with seed 5.
constexpr float kFirstWeight = 1.645135f;

ConvertOptions options_for(const std::string& architecture) {
  ConvertOptions options;
  options.architecture = architecture;
  return options;
}

std::vector<float> floats_of(const Model& model, const std::string& name) {
  const auto values = tensor_to_float(model.tensors.find(name)->second);
  EXPECT_TRUE(values.ok());
  return *values;
}

Tensor compute(const Model& model, const Op& op, std::span<const Tensor* const> xs) {
  return std::visit(
      [&](const auto& o) -> Tensor {
        using T = std::decay_t<decltype(o)>;
        using namespace reference;  // NOLINT: the op of the same name
        if constexpr (std::is_same_v<T, ConvOp>) {
          return convolve(*xs[0], o, floats_of(model, o.weight), floats_of(model, o.bias));
        } else if constexpr (std::is_same_v<T, MaxPoolOp>) {
          return max_pool(*xs[0], o);
        } else if constexpr (std::is_same_v<T, AvgPoolOp>) {
          return avg_pool(*xs[0], o);
        } else if constexpr (std::is_same_v<T, UpsampleOp>) {
          return upsample(*xs[0], o);
        } else if constexpr (std::is_same_v<T, ConcatOp>) {
          return concat(xs);
        } else if constexpr (std::is_same_v<T, AddOp>) {
          return add(xs);
        } else if constexpr (std::is_same_v<T, SliceOp>) {
          return slice(*xs[0], o);
        } else if constexpr (std::is_same_v<T, SpaceToDepthOp>) {
          return space_to_depth(*xs[0]);
        } else if constexpr (std::is_same_v<T, DecodeDflOp>) {
          return decode_dfl(xs, o);
        } else if constexpr (std::is_same_v<T, DecodeAnchorOp>) {
          return decode_anchor(xs, o);
        } else {
          return {};
        }
      },
      op);
}

double deviation(const Tensor& tensor) {
  double sum = 0, square = 0;
  for (const float v : tensor.values) {
    sum += v;
    square += double{v} * v;
  }
  const auto n = static_cast<double>(tensor.values.size());
  return std::sqrt(std::max(0.0, square / n - sum / n * (sum / n)));
}

// As photographs are: the coarser a structure, the stronger.
Tensor picture(int64_t height, int64_t width) {
  Tensor x(1, height, width, 3);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t i = 0; i < width; ++i) {
      for (int64_t c = 0; c < 3; ++c) {
        double value = 0.5, amplitude = 0.25, frequency = 0.05;
        for (int octave = 0; octave < 5; ++octave) {
          value +=
              amplitude *
              std::sin(frequency * static_cast<double>(y) + octave + 0.3 * static_cast<double>(c)) *
              std::cos(0.8 * frequency * static_cast<double>(i) - 2 * octave);
          amplitude /= 2;
          frequency *= 2;
        }
        x.at(0, y, i, c) = static_cast<float>(value);
      }
    }
  }
  return x;
}

// Every node's value, in order.
void walk(const Model& model, const std::function<void(const Node&, const Tensor&)>& visit) {
  std::vector<Tensor> values{picture(128, 192)};
  for (size_t i = 1; i < model.spec.graph.nodes.size(); ++i) {
    const Node& node = model.spec.graph.nodes[i];
    std::vector<const Tensor*> xs;
    for (const int input : node.inputs) xs.push_back(&values[static_cast<size_t>(input)]);
    values.push_back(compute(model, node.op, xs));
    visit(node, values.back());
  }
}

// Best score of an anchor: class, or objectness * class.
std::vector<double> best_scores(const Tensor& prediction, bool has_objectness) {
  std::vector<double> best;
  const int64_t first = has_objectness ? 5 : 4;
  for (int64_t a = 0; a < prediction.w; ++a) {
    double score = 0;
    for (int64_t k = first; k < prediction.c; ++k) {
      score = std::max(score, double{prediction.at(0, 0, a, k)});
    }
    best.push_back(has_objectness ? score * prediction.at(0, 0, a, 4) : score);
  }
  return best;
}

class AliveNetwork : public ::testing::TestWithParam<const char*> {};

TEST_P(AliveNetwork, NoLayerVanishesOrExplodesAndScoresAreSpread) {
  const auto made = make_synthetic_model(1, options_for(GetParam()));
  ASSERT_OK(made);
  EXPECT_EQ(class_count(made->model.spec), 80);
  Tensor prediction;
  walk(made->model, [&](const Node& node, const Tensor& value) {
    if (const auto* conv = std::get_if<ConvOp>(&node.op)) {
      // Of ReLU's image of a normal number of deviation 16; of a head's logits.
      const double expected = conv->activation == Activation::kNone ? 1.5 : 9.4;
      EXPECT_GT(deviation(value), expected / 4) << node.name;
      EXPECT_LT(deviation(value), expected * 4) << node.name;
    }
    prediction = value;
  });
  const bool anchors =
      std::holds_alternative<DecodeAnchorOp>(made->model.spec.graph.nodes.back().op);
  const std::vector<double> scores = best_scores(prediction, anchors);
  const auto above = [&](double threshold) {
    const auto count = std::ranges::count_if(scores, [&](double s) { return s > threshold; });
    return static_cast<double>(count) / static_cast<double>(scores.size());
  };
  EXPECT_GT(above(0.001), 0.5);
  EXPECT_LT(above(0.25), 0.4);
}

INSTANTIATE_TEST_SUITE_P(Small, AliveNetwork, ::testing::Values("gelan-t", "yolov7-tiny"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Synthetic, SameSeedSameBits) {
  const auto made = [](uint64_t seed, DType dtype) {
    ConvertOptions options = options_for("gelan-t");
    options.weight_dtype = dtype;
    return make_synthetic_model(seed, options);
  };
  const auto a = made(5, DType::kF32), b = made(5, DType::kF32), c = made(6, DType::kF32);
  const auto half = made(5, DType::kF16);
  ASSERT_TRUE(a.ok() && b.ok() && c.ok() && half.ok());
  for (const auto& [name, tensor] : a->model.tensors) {
    const std::vector<float> values = floats_of(a->model, name);
    EXPECT_EQ(floats_of(b->model, name), values) << name;
    if (!name.ends_with(".weight")) continue;
    EXPECT_NE(floats_of(c->model, name), values) << name;
    const std::vector<float> rounded = floats_of(half->model, name);
    EXPECT_TRUE(testing::all_close(rounded, values, 1e-6, 1e-3)) << name;
  }
  // The very bits, wherever this is compiled.
  const std::vector<float> first = floats_of(a->model, "model.0.weight");
  EXPECT_FLOAT_EQ(first[0], kFirstWeight);
}

TEST(Synthetic, NamesTheArchitectureAndTheSeed) {
  const auto made = make_synthetic_model(7, options_for("yolov7-tiny"));
  ASSERT_OK(made);
  EXPECT_EQ(made->model.spec.architecture, "yolov7-tiny");
  EXPECT_EQ(made->model.spec.source_name, "synthetic weights, seed 7");
  EXPECT_EQ(made->report.dialect, "yolov7 definition with synthetic weights");
  testing::expect_refused(make_synthetic_model(1, options_for("yolov5")).status(),
                          StatusCode::kInvalidArgument, "no architecture 'yolov5'");
}

}  // namespace
}  // namespace yolocu

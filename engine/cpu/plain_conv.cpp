#include "engine/cpu/plain_conv.h"

#include <array>
#include <cmath>
#include <cstring>

#include "engine/base/half.h"

namespace yolocu::cpu {
namespace {

constexpr int64_t kMaxLanes = 16;
using Sums = std::array<double, kMaxLanes>;  // sums of int8 are exact, too
constexpr float kMost = 127.0f;
constexpr int kZero = 128;  // what is stored for int8's 0

float read(const std::byte* data, Element element, int64_t index) {
  if (element == Element::kI8) return static_cast<float>(static_cast<int>(data[index]) - kZero);
  if (element == Element::kF32) return reinterpret_cast<const float*>(data)[index];
  return bfloat16_to_float(reinterpret_cast<const uint16_t*>(data)[index]);
}

// int8: in units.
void write(std::byte* data, Element element, int64_t index, float value) {
  if (element == Element::kI8) {
    const float least = value > -kMost ? value : -kMost;
    const auto units = static_cast<int>(std::nearbyint(least < kMost ? least : kMost));
    data[index] = static_cast<std::byte>(units + kZero);
    return;
  }
  if (element == Element::kF32) {
    reinterpret_cast<float*>(data)[index] = value;
  } else {
    reinterpret_cast<uint16_t*>(data)[index] = float_to_bfloat16(value);
  }
}

float activate(float x, const ConvShape& shape) {
  switch (shape.activation) {
    case Activation::kNone: return x;
    case Activation::kSilu: return x / (1.0f + std::exp(-x));
    case Activation::kLeakyRelu: return x < 0 ? x * shape.negative_slope : x;
    case Activation::kRelu: return x < 0 ? 0 : x;
  }
  return x;
}

class PlainConv {
 public:
  PlainConv(const ConvTask& task, ConvAlgorithm algorithm, int64_t lanes)
      : task_(task),
        shape_(task.shape),
        is_depthwise_(algorithm == ConvAlgorithm::kDepthwise),
        lanes_(lanes) {}

  // Row p of the outputs of a panel.
  void run(const ConvPanel& panel, int64_t p) const {
    const auto* const weights = reinterpret_cast<const float*>(task_.weights) + panel.weight_offset;
    for (int64_t n = 0; n < panel.blocks; ++n) {
      for (int64_t q = 0; q < shape_.out_width; ++q) {
        Sums sums{};
        accumulate(sums, panel, weights + n * lanes_, p, q);
        finish(sums, panel.first_block + n, p * shape_.out_width + q);
      }
    }
  }

 private:
  // Of lane l: where channel c of pixel (y, x) of the panel's group is.
  float source(const ConvPanel& panel, int64_t c, int64_t y, int64_t x) const {
    const bool is_picture = shape_.layout == SourceLayout::kPicture;
    const int64_t block = is_picture ? shape_.in_channels : lanes_;
    const int64_t channel = (is_picture ? 0 : panel.source_block * lanes_) + c;
    const int64_t pixels = shape_.in_height * shape_.in_width;
    const int64_t pixel = y * shape_.in_width + x;
    return read(task_.source, shape_.source,
                (channel / block * pixels + pixel) * block + channel % block);
  }

  // Weights are [C/block][taps][block][blocks of the panel][lanes]; depthwise [taps][lanes].
  void accumulate(Sums& sums, const ConvPanel& panel, const float* weights, int64_t p,
                  int64_t q) const {
    const int64_t taps = shape_.kernel * shape_.kernel;
    const int64_t vector = panel.blocks * lanes_;
    const int64_t channels = shape_.in_channels / shape_.groups;
    const int64_t block = shape_.layout == SourceLayout::kPicture ? channels : lanes_;
    for (int64_t tap = 0; tap < taps; ++tap) {
      const int64_t y = p * shape_.stride + tap / shape_.kernel - shape_.padding;
      const int64_t x = q * shape_.stride + tap % shape_.kernel - shape_.padding;
      if (y < 0 || y >= shape_.in_height || x < 0 || x >= shape_.in_width) continue;
      if (is_depthwise_) {
        for (int64_t l = 0; l < lanes_; ++l) {
          sums[static_cast<size_t>(l)] +=
              double{source(panel, l, y, x)} * double{weights[tap * lanes_ + l]};
        }
        continue;
      }
      for (int64_t c = 0; c < channels; ++c) {
        const float value = source(panel, c, y, x);
        const float* const w = weights + ((c / block * taps + tap) * block + c % block) * vector;
        for (int64_t l = 0; l < lanes_; ++l) {
          sums[static_cast<size_t>(l)] += double{value} * double{w[l]};
        }
      }
    }
  }

  void finish(const Sums& sums, int64_t block, int64_t pixel) const {
    const bool to_int8 = shape_.destination == Element::kI8;
    const int64_t first = (block * shape_.out_height * shape_.out_width + pixel) * lanes_;
    for (int64_t l = 0; l < lanes_; ++l) {
      const int64_t k = block * lanes_ + l;
      float sum = static_cast<float>(sums[static_cast<size_t>(l)]);
      if (shape_.source == Element::kI8) sum *= task_.scale[k];
      float value = activate(sum + task_.bias[k], shape_);
      if (task_.residual != nullptr) {
        const float added = read(task_.residual, shape_.destination, first + l);
        value += to_int8 ? added * task_.residual_scale[k] : added;
      }
      if (to_int8) value *= task_.inverse_output_scale;
      write(task_.destination, shape_.destination, first + l, value);
    }
  }

  const ConvTask& task_;
  const ConvShape& shape_;
  bool is_depthwise_;
  int64_t lanes_;
};

}  // namespace

void plain_conv(Team& team, const ConvTask& task, ConvAlgorithm algorithm, int64_t lanes) {
  const PlainConv conv(task, algorithm, lanes);
  const auto panels = static_cast<int64_t>(task.panels.size());
  team.run(panels * task.shape.out_height, [&](int64_t i, int) {
    conv.run(task.panels[static_cast<size_t>(i % panels)], i / panels);
  });
}

}  // namespace yolocu::cpu

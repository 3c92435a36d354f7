#include "tests/engine/conv_problem.h"

#include <cmath>
#include <random>

#include "engine/base/half.h"
#include "engine/base/str_cat.h"

namespace yolocu::cpu {
namespace {

double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kSilu: return x / (1 + std::exp(-x));
    case Activation::kLeakyRelu: return x < 0 ? x * 0.125 : x;
    case Activation::kRelu: return x < 0 ? 0 : x;
  }
  return x;
}

class Source {
 public:
  explicit Source(Numbers numbers) : numbers_(numbers) {}

  std::vector<float> values(int64_t count, int64_t largest, double scale = 1) {
    std::vector<float> list(static_cast<size_t>(count));
    for (float& value : list) {
      const double drawn = numbers_ == Numbers::kIntegers
                               ? static_cast<double>(std::uniform_int_distribution<int64_t>(
                                     -largest, largest)(bits_))
                               : std::uniform_real_distribution<double>(-1, 1)(bits_);
      value = static_cast<float>(drawn * scale);
    }
    return list;
  }

 private:
  Numbers numbers_;
  std::mt19937 bits_{7};
};

void round_to(std::vector<float>& values, Element element) {
  if (element != Element::kBf16) return;
  for (float& value : values) value = bfloat16_to_float(float_to_bfloat16(value));
}
}  // namespace

std::string text(const Case& c) {
  return str_cat(c.in, " to ", c.out, ", ", c.height, "x", c.width, ", window ", c.kernel, "/",
                 c.stride, "+", c.padding, ", groups ", c.groups);
}

Problem make_problem(const Case& c, Numbers numbers, double weight_scale, Element source_element,
                     Element destination, Element weight_element) {
  Problem p;
  p.out_height = (c.height + 2 * c.padding - c.kernel) / c.stride + 1;
  p.out_width = (c.width + 2 * c.padding - c.kernel) / c.stride + 1;
  Source source(numbers);
  const int64_t in_group = c.in / c.groups;
  p.x = source.values(c.height * c.width * c.in, c.most_input);
  p.w = source.values(c.out * c.kernel * c.kernel * in_group, c.most_weight, weight_scale);
  p.bias = source.values(c.out, 4);
  p.residual = source.values(p.out_height * p.out_width * c.out, 4);
  round_to(p.x, source_element);
  round_to(p.residual, destination);
  round_to(p.w, weight_element);
  for (int64_t py = 0; py < p.out_height; ++py) {
    for (int64_t px = 0; px < p.out_width; ++px) {
      for (int64_t k = 0; k < c.out; ++k) {
        double sum = p.bias[static_cast<size_t>(k)];
        double bound = std::abs(sum);
        for (int64_t tap = 0; tap < c.kernel * c.kernel; ++tap) {
          const int64_t y = py * c.stride + tap / c.kernel - c.padding;
          const int64_t x = px * c.stride + tap % c.kernel - c.padding;
          if (y < 0 || y >= c.height || x < 0 || x >= c.width) continue;
          for (int64_t i = 0; i < in_group; ++i) {
            const int64_t channel = k / (c.out / c.groups) * in_group + i;
            const double product =
                double{p.x[static_cast<size_t>((y * c.width + x) * c.in + channel)]} *
                double{p.w[static_cast<size_t>((k * c.kernel * c.kernel + tap) * in_group + i)]};
            sum += c.sum_scale_of(k) * product;
            bound += c.sum_scale_of(k) * std::abs(product);
          }
        }
        const auto at = p.y.size();
        const double added = c.residual ? c.residual_scale_of(k) * double{p.residual[at]} : 0.0;
        p.y.push_back(activate(sum, c.activation) + added);
        p.bounds.push_back(bound + std::abs(added));
      }
    }
  }
  return p;
}

std::vector<std::byte> to_blocks(const std::vector<float>& pixels, int64_t channels,
                                 const ChannelLayout& layout, int64_t block, Element element) {
  const int64_t count = static_cast<int64_t>(pixels.size()) / channels;
  const std::byte zero{element == Element::kI8 ? uint8_t{128} : uint8_t{0}};
  std::vector<std::byte> blocks(
      static_cast<size_t>(count * layout.padded_channels() * element_bytes(element)), zero);
  for (int64_t p = 0; p < count; ++p) {
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t position = layout.position(c);
      const int64_t index = (position / block * count + p) * block + position % block;
      const float value = pixels[static_cast<size_t>(p * channels + c)];
      if (element == Element::kI8) {
        blocks[static_cast<size_t>(index)] = static_cast<std::byte>(static_cast<int>(value) + 128);
      } else if (element == Element::kBf16) {
        reinterpret_cast<uint16_t*>(blocks.data())[index] = float_to_bfloat16(value);
      } else {
        reinterpret_cast<float*>(blocks.data())[index] = value;
      }
    }
  }
  return blocks;
}

float read(const std::vector<std::byte>& data, int64_t index, Element element) {
  if (element == Element::kI8)
    return static_cast<float>(static_cast<int>(data[static_cast<size_t>(index)]) - 128);
  if (element == Element::kF32) return reinterpret_cast<const float*>(data.data())[index];
  return bfloat16_to_float(reinterpret_cast<const uint16_t*>(data.data())[index]);
}

}  // namespace yolocu::cpu

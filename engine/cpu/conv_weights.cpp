#include "engine/cpu/conv_weights.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "engine/base/half.h"
#include "engine/base/str_cat.h"
#include "engine/cpu/kernels/winograd_shape.h"

namespace yolocu::cpu {
namespace {

constexpr int64_t kNone = -1;
constexpr int64_t kMaxLanes = 16;

float read_half(const std::byte* data) {
  uint16_t bits = 0;
  std::memcpy(&bits, data, sizeof(bits));
  return half_to_float(bits);
}

float read_float(const std::byte* data) {
  float value = 0;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

// The logical channel at each position; kNone in padding.
std::vector<int64_t> channels_at(const ChannelLayout& layout) {
  std::vector<int64_t> channels(static_cast<size_t>(layout.padded_channels()), kNone);
  for (int64_t c = 0; c < layout.channels(); ++c) {
    channels[static_cast<size_t>(layout.position(c))] = c;
  }
  return channels;
}

// The weights by positions of channels.
class Weights {
 public:
  Weights(const TensorView& weight, const ConvPart& part)
      : weight_(weight),
        kernel_(part.conv->kernel),
        in_group_(part.in->channels() / part.conv->groups),
        out_group_(part.out->channels() / part.conv->groups),
        in_(channels_at(*part.in)),
        out_(channels_at(*part.out)) {}

  // Zero where either position is padding, or they belong to different groups.
  float at(int64_t out_position, int64_t in_position, int64_t r, int64_t s) const {
    const int64_t k = out_[static_cast<size_t>(out_position)];
    const int64_t c = in_[static_cast<size_t>(in_position)];
    if (k == kNone || c == kNone || k / out_group_ != c / in_group_) return 0;
    const int64_t index = ((k * kernel_ + r) * kernel_ + s) * in_group_ + c % in_group_;
    const std::byte* const data = weight_.data.data();
    if (weight_.dtype == DType::kI8) return static_cast<float>(static_cast<int8_t>(data[index]));
    return weight_.dtype == DType::kF16 ? read_half(data + index * 2)
                                        : read_float(data + index * 4);
  }

 private:
  const TensorView& weight_;
  int64_t kernel_, in_group_, out_group_;
  std::vector<int64_t> in_, out_;
};

void write(std::byte* to, float value) {
  std::memcpy(to, &value, sizeof(value));
}

void write_int8(std::byte* to, float value) {
  *to = static_cast<std::byte>(static_cast<int8_t>(value));
}

void write_bf16(std::byte* to, float value) {
  const uint16_t bits = float_to_bfloat16(value);
  std::memcpy(to, &bits, sizeof(bits));
}

// One run of output lanes for `pack` input channels from `c` on.
void pack_lanes(std::byte*& to, const Weights& weights, const ConvPanel& panel, int64_t lanes,
                int64_t c, int64_t r, int64_t s, Element element) {
  const int64_t first = panel.first_block * lanes;
  const int64_t pack = 4 / element_bytes(element);
  for (int64_t k = 0; k < panel.blocks * lanes; ++k) {
    for (int64_t i = 0; i < pack; ++i, to += element_bytes(element)) {
      const float value = weights.at(first + k, c + i, r, s);
      if (element == Element::kF32) write(to, value);
      if (element == Element::kBf16) write_bf16(to, value);
      if (element == Element::kI8) write_int8(to, value);
    }
  }
}

void pack_direct_panel(std::byte* to, const Weights& weights, const ConvShape& shape,
                       const ConvPanel& panel, int64_t lanes, Element element) {
  const bool is_picture = shape.layout == SourceLayout::kPicture;
  const int64_t block = is_picture ? shape.in_channels : lanes;
  const int64_t first = is_picture ? 0 : panel.source_block * lanes;
  const int64_t pack = 4 / element_bytes(element);
  for (int64_t b = 0; b < shape.in_channels / shape.groups; b += block) {
    for (int64_t r = 0; r < shape.kernel; ++r) {
      for (int64_t s = 0; s < shape.kernel; ++s) {
        for (int64_t c = 0; c < block; c += pack) {
          pack_lanes(to, weights, panel, lanes, first + b + c, r, s, element);
        }
      }
    }
  }
}

void pack_depthwise_panel(std::byte* to, const Weights& weights, const ConvShape& shape,
                          const ConvPanel& panel, int64_t lanes) {
  const int64_t first = panel.first_block * lanes;
  for (int64_t r = 0; r < shape.kernel; ++r) {
    for (int64_t s = 0; s < shape.kernel; ++s) {
      for (int64_t k = first; k < first + lanes; ++k, to += sizeof(float)) {
        write(to, weights.at(k, k, r, s));
      }
    }
  }
}

template <typename T>
using Lanes = std::array<T, kMaxLanes>;

// t = G g: 3 to 6, for each lane.
void transform_weights(const Lanes<float>* g, Lanes<float>* t) {
  for (size_t k = 0; k < kMaxLanes; ++k) {
    const float sum = g[0][k] + g[2][k];
    const float wide = g[0][k] + 4 * g[2][k];
    t[0][k] = g[0][k] / 4;
    t[1][k] = -(sum + g[1][k]) / 6;
    t[2][k] = -(sum - g[1][k]) / 6;
    t[3][k] = (wide + 2 * g[1][k]) / 24;
    t[4][k] = (wide - 2 * g[1][k]) / 24;
    t[5][k] = g[2][k];
  }
}

// t = D G g of integers: see winograd_arithmetic.h.
void transform_weights(const Lanes<int>* g, Lanes<int>* t) {
  for (size_t k = 0; k < kMaxLanes; ++k) {
    const int sum = g[0][k] + g[2][k];
    const int wide = g[0][k] + 4 * g[2][k];
    t[0][k] = 3 * g[0][k];
    t[1][k] = -(sum + g[1][k]);
    t[2][k] = -(sum - g[1][k]);
    t[3][k] = wide + 2 * g[1][k];
    t[4][k] = wide - 2 * g[1][k];
    t[5][k] = 3 * g[2][k];
  }
}

// The weights of the 36 products of one block of outputs and input channel c.
template <typename T>
std::array<Lanes<T>, kWinogradProducts> transform_window(const Weights& weights, int64_t first,
                                                         int64_t c, int64_t lanes) {
  Lanes<T> g[3][3] = {};  // [column][row]
  for (int64_t r = 0; r < 3; ++r) {
    for (int64_t s = 0; s < 3; ++s) {
      for (int64_t k = 0; k < lanes; ++k) {
        g[s][r][static_cast<size_t>(k)] = static_cast<T>(weights.at(first + k, c, r, s));
      }
    }
  }
  Lanes<T> columns[6][3];  // [row][column]
  for (size_t s = 0; s < 3; ++s) {
    Lanes<T> column[6];
    transform_weights(g[s], column);
    for (size_t i = 0; i < 6; ++i) columns[i][s] = column[i];
  }
  std::array<Lanes<T>, kWinogradProducts> products;
  for (size_t i = 0; i < 6; ++i) transform_weights(columns[i], &products[i * 6]);
  return products;
}

// T: what is computed with; Stored: of the packed weights, 4 / sizeof(Stored) channels in a lane.
template <typename T, typename Stored>
void pack_winograd_panel(std::byte* packed, const Weights& weights, const ConvShape& shape,
                         const ConvPanel& panel, int64_t lanes) {
  constexpr int64_t kPack = 4 / sizeof(Stored);
  auto* const to = reinterpret_cast<Stored*>(packed);
  const int64_t row = panel.blocks * lanes;
  for (int64_t c = 0; c < shape.in_channels; ++c) {
    for (int64_t n = 0; n < panel.blocks; ++n) {
      const auto products = transform_window<T>(weights, (panel.first_block + n) * lanes, c, lanes);
      int64_t at = (c / kPack * row + n * lanes) * kPack + c % kPack;
      for (const Lanes<T>& product : products) {
        for (int64_t k = 0; k < lanes; ++k) {
          to[at + k * kPack] = static_cast<Stored>(product[static_cast<size_t>(k)]);
        }
        at += shape.in_channels * row;
      }
    }
  }
}

}  // namespace

Status pack_weights(std::span<std::byte> packed, const TensorView& weight, const ConvPart& part,
                    const ConvTask& task, ConvAlgorithm algorithm, int64_t lanes) {
  const Element element = weight_element(task.shape, algorithm);
  const bool is_int8 = weight.dtype == DType::kI8;
  const bool wants_int8 = element == Element::kI8 || element == Element::kI16;
  const bool fits = is_int8 ? element != Element::kBf16 : !wants_int8;
  if (!fits || (!is_int8 && weight.dtype != DType::kF16 && weight.dtype != DType::kF32)) {
    return unsupported(str_cat("weights: expected ", wants_int8 ? "I8" : "F16 or F32", ", got ",
                               dtype_name(weight.dtype)));
  }
  const Weights weights(weight, part);
  for (const ConvPanel& panel : task.panels) {
    std::byte* const to = packed.data() + panel.weight_offset * element_bytes(element);
    if (element == Element::kI16) {
      pack_winograd_panel<int, int16_t>(to, weights, task.shape, panel, lanes);
    } else if (algorithm == ConvAlgorithm::kWinograd) {
      pack_winograd_panel<float, float>(to, weights, task.shape, panel, lanes);
    } else if (algorithm == ConvAlgorithm::kDepthwise) {
      pack_depthwise_panel(to, weights, task.shape, panel, lanes);
    } else {
      pack_direct_panel(to, weights, task.shape, panel, lanes, element);
    }
  }
  return {};
}

Status pack_channels(std::span<float> packed, const TensorView& values, const ConvPart& part) {
  if (values.dtype != DType::kF32) {
    return unsupported(str_cat("biases or scales: expected F32, got ", dtype_name(values.dtype)));
  }
  for (int64_t k = 0; k < part.out->channels(); ++k) {
    packed[static_cast<size_t>(part.out->position(k))] = read_float(values.data.data() + k * 4);
  }
  return {};
}

bool fits_winograd(const TensorView& weight) {
  constexpr int64_t kMostInput = 127;
  constexpr int64_t kMostSum = (int64_t{1} << 25) - 1;
  if (weight.dtype != DType::kI8) return true;
  const int64_t outputs = weight.shape[0];
  const int64_t count = static_cast<int64_t>(weight.data.size()) / outputs;
  for (int64_t k = 0; k < outputs; ++k) {
    int64_t sum = 0;
    for (const std::byte w :
         weight.data.subspan(static_cast<size_t>(k * count), static_cast<size_t>(count))) {
      sum += std::abs(int{static_cast<int8_t>(w)});
    }
    if (kMostInput * sum > kMostSum) return false;
  }
  return true;
}

void pack_compensation(std::span<int32_t> packed, const TensorView& weight, const ConvPart& part) {
  constexpr int64_t kZero = 128;  // what is stored for q = 0
  const int64_t count = static_cast<int64_t>(weight.data.size()) / part.out->channels();
  for (int64_t k = 0; k < part.out->channels(); ++k) {
    int64_t sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      sum += static_cast<int8_t>(weight.data[static_cast<size_t>(k * count + i)]);
    }
    // Wraps around, as sums do that start with it: what fits comes out right.
    packed[static_cast<size_t>(part.out->position(k))] =
        static_cast<int32_t>(static_cast<uint32_t>(-kZero * sum));
  }
}

}  // namespace yolocu::cpu

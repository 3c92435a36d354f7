#include "engine/gpu/conv_weights.h"

#include <cmath>
#include <cstring>

#include "engine/base/half.h"
#include "engine/base/str_cat.h"

namespace yolocu::gpu {
namespace {

template <uint16_t (*kConvert)(float)>
void store_16(std::byte* dst, std::span<const float> src) {
  for (size_t i = 0; i < src.size(); ++i) {
    const uint16_t bits = kConvert(src[i]);
    std::memcpy(dst + i * sizeof(bits), &bits, sizeof(bits));
  }
}

constexpr float kLargestHalf = 65504.0f;

Status check_range(std::span<const float> row, DType dtype) {
  if (dtype != DType::kF16) return {};
  for (const float value : row) {
    if (std::isfinite(value) && std::abs(value) > kLargestHalf) {
      return unsupported(
          str_cat("a weight of ", value, " is beyond fp16; --precision bf16 or fp32 can hold it"));
    }
  }
  return {};
}

// Gives rows of C / groups weights, those of one filter position of one output channel, as `dtype`.
class RowReader {
 public:
  RowReader(const TensorView& weight, DType dtype, int64_t channels)
      : weight_(weight),
        dtype_(dtype),
        floats_(static_cast<size_t>(channels)),
        converted_(static_cast<size_t>(channels * size_bytes(dtype))) {}

  Result<const std::byte*> row(int64_t number) {
    const auto channels = static_cast<int64_t>(floats_.size());
    const std::byte* from = weight_.data.data() + number * channels * size_bytes(weight_.dtype);
    if (weight_.dtype == dtype_) return from;
    if (weight_.dtype == DType::kF32) {
      std::memcpy(floats_.data(), from, floats_.size() * sizeof(float));
    } else {
      read_halves(from);
    }
    YOLOCU_RETURN_IF_ERROR(check_range(floats_, dtype_));
    store_floats(converted_.data(), dtype_, floats_);
    return static_cast<const std::byte*>(converted_.data());
  }

 private:
  void read_halves(const std::byte* from) {
    for (float& value : floats_) {
      uint16_t bits = 0;
      std::memcpy(&bits, from, sizeof(bits));
      value = half_to_float(bits);
      from += sizeof(bits);
    }
  }

  const TensorView& weight_;
  DType dtype_;
  std::vector<float> floats_;
  std::vector<std::byte> converted_;
};

// Channels of one group that lie side by side with padding as without.
struct ChannelRun {
  int64_t channel, position, count;  // within the group, and its padded part
};

std::vector<ChannelRun> runs_of_group(const ChannelLayout& in, int64_t first, int64_t count,
                                      int64_t padded_part) {
  std::vector<ChannelRun> runs;
  for (int64_t c = 0; c < count; ++c) {
    const int64_t position = in.position(first + c) % padded_part;
    if (!runs.empty() && runs.back().position + runs.back().count == position) {
      ++runs.back().count;
    } else {
      runs.push_back({c, position, 1});
    }
  }
  return runs;
}

}  // namespace

int64_t padded_weight_elements(const ConvOp& conv, const ConvWeightLayout& layout) {
  return layout.out.padded_channels() * conv.kernel * conv.kernel *
         (layout.in.padded_channels() / layout.groups);
}

void store_floats(std::byte* dst, DType dtype, std::span<const float> src) {
  switch (dtype) {
    case DType::kF16: return store_16<float_to_half>(dst, src);
    case DType::kBF16: return store_16<float_to_bfloat16>(dst, src);
    default: std::memcpy(dst, src.data(), src.size_bytes());
  }
}

Status pack_weights(std::span<std::byte> packed, DType dtype, const TensorView& weight,
                    const ConvOp& conv, const ConvWeightLayout& layout) {
  if (weight.dtype != DType::kF16 && weight.dtype != DType::kF32) {
    return unsupported(str_cat("weights: expected F16 or F32, got ", dtype_name(weight.dtype)));
  }
  const int64_t taps = conv.kernel * conv.kernel, element = size_bytes(dtype);
  const int64_t group_in = layout.in.channels() / conv.groups;
  const int64_t group_out = layout.out.channels() / conv.groups;
  const int64_t padded_in = layout.in.padded_channels() / layout.groups;
  RowReader reader(weight, dtype, group_in);
  std::vector<ChannelRun> runs;
  for (int64_t k = 0; k < layout.out.channels(); ++k) {
    if (k % group_out == 0) {
      runs = runs_of_group(layout.in, k / group_out * group_in, group_in, padded_in);
    }
    for (int64_t tap = 0; tap < taps; ++tap) {
      YOLOCU_ASSIGN_OR_RETURN(const std::byte* const row, reader.row(k * taps + tap));
      std::byte* const to =
          packed.data() + (layout.out.position(k) * taps + tap) * padded_in * element;
      for (const ChannelRun& run : runs) {
        std::memcpy(to + run.position * element, row + run.channel * element,
                    static_cast<size_t>(run.count * element));
      }
    }
  }
  return {};
}

Status pack_bias(std::span<float> packed, const TensorView& bias, const ConvWeightLayout& layout) {
  if (bias.dtype != DType::kF32) {
    return unsupported(str_cat("bias: expected F32, got ", dtype_name(bias.dtype)));
  }
  for (int64_t k = 0; k < layout.out.channels(); ++k) {
    std::memcpy(&packed[static_cast<size_t>(layout.out.position(k))],
                bias.data.data() + k * static_cast<int64_t>(sizeof(float)), sizeof(float));
  }
  return {};
}

}  // namespace yolocu::gpu

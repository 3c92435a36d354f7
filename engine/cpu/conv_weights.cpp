#include "engine/cpu/conv_weights.h"

#include <cassert>
#include <cstring>
#include <vector>

#include "engine/base/half.h"
#include "engine/base/str_cat.h"

namespace yolocu::cpu {
namespace {

struct HalfReader {
  static constexpr int64_t kBytes = 2;
  static float read(const std::byte* data) {
    uint16_t bits = 0;
    std::memcpy(&bits, data, sizeof(bits));
    return half_to_float(bits);
  }
};

struct FloatReader {
  static constexpr int64_t kBytes = 4;
  static float read(const std::byte* data) {
    float value = 0;
    std::memcpy(&value, data, sizeof(value));
    return value;
  }
};

// Places in the packed weights, without the kernel position; k and c are the model's numbers.
class Offsets {
 public:
  Offsets(const ConvPart& part, const WeightOrder& order) : part_(part), order_(order) {
    const ConvProblem& problem = part.problem;
    out_group_ = problem.out_channels / problem.groups;
    model_in_group_ = part.in->channels() / part.conv->groups;
    model_out_group_ = part.out->channels() / part.conv->groups;
    const int64_t in_group = problem.in_channels / problem.groups;
    for (int64_t c = 0; c < part.in->channels(); ++c) {
      const int64_t position = part.in->position(c) % in_group;
      of_input_.push_back(position / order.block * order.in_block +
                          position % order.block * order.in);
    }
  }

  // Output channel k's place among the part's outputs; not in [0, out_channels) if it has none.
  int64_t out(int64_t k) const { return part_.out->position(k) - part_.out_begin; }

  // Depthwise kernels have their groups in blocks, as if they were output channels.
  int64_t of_output(int64_t k) const {
    const int64_t q = out(k);
    const int64_t within = order_.group == 0 ? q : q % out_group_;
    return q / out_group_ * order_.group + within / order_.block * order_.out_block +
           within % order_.block;
  }

  // Of the input channels of k's group.
  const int64_t* of_inputs(int64_t k) const {
    return of_input_.data() + k / model_out_group_ * model_in_group_;
  }

 private:
  const ConvPart& part_;
  const WeightOrder& order_;
  int64_t out_group_ = 0, model_in_group_ = 0, model_out_group_ = 0;
  std::vector<int64_t> of_input_;
};

template <typename Reader>
void pack(std::span<float> packed, const TensorView& weight, const ConvPart& part,
          const WeightOrder& order) {
  const Offsets offsets(part, order);
  const int64_t kernel = part.conv->kernel;
  const int64_t channels = part.in->channels() / part.conv->groups;
  for (int64_t k = 0; k < part.out->channels(); ++k) {
    if (offsets.out(k) < 0 || offsets.out(k) >= part.problem.out_channels) continue;
    float* const to = packed.data() + offsets.of_output(k);
    const int64_t* const of_input = offsets.of_inputs(k);
    const std::byte* from = weight.data.data() + k * kernel * kernel * channels * Reader::kBytes;
    for (int64_t r = 0; r < kernel; ++r) {
      for (int64_t s = 0; s < kernel; ++s) {
        float* const pixel = to + r * order.row + s * order.column;
        for (int64_t c = 0; c < channels; ++c, from += Reader::kBytes) {
          pixel[of_input[c]] = Reader::read(from);
        }
      }
    }
  }
}

}  // namespace

Status pack_weights(std::span<float> packed, const TensorView& weight, const ConvPart& part,
                    const WeightOrder& order) {
  if (weight.dtype == DType::kF16) {
    pack<HalfReader>(packed, weight, part, order);
  } else if (weight.dtype == DType::kF32) {
    pack<FloatReader>(packed, weight, part, order);
  } else {
    return unsupported(str_cat("weights: expected F16 or F32, got ", dtype_name(weight.dtype)));
  }
  return {};
}

Status pack_bias(std::span<float> packed, const TensorView& bias, const ConvPart& part) {
  if (bias.dtype != DType::kF32) {
    return unsupported(str_cat("bias: expected F32, got ", dtype_name(bias.dtype)));
  }
  for (int64_t k = 0; k < part.out->channels(); ++k) {
    const int64_t q = part.out->position(k) - part.out_begin;
    if (q < 0 || q >= part.problem.out_channels) continue;
    packed[static_cast<size_t>(q)] = FloatReader::read(bias.data.data() + k * FloatReader::kBytes);
  }
  return {};
}

}  // namespace yolocu::cpu

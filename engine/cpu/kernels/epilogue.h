// From accumulators to stored outputs: y = act(acc + bias) [+ residual], in the element of y.
#pragma once

#include <type_traits>

#include "engine/cpu/kernels/activation.h"
#include "engine/cpu/kernels/conv_task.h"
#include "engine/cpu/kernels/elements.h"
#include "engine/cpu/kernels/instruction_set.h"

namespace yolocu::cpu {

// Sums of floats, or of int8 products, as floats with the bias added; all of it times a factor.
template <typename Set>
struct FloatSums {
  typename Set::F bias;
  float factor;

  FloatSums(const ConvTask& task, int64_t channel, float times)
      : bias(load<typename Set::F>(task.bias + channel) * times), factor(times) {}
  typename Set::F operator()(typename Set::F sum) const { return sum * factor + bias; }
};

template <typename Set>
struct Int8Sums {
  typename Set::F bias, scale;

  Int8Sums(const ConvTask& task, int64_t channel, float times)
      : bias(load<typename Set::F>(task.bias + channel) * times),
        scale(load<typename Set::F>(task.scale + channel) * times) {}
  typename Set::F operator()(typename Set::I sum) const {
    return __builtin_convertvector(sum, typename Set::F) * scale + bias;
  }
};

// Where outputs of one block of channels go: rows of neighbours.
struct OutputPlace {
  int64_t block = 0;
  int64_t at = 0;  // element of the destination
  int64_t pixels = 0, rows = 1;
  int64_t row_stride = 0;  // elements from one row to the next
};

// Not inlined: one copy serves all kernels.
template <typename Set, typename Out, Activation kActivation, typename Accumulator>
[[gnu::noinline]] void finish_rows(const ConvTask& task, const OutputPlace& place,
                                   const Accumulator* sums, int64_t sums_stride) {
  using F = typename Set::F;
  constexpr int64_t kLanes = Set::kLanes;
  constexpr bool kFromInt8 = std::is_same_v<Accumulator, typename Set::I>;
  constexpr bool kToInt8 = std::is_same_v<Out, Int8Element<Set>>;
  constexpr bool kIsCoarseSilu = kActivation == Activation::kSilu && Out::kIsCoarse && Set::kHasDot;
  constexpr float kFactor = kIsCoarseSilu ? kCoarseFactor : 1.0f;
  const int64_t channel = place.block * kLanes;
  const std::conditional_t<kFromInt8, Int8Sums<Set>, FloatSums<Set>> to_float(task, channel,
                                                                              kFactor);
  // From what activations give to what is stored.
  const float scale = (kToInt8 ? task.inverse_output_scale : 1.0f) / kFactor;
  const bool is_scaled = kToInt8 && task.residual != nullptr;
  const F residual_scale =
      is_scaled ? load<F>(task.residual_scale + channel) * task.inverse_output_scale : F{};
  const F residual_offset = residual_scale * -float{Int8Element<Set>::kZero};
  const float negative_slope = task.shape.negative_slope;
  auto* y = reinterpret_cast<typename Out::Source*>(task.destination) + place.at;
  const auto* residual = reinterpret_cast<const typename Out::Source*>(task.residual);
  if (residual != nullptr) residual += place.at;

  const auto value_of = [&](int64_t i) {
    F value = to_float(sums[i]);
    if constexpr (kIsCoarseSilu) {
      value = coarse_silu<Set>(value);
    } else {
      value = activate<Set, kActivation>(value, negative_slope);
    }
    if (residual == nullptr) return value * scale;
    if constexpr (kToInt8) {
      return value * scale +
             (Out::load_stored(residual + i * kLanes) * residual_scale + residual_offset);
    } else {
      return value * scale + Out::load_floats(residual + i * kLanes);
    }
  };
  const int64_t rows = place.rows;
  const int64_t pixels = place.pixels;
  const int64_t row_stride = place.row_stride;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t i = 0;
    for (; i + kRun <= pixels; i += kRun) {
      F values[kRun];
#pragma GCC unroll 4
      for (int j = 0; j < kRun; ++j) values[j] = value_of(i + j);
      if constexpr (kToInt8) {
        Out::store_run(y + i * kLanes, values);
      } else {
#pragma GCC unroll 4
        for (int j = 0; j < kRun; ++j) Out::store_floats(y + (i + j) * kLanes, values[j]);
      }
    }
    for (; i < pixels; ++i) Out::store_floats(y + i * kLanes, value_of(i));
    sums += sums_stride;
    y += row_stride;
    if (residual != nullptr) residual += row_stride;
  }
}

// The outputs at `place` from sums [rows][sums_stride].
template <typename Set, typename Out, typename Accumulator>
inline void finish_pixels(const ConvTask& task, const OutputPlace& place, const Accumulator* sums,
                          int64_t sums_stride) {
  with_activation(task.shape.activation, [&](auto activation) {
    finish_rows<Set, Out, decltype(activation)::value>(task, place, sums, sums_stride);
  });
}

}  // namespace yolocu::cpu

// Epilogue of a convolution: y = act(sum + bias) + residual. Formula and tensors: conv.h.
#pragma once

#include "kernels/conv/conv_arguments.cuh"
#include "kernels/device/memory.h"
#include "kernels/device/numeric.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

YOLOCU_DEVICE float silu(float value) {
  return value * device::fast_reciprocal(1.0f + device::fast_exp(-value));
}

// values[i] = act(values[i]).
template <typename T, int kCount>
YOLOCU_DEVICE void activate(float (&values)[kCount], const ConvEpilogue<T>& epilogue) {
  const Activation activation = epilogue.activation;
  if (activation == Activation::kSilu) {
    YOLOCU_UNROLL
    for (float& value : values) value = silu(value);
  } else if (activation == Activation::kLeakyRelu) {
    YOLOCU_UNROLL
    for (float& value : values) value = value < 0.0f ? epilogue.negative_slope * value : value;
  } else if (activation == Activation::kRelu) {
    YOLOCU_UNROLL
    for (float& value : values) value = value < 0.0f ? 0.0f : value;
  }
}

// Channels that one thread finishes together: 16 bytes of T.
constexpr int kRunChannels = 8;

// A run of at most kRunChannels channels of y, and what of the epilogue they have in common.
struct ChannelRun {
  int channel;  // the first, of all groups
  int count;    // of the run; none if not positive
  float bias[kRunChannels];
};

// channel: within `group`.
template <typename T>
YOLOCU_DEVICE ChannelRun channel_run(const ConvEpilogue<T>& epilogue, const ConvShape& shape,
                                     int group, int channel) {
  ChannelRun run = {};
  run.channel = group * shape.out_channels + channel;
  run.count = shape.out_channels - channel;
  YOLOCU_UNROLL
  for (int i = 0; i < kRunChannels; ++i) {
    if (i < run.count) {
      run.bias[i] =
          epilogue.bias.template load<float, device::LoadHint::kReadOnly>(run.channel + i);
    }
  }
  return run;
}

// values[i] += residual[pixel, run.channel + i].
template <typename T>
YOLOCU_DEVICE void add_residual(float (&values)[kRunChannels], const ConvEpilogue<T>& epilogue,
                                const ChannelRun& run, int pixel) {
  const int64_t first = int64_t{pixel} * epilogue.residual_pixel_stride + run.channel;
  if (epilogue.has_vectors && run.count >= kRunChannels) {
    const auto words = epilogue.residual.template load<device::Words4>(first);
    const uint32_t pairs[] = {words.x, words.y, words.z, words.w};
    YOLOCU_UNROLL
    for (int i = 0; i < kRunChannels; ++i) {
      values[i] += device::to_float(T{static_cast<uint16_t>(pairs[i / 2] >> (i % 2 * 16))});
    }
    return;
  }
  YOLOCU_UNROLL
  for (int i = 0; i < kRunChannels; ++i) {
    if (i < run.count) values[i] += device::to_float(epilogue.residual.load(first + i));
  }
}

// y[pixel, run.channel + i] = values[i].
template <typename T>
YOLOCU_DEVICE void store_run(const ConvEpilogue<T>& epilogue, const ChannelRun& run, int pixel,
                             const float (&values)[kRunChannels]) {
  const int64_t first = int64_t{pixel} * epilogue.y_pixel_stride + run.channel;
  if (epilogue.has_vectors && run.count >= kRunChannels) {
    epilogue.y.template store<device::Words4>(
        first,
        {device::pack_pair<T>(values[0], values[1]), device::pack_pair<T>(values[2], values[3]),
         device::pack_pair<T>(values[4], values[5]), device::pack_pair<T>(values[6], values[7])});
    return;
  }
  YOLOCU_UNROLL
  for (int i = 0; i < kRunChannels; ++i) {
    if (i < run.count) epilogue.y.store(first + i, device::from_float<T>(values[i]));
  }
}

// The sums of one run of one pixel, to the end. values: sums, used up.
template <typename T>
YOLOCU_DEVICE void finish_run(const ConvEpilogue<T>& epilogue, const ChannelRun& run, int pixel,
                              float (&values)[kRunChannels]) {
  YOLOCU_UNROLL
  for (int i = 0; i < kRunChannels; ++i) values[i] += run.bias[i];
  activate(values, epilogue);
  if (epilogue.residual.get() != nullptr) add_residual(values, epilogue, run, pixel);
  store_run(epilogue, run, pixel, values);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

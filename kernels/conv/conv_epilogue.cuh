// Epilogue of a convolution: y = act(sum + bias) + residual. Formula and tensors: conv.h.
#pragma once

#include "kernels/channel_vector.cuh"
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

// channel: of all groups; count: from there on.
template <typename T>
YOLOCU_DEVICE ChannelRun channel_run(const ConvEpilogue<T>& epilogue, int channel, int count) {
  ChannelRun run = {};
  run.channel = channel;
  run.count = count;
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
YOLOCU_DEVICE void add_residual(float (&values)[kRunChannels], const ConvView<const T>& residual,
                                const ChannelRun& run, int pixel) {
  const int64_t first = int64_t{pixel} * residual.pixel_stride + run.channel;
  if (residual.has_vectors && run.count >= kRunChannels) {
    const auto words = residual.data.template load<device::Words4>(first);
    const uint32_t pairs[] = {words.x, words.y, words.z, words.w};
    YOLOCU_UNROLL
    for (int i = 0; i < kRunChannels; ++i) {
      values[i] += device::to_float(T{static_cast<uint16_t>(pairs[i / 2] >> (i % 2 * 16))});
    }
    return;
  }
  YOLOCU_UNROLL
  for (int i = 0; i < kRunChannels; ++i) {
    if (i < run.count) values[i] += device::to_float(residual.data.load(first + i));
  }
}

// put(index of the first channel) for the pixel of y in the view, or for the four that repeat it.
template <typename T, typename Put>
YOLOCU_DEVICE void for_each_copy(const ConvView<T>& view, const ConvShape& shape, int pixel,
                                 const Put& put) {
  if (!view.is_upsampled) {
    put(int64_t{pixel} * view.pixel_stride);
    return;
  }
  // Row 2p of 2Q pixels, column 2q; pixel = p * Q + q, the batch counted in p.
  const int64_t row_pixels = 2 * shape.out_width;
  const int64_t corner = pixel / shape.out_width * row_pixels + 2 * int64_t{pixel};
  for (int i = 0; i < 4; ++i) put((corner + i / 2 * row_pixels + i % 2) * view.pixel_stride);
}

// A run as it is stored: pairs of T.
struct StoredRun {
  uint32_t pairs[kRunChannels / 2];
};

// view[pixel, run.channel + i] = value i of the run.
template <typename T>
YOLOCU_DEVICE void store_run(const ConvView<T>& view, const ConvShape& shape, const ChannelRun& run,
                             int pixel, const StoredRun& stored) {
  const auto& pairs = stored.pairs;
  for_each_copy(view, shape, pixel, [&](int64_t index) {
    const int64_t first = index + run.channel;
    if (view.has_vectors && run.count >= kRunChannels) {
      view.data.template store<device::Words4>(first, {pairs[0], pairs[1], pairs[2], pairs[3]});
      return;
    }
    YOLOCU_UNROLL
    for (int i = 0; i < kRunChannels; ++i) {
      if (i < run.count) {
        view.data.store(first + i, T{static_cast<uint16_t>(pairs[i / 2] >> (i % 2 * 16))});
      }
    }
  });
}

// The sums of one run of one pixel, to the end. values: sums, used up.
template <typename T>
YOLOCU_DEVICE void finish_run(const ConvArguments<T>& arguments, const ChannelRun& run, int pixel,
                              float (&values)[kRunChannels]) {
  const ConvEpilogue<T>& epilogue = arguments.epilogue;
  YOLOCU_UNROLL
  for (int i = 0; i < kRunChannels; ++i) values[i] += run.bias[i];
  activate(values, epilogue);
  if (epilogue.residual.data.get() != nullptr) {
    add_residual(values, epilogue.residual, run, pixel);
  }
  StoredRun stored;
  YOLOCU_UNROLL
  for (int i = 0; i < kRunChannels / 2; ++i) {
    stored.pairs[i] = device::pack_pair<T>(values[2 * i], values[2 * i + 1]);
  }
  store_run(epilogue.y, arguments.shape, run, pixel, stored);
  if (epilogue.second.data.get() != nullptr) {
    store_run(epilogue.second, arguments.shape, run, pixel, stored);
  }
}

// The same for one sum. k: the channel of y, of all groups.
template <typename T>
YOLOCU_DEVICE void finish_number(const ConvArguments<T>& arguments, int pixel, int k, float sum) {
  const ConvEpilogue<T>& epilogue = arguments.epilogue;
  float value[] = {sum + epilogue.bias.template load<float, device::LoadHint::kReadOnly>(k)};
  activate(value, epilogue);
  const auto& residual = epilogue.residual;
  if (residual.data.get() != nullptr) {
    value[0] += to_number(residual.data.load(int64_t{pixel} * residual.pixel_stride + k));
  }
  const auto stored = from_number<T>(value[0]);
  const auto store = [&](const ConvView<T>& view) {
    for_each_copy(view, arguments.shape, pixel,
                  [&](int64_t index) { view.data.store(index + k, stored); });
  };
  store(epilogue.y);
  if (epilogue.second.data.get() != nullptr) store(epilogue.second);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

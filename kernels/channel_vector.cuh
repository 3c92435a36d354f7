// Vectors of channels, and the loop over the pixels and channels of a view, which the kernels that
// map pixels to pixels share.
#pragma once

#include <type_traits>

#include "engine/base/dtype.h"
#include "kernels/device/dependent_launch.h"
#include "kernels/device/memory.h"
#include "kernels/device/numeric.h"
#include "kernels/device/threads.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// What a kernel calls an element of a dtype that it computes with.
template <DType kDType>
struct NumberOf;
template <>
struct NumberOf<DType::kF16> {
  using Type = device::Half;
};
template <>
struct NumberOf<DType::kBF16> {
  using Type = device::Bfloat16;
};
template <>
struct NumberOf<DType::kF32> {
  using Type = float;
};

// kCount neighbouring elements, moved by one access.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) ChannelVector {
  T values[kCount];
};

template <typename T>
YOLOCU_DEVICE float to_number(T value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return device::to_float(value);
  }
}

// Rounded once, to nearest even.
template <typename T>
YOLOCU_DEVICE T from_number(float value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return device::from_float<T>(value);
  }
}

// numbers[i] = x[index + i]
template <typename T, int kCount>
YOLOCU_DEVICE void load_numbers(float (&numbers)[kCount], device::GlobalPtr<const T> x,
                                int64_t index YOLOCU_SITE) {
  const auto vector = x.template load<ChannelVector<T, kCount>>(index YOLOCU_PASS_SITE);
  YOLOCU_UNROLL
  for (int i = 0; i < kCount; ++i) numbers[i] = to_number(vector.values[i]);
}

// y[index + i] = numbers[i], rounded.
template <typename T, int kCount>
YOLOCU_DEVICE void store_numbers(device::GlobalPtr<T> y, int64_t index,
                                 const float (&numbers)[kCount] YOLOCU_SITE) {
  ChannelVector<T, kCount> vector;
  YOLOCU_UNROLL
  for (int i = 0; i < kCount; ++i) vector.values[i] = from_number<T>(numbers[i]);
  y.template store<ChannelVector<T, kCount>>(index, vector YOLOCU_PASS_SITE);
}

// work.template operator()<kWidth>(pixel, channel) for every run of channels of every pixel: runs
// of kCount, then single channels for the residue. Launched as pixel_tile() says, with vectors of
// kCount elements.
template <int kCount, typename Work>
YOLOCU_DEVICE void for_each_run(int pixels, int channels, const Work& work) {
  device::wait_for_prior_grids();
  device::allow_next_grid();
  const int whole = channels / kCount * kCount;
  const auto lanes = static_cast<int>(device::block_extent().x);
  const auto lane = static_cast<int>(device::thread_index().x);
  const int64_t rows = device::block_extent().y;
  const int64_t step = device::grid_extent().x * rows;
  for (int64_t p = device::block_index().x * rows + device::thread_index().y; p < pixels;
       p += step) {
    const auto pixel = static_cast<int>(p);
    for (int c = lane * kCount; c < whole; c += lanes * kCount) {
      work.template operator()<kCount>(pixel, c);
    }
    if constexpr (kCount > 1) {
      for (int c = whole + lane; c < channels; c += lanes) work.template operator()<1>(pixel, c);
    }
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

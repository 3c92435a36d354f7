// Buffers of numbers of any dtype, seen through a ChannelView, for oracles and their comparisons.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "engine/base/dtype.h"
#include "engine/base/half.h"
#include "kernels/channel_view.h"

namespace yolocu::testing {

// [pixels, view.pixel_stride] elements, of which `channels` from view.offset on are the view's.
class TypedView {
 public:
  // Every byte differs from its neighbours and from those of another seed.
  TypedView(DType dtype, int64_t pixels, const ChannelView& view, int64_t channels, uint32_t seed)
      : dtype_(dtype), pixels_(pixels), view_(view), channels_(channels) {
    bytes_.resize(static_cast<size_t>(pixels * view.pixel_stride * size_bytes(dtype)));
    std::minstd_rand random(seed + 1);
    for (uint8_t& byte : bytes_) byte = static_cast<uint8_t>(random() >> 8);
  }

  DType dtype() const { return dtype_; }
  int64_t pixels() const { return pixels_; }
  int64_t channels() const { return channels_; }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

  double get(int64_t pixel, int64_t channel) const {
    uint32_t bits = 0;
    std::memcpy(&bits, bytes_.data() + place(pixel, channel), element_bytes());
    if (dtype_ == DType::kF16) return double{half_to_float(static_cast<uint16_t>(bits))};
    if (dtype_ == DType::kBF16) return double{bfloat16_to_float(static_cast<uint16_t>(bits))};
    float value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    return double{value};
  }

  // Rounded to float, then to the dtype.
  void set(int64_t pixel, int64_t channel, double number) {
    const auto value = static_cast<float>(number);
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    if (dtype_ == DType::kF16) bits = float_to_half(value);
    if (dtype_ == DType::kBF16) bits = float_to_bfloat16(value);
    std::memcpy(bytes_.data() + place(pixel, channel), &bits, element_bytes());
  }

  // Fills the view with next() and the rest with NaN, which no result may show.
  template <typename Next>
  void fill(Next next) {
    std::fill(bytes_.begin(), bytes_.end(), uint8_t{0xFF});
    for (int64_t p = 0; p < pixels_; ++p) {
      for (int64_t c = 0; c < channels_; ++c) set(p, c, next());
    }
  }

  // Equal bits everywhere; within the view any two NaN are equal.
  ::testing::AssertionResult equals(const std::vector<uint8_t>& actual) const {
    if (actual.size() != bytes_.size()) {
      return ::testing::AssertionFailure() << actual.size() << " bytes";
    }
    TypedView other = *this;
    other.bytes_ = actual;
    for (int64_t p = 0; p < pixels_; ++p) {
      for (int64_t c = -view_.offset; c < view_.pixel_stride - view_.offset; ++c) {
        const bool inside = c >= 0 && c < channels_;
        const size_t at = place(p, c);
        if (std::memcmp(&actual[at], &bytes_[at], element_bytes()) == 0) continue;
        const double expected = get(p, c), got = other.get(p, c);
        if (inside && std::isnan(expected) && std::isnan(got)) continue;
        return ::testing::AssertionFailure()
               << "pixel " << p << ", channel " << c << (inside ? "" : " (outside of the view)")
               << ": expected " << expected << ", got " << got;
      }
    }
    return ::testing::AssertionSuccess();
  }

 private:
  size_t element_bytes() const { return static_cast<size_t>(size_bytes(dtype_)); }
  size_t place(int64_t pixel, int64_t channel) const {
    return static_cast<size_t>(pixel * view_.pixel_stride + view_.offset + channel) *
           element_bytes();
  }

  DType dtype_;
  int64_t pixels_;
  ChannelView view_;
  int64_t channels_;
  std::vector<uint8_t> bytes_;
};

// Integers up to 50, infinities and NaN among them.
class WildNumbers {
 public:
  explicit WildNumbers(uint32_t seed) : random_(seed) {}
  double operator()() {
    const auto draw = static_cast<int>(random_() % 200);
    if (draw < 4) return std::nan("");
    if (draw < 8) return draw % 2 == 0 ? INFINITY : -INFINITY;
    return draw % 101 - 50;
  }

 private:
  std::mt19937 random_;
};

// A view of `channels` that vectors of `step` elements fit: with channels before and behind.
inline ChannelView roomy_view(int64_t channels, int64_t step, int64_t before = 2) {
  return {((channels + step - 1) / step + before + 1) * step, before * step};
}

}  // namespace yolocu::testing

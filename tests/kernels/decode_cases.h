// Heads that every variant of decode is tested on, and logits for them.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/decode/decode.h"
#include "tests/reference/decode.h"

namespace yolocu::testing {

struct DecodeCase {
  DecodeVariant variant;
  std::string name;  // of the problem
  DecodeProblem problem;
};

struct Size2 {
  int64_t height, width;
};

// Levels of these sizes, strides from 8 on. Views begin `offset` channels into pixels that have
// some more.
inline DecodeProblem decode_problem(const DecodeVariant& variant, int64_t batch, int64_t classes,
                                    int64_t bins, const std::vector<Size2>& sizes,
                                    int64_t offset = 0) {
  DecodeProblem problem = {.dtype = variant.dtype,
                           .head = variant.head,
                           .batch = batch,
                           .classes = classes,
                           .bins = bins};
  for (const Size2& size : sizes) {
    DecodeLevel& level = problem.levels[static_cast<size_t>(problem.level_count)];
    level.height = size.height;
    level.width = size.width;
    level.stride = static_cast<float>(8 << problem.level_count);
    level.anchors = variant.head == DecodeHead::kAnchor ? 3 - problem.level_count % 2 : 1;
    for (int64_t i = 0; i < 2 * level.anchors; ++i) {
      level.sizes[static_cast<size_t>(i)] = static_cast<float>(10 + 7 * i) * level.stride / 8;
    }
    const int64_t box_channels =
        variant.head == DecodeHead::kDfl ? 4 * bins : level.anchors * (5 + classes);
    level.box_offset = offset;
    level.box_pixel_stride = box_channels + 2 * offset;
    level.class_offset = 2 * offset;
    level.class_pixel_stride = classes + 3 * offset;
    ++problem.level_count;
  }
  return problem;
}

inline std::vector<DecodeCase> decode_cases(const DecodeVariant& variant) {
  std::vector<DecodeCase> cases;
  const auto add = [&](const std::string& name, int64_t batch, int64_t classes, int64_t bins,
                       const std::vector<Size2>& sizes, int64_t offset) {
    cases.push_back({variant, name, decode_problem(variant, batch, classes, bins, sizes, offset)});
  };
  add("one_pixel", 1, 1, 16, {{1, 1}}, 0);
  add("one_class", 2, 1, 16, {{5, 7}, {3, 4}}, 0);
  add("three_levels_batch3", 3, 80, 16, {{6, 10}, {3, 5}, {2, 3}}, 0);
  add("four_levels", 1, 5, 16, {{7, 9}, {4, 5}, {2, 3}, {1, 2}}, 0);
  add("views", 2, 33, 16, {{3, 11}, {1, 5}}, 3);
  add("classes_1000", 1, 1000, 16, {{2, 3}}, 0);
  add("classes_32_bins_1", 1, 32, 1, {{3, 3}}, 1);
  add("classes_31_bins_7", 1, 31, 7, {{3, 3}}, 0);
  add("classes_64_bins_33", 1, 64, 33, {{1, 13}}, 0);
  return cases;
}

inline std::vector<DecodeCase> all_decode_cases() {
  std::vector<DecodeCase> cases;
  for (const DecodeVariant& variant : decode_variants()) {
    for (DecodeCase& test : decode_cases(variant)) cases.push_back(std::move(test));
  }
  return cases;
}

inline uint32_t decode_bits(DType dtype, float value) {
  if (dtype == DType::kF16) return float_to_half(value);
  if (dtype == DType::kBF16) return float_to_bfloat16(value);
  return std::bit_cast<uint32_t>(value);
}

// `value` rounded to the dtype.
inline float rounded_to(DType dtype, float value) {
  const uint32_t bits = decode_bits(dtype, value);
  if (dtype == DType::kF16) return half_to_float(static_cast<uint16_t>(bits));
  if (dtype == DType::kBF16) return bfloat16_to_float(static_cast<uint16_t>(bits));
  return value;
}

// kPlain: numbers only. kSpecial: one in some forty is NaN, infinite or huge.
enum class DecodeNumbers : uint8_t { kPlain, kSpecial };

// Steps of 1/8, so that many scores are equal.
inline std::vector<float> random_logits(size_t count, DType dtype, DecodeNumbers numbers,
                                        std::mt19937_64& random) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float special[] = {std::numeric_limits<float>::quiet_NaN(), kInf, -kInf, 300.0f, -300.0f};
  std::uniform_int_distribution<int> eighths(-56, 40), one_in(0, 199);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(eighths(random)) / 8;
    const int which = one_in(random);
    if (numbers == DecodeNumbers::kSpecial && which < 5) value = special[which];
    value = rounded_to(dtype, value);
  }
  return values;
}

inline std::vector<DecodeLogits> decode_logits(const DecodeProblem& problem, DecodeNumbers numbers,
                                               uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<DecodeLogits> levels;
  for (int64_t i = 0; i < problem.level_count; ++i) {
    const DecodeLevel& level = problem.levels[static_cast<size_t>(i)];
    const auto pixels = static_cast<size_t>(problem.batch * level.height * level.width);
    const auto of = [&](int64_t channels) {
      return random_logits(pixels * static_cast<size_t>(channels), problem.dtype, numbers, random);
    };
    if (problem.head == DecodeHead::kDfl) {
      levels.push_back({of(4 * problem.bins), of(problem.classes)});
    } else {
      levels.push_back({of(level.anchors * (5 + problem.classes)), {}});
    }
  }
  return levels;
}

// The buffer of a view: dense [pixels, channels] into pixels of `stride`, NaN around it.
inline std::vector<uint8_t> map_bytes(const std::vector<float>& dense, DType dtype,
                                      int64_t channels, int64_t stride, int64_t offset) {
  const auto element = static_cast<size_t>(size_bytes(dtype));
  const size_t pixels = dense.size() / static_cast<size_t>(channels);
  std::vector<uint8_t> bytes(pixels * static_cast<size_t>(stride) * element, 0xFF);
  for (size_t i = 0; i < dense.size(); ++i) {
    const size_t pixel = i / static_cast<size_t>(channels), c = i % static_cast<size_t>(channels);
    const uint32_t bits = decode_bits(dtype, dense[i]);
    std::memcpy(
        &bytes[(pixel * static_cast<size_t>(stride) + static_cast<size_t>(offset) + c) * element],
        &bits, element);
  }
  return bytes;
}

}  // namespace yolocu::testing

// Pooling kernels of every instruction set that this processor has.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "tests/engine/conv_run.h"

namespace yolocu::cpu {
namespace {

// In every window that holds it, wherever in the window.
TEST(CpuPool, NanIsTheMaximum) {
  for (const KernelTable* table : tables()) {
    const int64_t lanes = table->lanes;
    PoolTask task;
    task.shape = {.channels = lanes,
                  .in_height = 5,
                  .in_width = 5,
                  .out_height = 5,
                  .out_width = 5,
                  .kernel = 3,
                  .stride = 1,
                  .padding = 1};
    std::vector<float> x(static_cast<size_t>(25 * lanes), 1.0f);
    std::vector<float> y(x.size());
    x[static_cast<size_t>((2 * 5 + 2) * lanes)] = std::nanf("");
    task.source = reinterpret_cast<const std::byte*>(x.data());
    task.destination = reinterpret_cast<std::byte*>(y.data());
    struct alignas(64) Line {
      std::byte bytes[64];
    };
    std::vector<Line> scratch(static_cast<size_t>(task.scratch_bytes(lanes) / 64 + 1));
    for (int64_t i = 0; i < task.chunks(lanes); ++i) {
      table->pool(task.shape)(task, i, scratch.data()->bytes);
    }
    for (int64_t p = 0; p < 25; ++p) {
      const bool sees_it = p / 5 >= 1 && p / 5 <= 3 && p % 5 >= 1 && p % 5 <= 3;
      EXPECT_EQ(std::isnan(y[static_cast<size_t>(p * lanes)]), sees_it) << table->name << " " << p;
      EXPECT_EQ(y[static_cast<size_t>(p * lanes + 1)], 1.0f) << table->name << " " << p;
    }
  }
}

// Means of 2 x 2, half of whose fractions are ties, and maxima with padding.
TEST(CpuPool, Int8IsExact) {
  constexpr int64_t kHeight = 9;
  constexpr int64_t kWidth = 13;
  std::mt19937 bits(5);
  for (const KernelTable* table : tables()) {
    for (const PoolKind kind : {PoolKind::kAverage, PoolKind::kMax}) {
      const bool is_mean = kind == PoolKind::kAverage;
      const int64_t kernel = is_mean ? 2 : 3;
      const int64_t stride = is_mean ? 1 : 2;
      const int64_t padding = is_mean ? 0 : 1;
      PoolTask task;
      task.shape = {.element = Element::kI8,
                    .kind = kind,
                    .channels = table->lanes,
                    .in_height = kHeight,
                    .in_width = kWidth,
                    .out_height = (kHeight + 2 * padding - kernel) / stride + 1,
                    .out_width = (kWidth + 2 * padding - kernel) / stride + 1,
                    .kernel = kernel,
                    .stride = stride,
                    .padding = padding};
      const PoolKernel pool = table->pool(task.shape);
      if (pool == nullptr) continue;
      std::vector<int> x(static_cast<size_t>(kHeight * kWidth * table->lanes));
      for (int& q : x) q = std::uniform_int_distribution<int>(-127, 127)(bits);
      std::vector<uint8_t> stored(x.size());
      for (size_t i = 0; i < x.size(); ++i) stored[i] = static_cast<uint8_t>(x[i] + 128);
      std::vector<uint8_t> y(stored.size());
      std::vector<float> scratch(static_cast<size_t>(task.scratch_bytes(table->lanes) / 4));
      task.source = reinterpret_cast<const std::byte*>(stored.data());
      task.destination = reinterpret_cast<std::byte*>(y.data());
      for (int64_t i = 0; i < task.chunks(table->lanes); ++i) {
        pool(task, i, reinterpret_cast<std::byte*>(scratch.data()));
      }
      for (int64_t at = 0; at < task.shape.out_height * task.shape.out_width * table->lanes; ++at) {
        const int64_t p = at / table->lanes / task.shape.out_width;
        const int64_t q = at / table->lanes % task.shape.out_width;
        int sum = 0;
        int most = -128;
        for (int64_t tap = 0; tap < kernel * kernel; ++tap) {
          const int64_t row = p * stride - padding + tap / kernel;
          const int64_t column = q * stride - padding + tap % kernel;
          if (row < 0 || row >= kHeight || column < 0 || column >= kWidth) continue;
          const auto index = (row * kWidth + column) * table->lanes + at % table->lanes;
          sum += x[static_cast<size_t>(index)];
          most = std::max(most, x[static_cast<size_t>(index)]);
        }
        const int expected = is_mean ? static_cast<int>(std::nearbyint(sum / 4.0)) : most;
        ASSERT_EQ(y[static_cast<size_t>(at)] - 128, expected) << table->name << " " << at;
      }
    }
  }
}

}  // namespace
}  // namespace yolocu::cpu

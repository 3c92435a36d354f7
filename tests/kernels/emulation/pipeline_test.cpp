// Whole kernels as they are written for Hopper: a warp that loads by TMA, a warpgroup that
// multiplies by wgmma, stages of shared memory between them.
#include "kernels/device/tensor_map.h"
#include "kernels/device/wgmma.h"
#include "tests/kernels/emulation/matrix_support.h"

namespace yolocu::testing {
namespace {

using device::Accumulate;
using device::GlobalPtr;
using device::Half;
using device::MBarrier;
using device::TensorMap;
using emulation::AsyncDelivery;
using emulation::EmulatedDevice;

constexpr int kTileM = 64, kTileN = 96, kTileK = 64, kStages = 3;
constexpr uint32_t kBytesA = kTileM * kTileK * 2, kBytesB = kTileN * kTileK * 2;
constexpr uint32_t kStageBytes = kBytesA + kBytesB;
constexpr uint32_t kBarriersAt = kStages * kStageBytes;  // full [kStages], empty [kStages]
constexpr int64_t kSharedBytes = kBarriersAt + 16 * kStages;
constexpr int kConsumers = 128, kThreads = kConsumers + 32;

MBarrier full_barrier(int stage) {
  return device::shared_memory<uint64_t>(kBarriersAt + 8 * stage);
}
MBarrier empty_barrier(int stage) {
  return full_barrier(kStages + stage);
}

YOLOCU_DEVICE void start_pipeline() {
  if (device::thread_rank() == 0) {
    for (int i = 0; i < kStages; ++i) {
      device::mbarrier_init(full_barrier(i), 1);
      device::mbarrier_init(empty_barrier(i), kConsumers);
    }
    device::fence_mbarrier_init();
  }
  device::sync_block();
}

// load(stage, block, barrier) for each block of k, as stages become free. One thread.
template <typename Load>
YOLOCU_DEVICE void produce(int blocks, Load load) {
  for (int i = 0; i < blocks; ++i) {
    const int stage = i % kStages;
    const auto parity = static_cast<uint32_t>(i / kStages % 2);
    device::mbarrier_wait(empty_barrier(stage), parity ^ 1);
    device::mbarrier_arrive_expect(full_barrier(stage), kStageBytes);
    load(stage, i, full_barrier(stage));
  }
}

// The products of all stages, one group of wgmma under way behind the next.
YOLOCU_DEVICE void consume(int blocks, device::WarpgroupSums<Half, kTileN>& sums) {
  for (int i = 0; i < blocks; ++i) {
    const int stage = i % kStages;
    device::mbarrier_wait(full_barrier(stage), static_cast<uint32_t>(i / kStages % 2));
    const auto a = device::shared_memory<Half>(int64_t{stage} * kStageBytes);
    const auto b = device::shared_memory<Half>(int64_t{stage} * kStageBytes + kBytesA);
    device::wgmma_fence(sums);
    for (int k = 0; k < kTileK; k += 16) {
      device::wgmma(sums, device::wgmma_operand(a + k, 16, 1024, Swizzle::k128B),
                    device::wgmma_operand(b + k, 16, 1024, Swizzle::k128B),
                    i + k > 0 ? Accumulate::kAdd : Accumulate::kReplace);
    }
    device::wgmma_commit();
    device::wgmma_wait<1>(sums);
    if (i > 0) device::mbarrier_arrive(empty_barrier((i - 1) % kStages));
  }
  device::wgmma_wait<0>(sums);
}

// Rows and columns past m and n are dropped.
YOLOCU_DEVICE void store_tile(GlobalPtr<float> c, int64_t m, int64_t n,
                              const device::WarpgroupSums<Half, kTileN>& sums) {
  for (int i = 0; i < kTileN / 2; ++i) {
    const int64_t row = device::block_index().y * kTileM + device::warpgroup_sum_row(i);
    const int64_t column = device::block_index().x * kTileN + device::warpgroup_sum_column(i);
    if (row < m && column < n) c.store(row * n + column, sums.get(i));
  }
}

// c [m, n] f32 = a [m, k] f16 * b [n, k] f16. Maps: boxes [64, kTileM] and [64, kTileN], 128B.
// grid (ceil(n / kTileN), ceil(m / kTileM)), kThreads threads, kSharedBytes.
YOLOCU_KERNEL multiply_tiles(GlobalPtr<float> c, YOLOCU_KERNEL_PARAM TensorMap a,
                             YOLOCU_KERNEL_PARAM TensorMap b, int m, int n, int k) {
  start_pipeline();
  const int blocks = (k + kTileK - 1) / kTileK;
  if (device::warp_rank() == 4) {
    if (device::lane() != 0) return;
    const auto row = static_cast<int32_t>(device::block_index().y * kTileM);
    const auto column = static_cast<int32_t>(device::block_index().x * kTileN);
    produce(blocks, [&](int stage, int i, MBarrier barrier) {
      const auto at = device::shared_memory<Half>(int64_t{stage} * kStageBytes);
      device::load_box<2>(at, a, barrier, {{i * kTileK, row}});
      device::load_box<2>(at + kBytesA / 2, b, barrier, {{i * kTileK, column}});
    });
    return;
  }
  device::WarpgroupSums<Half, kTileN> sums;
  consume(blocks, sums);
  store_tile(c, m, n, sums);
}

struct ConvProblem {
  int n, h, w, c, k, r, s, pad, stride, dilation;
  int p() const { return (h + 2 * pad - (r - 1) * dilation - 1) / stride + 1; }
  int q() const { return (w + 2 * pad - (s - 1) * dilation - 1) / stride + 1; }
};

// y [n, p, q, k] f32 = conv(x [n, h, w, c] f16, filters [k, r, s, c] f16). x: im2col map of 64
// channels and kTileM pixels; filters: map of rank 2, [k, r * s * c]. c % 64 == 0.
YOLOCU_KERNEL convolve_tiles(GlobalPtr<float> y, YOLOCU_KERNEL_PARAM TensorMap x,
                             YOLOCU_KERNEL_PARAM TensorMap filters, ConvProblem conv) {
  start_pipeline();
  const int per_tap = conv.c / kTileK, blocks = conv.r * conv.s * per_tap;
  const int m = conv.n * conv.p() * conv.q();
  if (device::warp_rank() == 4) {
    if (device::lane() != 0) return;
    const auto first = static_cast<int>(device::block_index().y * kTileM);
    const int q = first % conv.q(), p = first / conv.q() % conv.p();
    const int image = first / conv.q() / conv.p();
    const auto column = static_cast<int32_t>(device::block_index().x * kTileN);
    produce(blocks, [&](int stage, int i, MBarrier barrier) {
      const auto at = device::shared_memory<Half>(int64_t{stage} * kStageBytes);
      const int tap = i / per_tap, channel = i % per_tap * kTileK;
      device::load_im2col<4>(
          at, x, barrier,
          {{channel, q * conv.stride - conv.pad, p * conv.stride - conv.pad, image}},
          {{tap % conv.s * conv.dilation, tap / conv.s * conv.dilation}});
      device::load_box<2>(at + kBytesA / 2, filters, barrier, {{i * kTileK, column}});
    });
    return;
  }
  device::WarpgroupSums<Half, kTileN> sums;
  consume(blocks, sums);
  store_tile(y, m, conv.k, sums);
}

// ---- host ---------------------------------------------------------------------------------------

// f16 [rows, columns], boxes of `box_rows` rows of 64.
TensorMap matrix_map(const emulation::EmulatedBuffer<Half>& matrix, int rows, int columns,
                     int box_rows) {
  return device::make_tensor_map({.swizzle = Swizzle::k128B,
                                  .rank = 2,
                                  .address = matrix.data(),
                                  .size = {columns, rows},
                                  .stride_bytes = {0, columns * 2},
                                  .box = {kTileK, box_rows}})
      .value();
}

LaunchConfig tiles_of(int m, int n) {
  return {.grid = {(n + kTileN - 1) / kTileN, (m + kTileM - 1) / kTileM},
          .block = {kThreads},
          .shared_bytes = kSharedBytes};
}

void expect_sums(const emulation::EmulatedBuffer<float>& actual, const std::vector<int>& expected) {
  const auto sums = actual.download().value();
  ASSERT_EQ(sums.size(), expected.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    ASSERT_EQ(sums[i], static_cast<float>(expected[i])) << "element " << i;
  }
}

void check_product(int m, int n, int k, emulation::EmulationOptions options) {
  SCOPED_TRACE(::testing::Message() << m << " x " << n << " x " << k << " seed " << options.seed);
  const auto a = small_integers(static_cast<size_t>(m * k), 1);
  const auto b = small_integers(static_cast<size_t>(n * k), 2);
  EmulatedDevice device(options);
  auto a_buffer = filled_buffer(device, elements_of<Half>(a), "a");
  auto b_buffer = filled_buffer(device, elements_of<Half>(b), "b");
  auto c_buffer = make_buffer<float>(device, int64_t{m} * n, "c");
  ASSERT_OK(device.launch(named_kernel("multiply_tiles", multiply_tiles), tiles_of(m, n),
                          GlobalPtr(c_buffer.data()), matrix_map(a_buffer, m, k, kTileM),
                          matrix_map(b_buffer, n, k, kTileN), m, n, k));
  expect_sums(c_buffer, product(a, b, static_cast<size_t>(m), static_cast<size_t>(n),
                                static_cast<size_t>(k)));
}

TEST(Pipeline, ProductOfTiles) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const auto delivery = seed % 2 == 0 ? AsyncDelivery::kLate : AsyncDelivery::kEarly;
    check_product(64, 96, 64 * 7, {.seed = seed, .delivery = delivery});  // whole tiles
    check_product(100, 130, 200, {.seed = seed, .delivery = delivery});   // tails everywhere
    check_product(1, 1, 8, {.seed = seed, .delivery = delivery});
  }
  check_product(200, 200, 1024, {.seed = 1, .workers = 2});
}

std::vector<int> convolve(const ConvProblem& conv, const std::vector<int>& x,
                          const std::vector<int>& filters) {
  std::vector<int> y;
  for (int n = 0; n < conv.n; ++n) {
    for (int p = 0; p < conv.p(); ++p) {
      for (int q = 0; q < conv.q(); ++q) {
        for (int k = 0; k < conv.k; ++k) {
          int sum = 0;
          for (int r = 0; r < conv.r; ++r) {
            for (int s = 0; s < conv.s; ++s) {
              const int h = p * conv.stride - conv.pad + r * conv.dilation;
              const int w = q * conv.stride - conv.pad + s * conv.dilation;
              if (h < 0 || h >= conv.h || w < 0 || w >= conv.w) continue;
              for (int c = 0; c < conv.c; ++c) {
                sum += x[static_cast<size_t>(((n * conv.h + h) * conv.w + w) * conv.c + c)] *
                       filters[static_cast<size_t>(((k * conv.r + r) * conv.s + s) * conv.c + c)];
              }
            }
          }
          y.push_back(sum);
        }
      }
    }
  }
  return y;
}

TensorMap im2col_map(const ConvProblem& conv, const emulation::EmulatedBuffer<Half>& x) {
  TensorMapSpec map{.mode = MapMode::kIm2col,
                    .swizzle = Swizzle::k128B,
                    .rank = 4,
                    .address = x.data(),
                    .size = {conv.c, conv.w, conv.h, conv.n},
                    .box = {kTileK},
                    .traversal = {1, conv.stride, conv.stride, 1, 1},
                    .pixels = kTileM};
  for (size_t d = 1; d < 4; ++d) {
    map.stride_bytes[d] = d == 1 ? conv.c * 2 : map.stride_bytes[d - 1] * map.size[d - 1];
  }
  map.lower = {-conv.pad, -conv.pad};
  map.upper = {conv.pad - (conv.s - 1) * conv.dilation, conv.pad - (conv.r - 1) * conv.dilation};
  return device::make_tensor_map(map).value();
}

void check_convolution(const ConvProblem& conv, emulation::EmulationOptions options) {
  SCOPED_TRACE(::testing::Message() << "stride " << conv.stride << " seed " << options.seed);
  const auto x = small_integers(static_cast<size_t>(conv.n * conv.h * conv.w * conv.c), 1);
  const auto filters = small_integers(static_cast<size_t>(conv.k * conv.r * conv.s * conv.c), 2);
  EmulatedDevice device(options);
  auto x_buffer = filled_buffer(device, elements_of<Half>(x), "x");
  auto filter_buffer = filled_buffer(device, elements_of<Half>(filters), "filters");
  const int m = conv.n * conv.p() * conv.q();
  auto y_buffer = make_buffer<float>(device, int64_t{m} * conv.k, "y");
  ASSERT_OK(device.launch(named_kernel("convolve_tiles", convolve_tiles), tiles_of(m, conv.k),
                          GlobalPtr(y_buffer.data()), im2col_map(conv, x_buffer),
                          matrix_map(filter_buffer, conv.k, conv.r * conv.s * conv.c, kTileN),
                          conv));
  expect_sums(y_buffer, convolve(conv, x, filters));
}

TEST(Pipeline, ConvolutionByIm2col) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const auto delivery = seed % 2 == 0 ? AsyncDelivery::kLate : AsyncDelivery::kEarly;
    check_convolution({2, 9, 7, 64, 40, 3, 3, 1, 1, 1}, {.seed = seed, .delivery = delivery});
    check_convolution({3, 11, 10, 128, 100, 3, 2, 1, 2, 1}, {.seed = seed, .delivery = delivery});
    check_convolution({1, 8, 8, 64, 8, 3, 3, 2, 1, 2}, {.seed = seed, .delivery = delivery});
    check_convolution({2, 5, 5, 64, 16, 1, 1, 0, 1, 1}, {.seed = seed, .delivery = delivery});
  }
}

}  // namespace
}  // namespace yolocu::testing

// ldmatrix, stmatrix and mma.sync against the formulas of PTX ISA 9.0 (9.7.14.5), written here
// anew, and fragments against plain products.
#include "kernels/device/matrix.h"

#include <random>

#include "kernels/device/fragment.h"
#include "tests/kernels/emulation/matrix_support.h"

namespace yolocu::testing {
namespace {

using device::GlobalPtr;
using device::SharedPtr;
using emulation::EmulatedDevice;

// ---- registers ----------------------------------------------------------------------------------

// One warp: a [16, depth], b [8, depth] from global memory into registers by the manual's formulas,
// c [16, 8] back the same way.
template <typename T>
YOLOCU_KERNEL multiply_by_registers(GlobalPtr<device::MatrixSum<T>> c, GlobalPtr<const T> a,
                                    GlobalPtr<const T> b) {
  constexpr int kDepth = device::MatrixType<T>::kDepth;
  constexpr int kPerWord = 4 / sizeof(T);
  const int g = static_cast<int>(device::lane()) / 4, t = static_cast<int>(device::lane()) % 4;
  uint32_t a_words[4], b_words[2];
  for (int i = 0; i < 4; ++i) {
    const int row = g + (i % 2 == 1 ? 8 : 0);
    const int k = kPerWord * t + (i >= 2 ? kDepth / 2 : 0);
    a_words[i] = a.template load<uint32_t>(row * kDepth + k);
  }
  for (int i = 0; i < 2; ++i) {
    b_words[i] = b.template load<uint32_t>(g * kDepth + kPerWord * t + (i == 1 ? kDepth / 2 : 0));
  }
  device::MatrixSum<T> sums[4] = {1, 2, 3, 4};
  device::multiply_add_registers<T>(sums, a_words, b_words);
  for (int i = 0; i < 4; ++i) c.store((g + (i >= 2 ? 8 : 0)) * 8 + 2 * t + i % 2, sums[i]);
}

template <typename T>
class MatrixTest : public ::testing::Test {};
TYPED_TEST_SUITE(MatrixTest, MatrixElements);

TYPED_TEST(MatrixTest, ProductOfRegisters) {
  using Sum = device::MatrixSum<TypeParam>;
  constexpr size_t kDepth = device::MatrixType<TypeParam>::kDepth;
  const auto a = small_integers(16 * kDepth, 1), b = small_integers(8 * kDepth, 2);
  EmulatedDevice device;
  auto a_buffer = filled_buffer(device, elements_of<TypeParam>(a), "a");
  auto b_buffer = filled_buffer(device, elements_of<TypeParam>(b), "b");
  auto c_buffer = make_buffer<Sum>(device, 16 * 8, "c");
  ASSERT_OK(device.launch(named_kernel("product", multiply_by_registers<TypeParam>),
                          {.block = {32}}, GlobalPtr(c_buffer.data()),
                          GlobalPtr<const TypeParam>(a_buffer.data()),
                          GlobalPtr<const TypeParam>(b_buffer.data())));
  const auto expected = product(a, b, 16, 8, kDepth);
  const auto c = c_buffer.download().value();
  for (size_t i = 0; i < c.size(); ++i) {
    const int start = 1 + static_cast<int>(i % 2) + (i / 8 >= 8 ? 2 : 0);
    EXPECT_EQ(c[i], static_cast<Sum>(expected[i] + start)) << "element " << i;
  }
  EXPECT_EQ(device.counters().tensor_flops, int64_t{2} * 16 * 8 * kDepth);
}

TEST(MatrixSums, OfIntegersWrap) {
  EmulatedDevice device;
  auto a = filled_buffer(device, std::vector<int8_t>(16 * 32, 127), "a");
  auto b = filled_buffer(device, std::vector<int8_t>(8 * 32, 127), "b");
  auto c = make_buffer<int32_t>(device, 16 * 8, "c");
  const auto kernel = [](GlobalPtr<int32_t> sums, GlobalPtr<const int8_t> left,
                         GlobalPtr<const int8_t> right) {
    int32_t words[4] = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
    const uint32_t a_words[4] = {left.load<uint32_t>(0), left.load<uint32_t>(4),
                                 left.load<uint32_t>(8), left.load<uint32_t>(12)};
    const uint32_t b_words[2] = {right.load<uint32_t>(0), right.load<uint32_t>(4)};
    device::multiply_add_registers<int8_t>(words, a_words, b_words);
    for (int i = 0; i < 4; ++i) sums.store(static_cast<int>(device::lane()) * 4 + i, words[i]);
  };
  using Kernel = void (*)(GlobalPtr<int32_t>, GlobalPtr<const int8_t>, GlobalPtr<const int8_t>);
  ASSERT_OK(device.launch(named_kernel("wrap", static_cast<Kernel>(kernel)), {.block = {32}},
                          GlobalPtr(c.data()), GlobalPtr<const int8_t>(a.data()),
                          GlobalPtr<const int8_t>(b.data())));
  const auto sum = static_cast<int32_t>(0x7FFFFFFFu + 32u * 127u * 127u);
  EXPECT_EQ(c.download().value(), std::vector<int32_t>(16 * 8, sum));
}

// out[lane * kCount + i]: register i. Rows of 16 bytes lie in a shuffled order in shared memory.
template <int kCount, device::Transpose kTranspose>
YOLOCU_KERNEL load_then_store(GlobalPtr<uint32_t> out, GlobalPtr<const uint32_t> rows,
                              GlobalPtr<const int> order) {
  const auto shared = device::shared_memory<uint32_t>();
  const int lane = static_cast<int>(device::lane());
  for (int i = 0; i < 4; ++i) shared.store(lane * 4 + i, rows.load(lane * 4 + i));
  device::sync_warp();
  uint32_t words[kCount];
  const int mine = order.load(lane);
  device::load_matrix<kCount, kTranspose>(words, shared + mine * 4);
  for (int i = 0; i < kCount; ++i) out.store(lane * kCount + i, words[i]);
  device::sync_warp();
  // Back through stmatrix, to a second copy in another place.
  device::store_matrix<kCount, kTranspose>(shared + 128 + mine * 4, words);
  device::sync_warp();
  if (lane < 8 * kCount) {
    for (int i = 0; i < 4; ++i) {
      out.store(32 * kCount + lane * 4 + i, shared.load(128 + mine * 4 + i));
    }
  }
}

template <int kCount, device::Transpose kTranspose>
void check_load_and_store() {
  EmulatedDevice device;
  std::mt19937 random(5);
  std::vector<int> order = count_up<int>(32, 0);
  std::shuffle(order.begin(), order.end(), random);
  std::vector<uint16_t> halves = count_up<uint16_t>(256, 1000);
  std::vector<uint32_t> rows(128);
  std::memcpy(rows.data(), halves.data(), 512);
  auto rows_buffer = filled_buffer(device, rows, "rows");
  auto order_buffer = filled_buffer(device, order, "order");
  auto out = make_buffer<uint32_t>(device, 32 * kCount + 32 * kCount, "out");
  ASSERT_OK(device.launch(named_kernel("load_then_store", load_then_store<kCount, kTranspose>),
                          {.block = {32}, .shared_bytes = 1024}, GlobalPtr(out.data()),
                          GlobalPtr<const uint32_t>(rows_buffer.data()),
                          GlobalPtr<const int>(order_buffer.data())));
  const auto words = out.download().value();
  for (uint32_t lane = 0; lane < 32; ++lane) {
    for (uint32_t i = 0; i < kCount; ++i) {
      for (uint32_t half = 0; half < 2; ++half) {
        uint32_t row = lane / 4, column = 2 * (lane % 4) + half;
        if (kTranspose == device::Transpose::kYes) std::swap(row, column);
        const auto expected = halves[static_cast<size_t>(order[8 * i + row]) * 8 + column];
        EXPECT_EQ(words[lane * kCount + i] >> (16 * half) & 0xFFFF, expected)
            << "lane " << lane << " register " << i << " half " << half;
      }
    }
  }
  for (size_t lane = 0; lane < 8 * kCount; ++lane) {
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(words[32 * kCount + lane * 4 + i], rows[static_cast<size_t>(order[lane]) * 4 + i]);
    }
  }
}

TEST(MatrixLoads, AndStoresFollowTheManual) {
  check_load_and_store<1, device::Transpose::kNo>();
  check_load_and_store<2, device::Transpose::kNo>();
  check_load_and_store<4, device::Transpose::kNo>();
  check_load_and_store<1, device::Transpose::kYes>();
  check_load_and_store<2, device::Transpose::kYes>();
  check_load_and_store<4, device::Transpose::kYes>();
}

// ---- fragments ----------------------------------------------------------------------------------

// c [32, 48] += a [32, depth] * b [48, depth] by one warp, in steps of the instruction's k.
constexpr int kRowTiles = 2, kColumnTiles = 3, kSteps = 3;

template <typename T>
YOLOCU_KERNEL multiply_by_fragments(GlobalPtr<device::MatrixSum<T>> c, GlobalPtr<const T> a,
                                    GlobalPtr<const T> b) {
  constexpr int kDepth = device::MatrixType<T>::kDepth, kRow = kDepth * kSteps;
  constexpr int kRowsA = 16 * kRowTiles, kRowsB = 16 * kColumnTiles;
  const auto a_shared = device::shared_memory<T>(), b_shared = a_shared + kRowsA * kRow;
  const int lane = static_cast<int>(device::lane());
  for (int i = lane; i < kRowsA * kRow; i += 32) a_shared.store(i, a.load(i));
  for (int i = lane; i < kRowsB * kRow; i += 32) b_shared.store(i, b.load(i));
  device::sync_warp();
  const auto a_row = device::fragment_a_row(device::lane());
  const auto b_row = device::fragment_b_row(device::lane());
  device::FragmentSums<T, kRowTiles, kColumnTiles> sums;
  sums.fill(7);
  for (int step = 0; step < kSteps; ++step) {
    device::FragmentA<T, kRowTiles> a_part;
    device::FragmentB<T, kColumnTiles> b_part;
    const auto byte = [&](device::FragmentRow row) {
      return static_cast<int>(row.row) * kRow + step * kDepth +
             static_cast<int>(row.byte / sizeof(T));
    };
    device::load_fragment(a_part, a_shared + byte(a_row), 16 * kRow);
    device::load_fragment(b_part, b_shared + byte(b_row), 16 * kRow);
    device::multiply_add(sums, a_part, b_part);
  }
  for (int m = 0; m < kRowTiles; ++m) {
    for (int n = 0; n < kColumnTiles; ++n) {
      for (int i = 0; i < 8; ++i) {
        const int row = 16 * m + device::fragment_sum_row(i);
        const int column = 16 * n + device::fragment_sum_column(i);
        c.store(row * kRowsB + column, sums.get(m, n, i));
      }
    }
  }
}

TYPED_TEST(MatrixTest, ProductOfFragments) {
  using Sum = device::MatrixSum<TypeParam>;
  constexpr size_t kRow = device::MatrixType<TypeParam>::kDepth * kSteps;
  const auto a = small_integers(16 * kRowTiles * kRow, 3);
  const auto b = small_integers(16 * kColumnTiles * kRow, 4);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EmulatedDevice device({.seed = seed});
    auto a_buffer = filled_buffer(device, elements_of<TypeParam>(a), "a");
    auto b_buffer = filled_buffer(device, elements_of<TypeParam>(b), "b");
    auto c_buffer = make_buffer<Sum>(device, 16 * kRowTiles * 16 * kColumnTiles, "c");
    ASSERT_OK(device.launch(
        named_kernel("fragments", multiply_by_fragments<TypeParam>),
        {.block = {32}, .shared_bytes = static_cast<int64_t>((a.size() + b.size()) * 2)},
        GlobalPtr(c_buffer.data()), GlobalPtr<const TypeParam>(a_buffer.data()),
        GlobalPtr<const TypeParam>(b_buffer.data())));
    const auto expected = product(a, b, 16 * kRowTiles, 16 * kColumnTiles, kRow);
    const auto c = c_buffer.download().value();
    for (size_t i = 0; i < c.size(); ++i) {
      ASSERT_EQ(c[i], static_cast<Sum>(expected[i] + 7)) << "element " << i << " seed " << seed;
    }
  }
}

}  // namespace
}  // namespace yolocu::testing

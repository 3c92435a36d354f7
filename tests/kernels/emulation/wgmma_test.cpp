// wgmma against plain products. Where an element lies in shared memory comes from
// wgmma_element_address, which wgmma_layout_test.cpp checks against tables and the manual.
#include "kernels/device/wgmma.h"

#include <set>

#include "kernels/emulation/wgmma_layout.h"
#include "tests/kernels/emulation/matrix_support.h"

namespace yolocu::testing {
namespace {

using device::Accumulate;
using device::GlobalPtr;
using device::Major;
using emulation::AsyncDelivery;
using emulation::EmulatedDevice;

constexpr int kSteps = 2;             // of the instruction's k
constexpr uint32_t kRows = 64;        // of a
constexpr uint32_t kPlainPitch = 64;  // bytes of a row of a for fragments, kSteps * 32
constexpr uint32_t kPlainA = 0, kTileA = 4096, kTileB = 16384;
constexpr uint32_t kImageBytes = 49152;
constexpr Swizzle kSwizzles[] = {Swizzle::kNone, Swizzle::k32B, Swizzle::k64B, Swizzle::k128B};

struct Descriptors {
  uint64_t a[kSteps], b[kSteps];
};

// Shared memory becomes image [kImageBytes], fenced for the asynchronous proxy.
YOLOCU_DEVICE void place_image(GlobalPtr<const uint32_t> image) {
  const auto words = device::shared_memory<uint32_t>();
  for (uint32_t i = device::thread_rank() * 4; i < kImageBytes / 4; i += 512) {
    words.store<device::Words4>(i, image.load<device::Words4>(i));
  }
  device::fence_async_proxy();
  device::sync_block();
}

template <typename T, int kN>
YOLOCU_DEVICE void store_sums(GlobalPtr<device::MatrixSum<T>> out,
                              const device::WarpgroupSums<T, kN>& sums) {
  for (int i = 0; i < kN / 2; ++i) {
    out.store(device::warpgroup_sum_row(i) * kN + device::warpgroup_sum_column(i), sums.get(i));
  }
}

// out [64, kN] = start + a * b, where start is 3 for kAdd.
template <typename T, int kN, Major kMajorA, Major kMajorB>
YOLOCU_KERNEL multiply_shared(GlobalPtr<device::MatrixSum<T>> out, GlobalPtr<const uint32_t> image,
                              Descriptors steps, Accumulate first) {
  place_image(image);
  device::WarpgroupSums<T, kN> sums;
  if (first == Accumulate::kAdd) sums.fill(3);
  device::wgmma_fence(sums);
  device::wgmma<kMajorA, kMajorB>(sums, steps.a[0], steps.b[0], first);
  device::wgmma<kMajorA, kMajorB>(sums, steps.a[1], steps.b[1], Accumulate::kAdd);
  device::wgmma_commit();
  device::wgmma_wait<0>(sums);
  store_sums(out, sums);
}

// The same with a from registers.
template <typename T, int kN, Major kMajorB>
YOLOCU_KERNEL multiply_registers(GlobalPtr<device::MatrixSum<T>> out,
                                 GlobalPtr<const uint32_t> image, Descriptors steps) {
  place_image(image);
  const auto place = device::fragment_a_row(device::lane());
  const uint32_t row = device::warp_rank() * 16 + place.row;
  device::FragmentA<T, 1> a[kSteps];
  for (uint32_t i = 0; i < kSteps; ++i) {
    device::load_fragment(
        a[i], device::shared_memory<T>(kPlainA + row * kPlainPitch + 32 * i + place.byte));
  }
  device::WarpgroupSums<T, kN> sums;
  sums.fill(3);
  device::wgmma_fence(sums);
  device::wgmma<kMajorB>(sums, a[0], steps.b[0], Accumulate::kAdd);
  device::wgmma<kMajorB>(sums, a[1], steps.b[1], Accumulate::kAdd);
  device::wgmma_commit();
  device::wgmma_wait<0>(sums);
  store_sums(out, sums);
}

// out [2, 64, kN]: the two steps apart, the first read while the second may be under way.
template <typename T, int kN>
YOLOCU_KERNEL multiply_in_two_groups(GlobalPtr<device::MatrixSum<T>> out,
                                     GlobalPtr<const uint32_t> image, Descriptors steps) {
  place_image(image);
  device::WarpgroupSums<T, kN> first, second;
  device::wgmma_fence(first);
  device::wgmma(first, steps.a[0], steps.b[0], Accumulate::kReplace);
  device::wgmma_commit();
  device::wgmma(second, steps.a[1], steps.b[1], Accumulate::kReplace);
  device::wgmma_commit();
  device::wgmma_wait<1>(first);
  store_sums(out, first);
  device::wgmma_wait<0>(second);
  store_sums(out + kRows * kN, second);
}

// ---- operands in shared memory ------------------------------------------------------------------

// Descriptors of the steps of an operand [rows, kSteps * depth] at `base`. k-major and swizzled:
// steps within the span where it has room. Else a step lies behind the other.
struct OperandPlan {
  uint32_t base, rows;
  Swizzle swizzle;
  Major major;

  uint64_t descriptor(uint32_t step) const {
    const auto span = static_cast<uint32_t>(swizzle_span_bytes(swizzle));
    if (swizzle == Swizzle::kNone) {
      // Cores of 8 x 16 bytes: leading 128, to the other half of k; stride 256, to the next 8 rows.
      return device::wgmma_descriptor(base + step * rows / 8 * 256, 128, 256, swizzle);
    }
    if (major == Major::kMN) {  // slabs of 32 k, a span wide
      return device::wgmma_descriptor(base + step * 16 * span, 32 * span, 8 * span, swizzle);
    }
    const uint32_t to_step = span >= 64 ? 32 : rows * span;
    return device::wgmma_descriptor(base + step * to_step, 16, 8 * span, swizzle);
  }
};

class Image {
 public:
  Image() : bytes_(kImageBytes, 0x5A) {}

  // Element (row, k) of the operand for each step; every byte is written once.
  template <typename T>
  void place(const OperandPlan& plan, const std::vector<T>& elements) {
    const uint32_t depth = 32 / sizeof(T);
    for (uint32_t step = 0; step < kSteps; ++step) {
      ASSERT_EQ(emulation::wgmma_descriptor_error(plan.descriptor(step), plan.major), "");
      const auto operand = emulation::decode_wgmma_descriptor(plan.descriptor(step));
      for (uint32_t row = 0; row < plan.rows; ++row) {
        for (uint32_t k = 0; k < depth; ++k) {
          put(emulation::wgmma_element_address(operand, plan.major, row, k, sizeof(T)),
              elements[row * depth * kSteps + step * depth + k]);
        }
      }
    }
  }

  template <typename T>
  void place_plain(const std::vector<T>& elements) {
    for (size_t i = 0; i < elements.size(); ++i) {
      put(kPlainA + static_cast<uint32_t>(i * sizeof(T)), elements[i]);
    }
  }

  std::vector<uint32_t> words() const {
    std::vector<uint32_t> words(kImageBytes / 4);
    std::memcpy(words.data(), bytes_.data(), kImageBytes);
    return words;
  }

 private:
  template <typename T>
  void put(uint32_t address, T element) {
    ASSERT_LE(address + sizeof(T), kImageBytes);
    ASSERT_TRUE(used_.insert(address).second);
    std::memcpy(bytes_.data() + address, &element, sizeof(T));
  }

  std::vector<uint8_t> bytes_;
  std::set<uint32_t> used_;
};

template <typename T>
struct Problem {
  static constexpr size_t kDepth = kSteps * 32 / sizeof(T);
  std::vector<int> a, b;
  Image image;
  Descriptors descriptors = {};

  Problem(uint32_t columns, Swizzle swizzle, Major major_a, Major major_b)
      : a(small_integers(kRows * kDepth, 1)), b(small_integers(columns * kDepth, 2)) {
    const OperandPlan plan_a{kTileA, kRows, swizzle, major_a};
    const OperandPlan plan_b{kTileB, columns, swizzle, major_b};
    image.place(plan_a, elements_of<T>(a));
    image.place(plan_b, elements_of<T>(b));
    image.place_plain(elements_of<T>(a));
    for (uint32_t step = 0; step < kSteps; ++step) {
      descriptors.a[step] = plan_a.descriptor(step);
      descriptors.b[step] = plan_b.descriptor(step);
    }
  }
};

template <typename T, typename... Params, typename... Arguments>
void expect_sums(void (*kernel)(Params...), const Image& image, const std::vector<int>& expected,
                 int start, const Arguments&... arguments) {
  for (const auto delivery : {AsyncDelivery::kLate, AsyncDelivery::kEarly}) {
    EmulatedDevice device({.seed = expected.size(), .delivery = delivery});
    auto in = filled_buffer(device, image.words(), "image");
    auto out =
        make_buffer<device::MatrixSum<T>>(device, static_cast<int64_t>(expected.size()), "out");
    ASSERT_OK(device.launch(named_kernel("wgmma", kernel),
                            {.block = {128}, .shared_bytes = kImageBytes}, GlobalPtr(out.data()),
                            GlobalPtr<const uint32_t>(in.data()), arguments...));
    const auto sums = out.download().value();
    for (size_t i = 0; i < sums.size(); ++i) {
      ASSERT_EQ(sums[i], static_cast<device::MatrixSum<T>>(expected[i] + start)) << "element " << i;
    }
  }
}

template <typename T, int kN, Major kMajorA, Major kMajorB>
void check_shared_operands() {
  for (const Swizzle swizzle : kSwizzles) {
    SCOPED_TRACE(::testing::Message()
                 << "N " << kN << " swizzle " << static_cast<int>(swizzle) << " majors "
                 << static_cast<int>(kMajorA) << static_cast<int>(kMajorB));
    const Problem<T> problem(kN, swizzle, kMajorA, kMajorB);
    const auto expected = product(problem.a, problem.b, kRows, kN, Problem<T>::kDepth);
    const auto kernel = multiply_shared<T, kN, kMajorA, kMajorB>;
    expect_sums<T>(kernel, problem.image, expected, 3, problem.descriptors, Accumulate::kAdd);
    expect_sums<T>(kernel, problem.image, expected, 0, problem.descriptors, Accumulate::kReplace);
  }
}

template <typename T, int kN>
void check_width() {
  check_shared_operands<T, kN, Major::kK, Major::kK>();
  const Problem<T> problem(kN, Swizzle::k128B, Major::kK, Major::kK);
  const auto expected = product(problem.a, problem.b, kRows, kN, Problem<T>::kDepth);
  expect_sums<T>(multiply_registers<T, kN, Major::kK>, problem.image, expected, 3,
                 problem.descriptors);
}

template <typename T>
class WgmmaTest : public ::testing::Test {};
TYPED_TEST_SUITE(WgmmaTest, MatrixElements);

TYPED_TEST(WgmmaTest, NarrowProducts) {
  check_width<TypeParam, 8>();
  check_width<TypeParam, 24>();
  check_width<TypeParam, std::is_same_v<TypeParam, int8_t> ? 48 : 40>();
}

TYPED_TEST(WgmmaTest, WideProducts) {
  check_width<TypeParam, std::is_same_v<TypeParam, int8_t> ? 80 : 72>();
  check_width<TypeParam, std::is_same_v<TypeParam, int8_t> ? 240 : 248>();
  check_width<TypeParam, 256>();
}

TYPED_TEST(WgmmaTest, TwoGroups) {
  using T = TypeParam;
  constexpr size_t kDepth = 32 / sizeof(T);
  const Problem<T> problem(64, Swizzle::k128B, Major::kK, Major::kK);
  std::vector<int> expected;
  for (size_t step = 0; step < kSteps; ++step) {
    std::vector<int> a, b;
    for (size_t i = 0; i < 64; ++i) {
      const auto first = static_cast<std::ptrdiff_t>((i * kSteps + step) * kDepth);
      a.insert(a.end(), problem.a.begin() + first, problem.a.begin() + first + kDepth);
      b.insert(b.end(), problem.b.begin() + first, problem.b.begin() + first + kDepth);
    }
    const auto part = product(a, b, kRows, 64, kDepth);
    expected.insert(expected.end(), part.begin(), part.end());
  }
  expect_sums<T>(multiply_in_two_groups<T, 64>, problem.image, expected, 0, problem.descriptors);
}

TEST(WgmmaMnMajor, Products) {
  check_shared_operands<device::Half, 8, Major::kMN, Major::kK>();
  check_shared_operands<device::Half, 64, Major::kK, Major::kMN>();
  check_shared_operands<device::Half, 256, Major::kMN, Major::kMN>();
  check_shared_operands<device::Bfloat16, 72, Major::kMN, Major::kMN>();
  const Problem<device::Half> problem(64, Swizzle::k64B, Major::kK, Major::kMN);
  expect_sums<device::Half>(multiply_registers<device::Half, 64, Major::kMN>, problem.image,
                            product(problem.a, problem.b, kRows, 64, 32), 3, problem.descriptors);
}

// A sum that nothing set is NaN, so that what is built on it fails.
YOLOCU_KERNEL read_unset_sums(GlobalPtr<float> out) {
  const device::WarpgroupSums<device::Half, 8> sums;
  const device::FragmentSums<device::Half, 1, 1> warp_sums;
  const int rank = static_cast<int>(device::thread_rank());
  out.store(rank, sums.get(0));
  out.store(128 + rank, warp_sums.get(0, 0, 3));
}

TEST(WgmmaSums, StartAsNaN) {
  EmulatedDevice device;
  auto out = make_buffer<float>(device, 256, "out");
  ASSERT_OK(device.launch(named_kernel("read_unset_sums", read_unset_sums), {.block = {128}},
                          GlobalPtr(out.data())));
  const auto sums = out.download().value();
  for (const float sum : sums) EXPECT_TRUE(sum != sum);
}

YOLOCU_KERNEL change_registers(GlobalPtr<int> out) {
  if (device::warp_rank() < 4) {
    device::decrease_registers<40>();
  } else {
    device::increase_registers<232>();
    device::decrease_registers<64>();
  }
  out.store(static_cast<int>(device::thread_rank()), 1);
}

TEST(WgmmaRegisters, OfTwoWarpgroups) {
  EmulatedDevice device;
  auto out = make_buffer<int>(device, 256, "out");
  ASSERT_OK(device.launch(named_kernel("change_registers", change_registers), {.block = {256}},
                          GlobalPtr(out.data())));
  EXPECT_EQ(out.download().value(), std::vector<int>(256, 1));
}

}  // namespace
}  // namespace yolocu::testing

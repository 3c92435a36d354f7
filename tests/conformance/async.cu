// cp.async: sizes, zero fill, groups.
#include "kernels/device/async.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;

constexpr int64_t kCopyThreads = 64;
constexpr int64_t kCopyGroups = 4;

// in, out [64 * kBytes]: thread t copies t % (kBytes + 1) bytes and zeros.
template <int kBytes>
YOLOCU_KERNEL copy_partly(GlobalPtr<uint8_t> out, GlobalPtr<const uint8_t> in) {
  const auto staged = device::shared_memory<uint8_t>();
  const int64_t at = device::thread_rank() * int64_t{kBytes};
  const int count = static_cast<int>(device::thread_rank() % (kBytes + 1));
  device::copy_async<kBytes>(staged, at, in, at, count);
  device::wait_all_copies();
  device::sync_block();
  const int64_t other = (kCopyThreads - 1) * kBytes - at;
  for (int i = 0; i < kBytes; ++i) out.store(other + i, staged.load(other + i));
}

Expectation expect_partial_copies(std::span<const uint8_t> input, size_t size) {
  Bytes out(input.begin(), input.end());
  for (size_t i = 0; i < out.size(); ++i) {
    if (i % size >= i / size % (size + 1)) out[i] = 0;
  }
  return {out};
}

// in [4, 64, 4], out [4, 64, 4] words: four groups in flight; each is read, by another thread, as
// soon as it must be there. Group g of out is group g of in, its threads reversed.
YOLOCU_KERNEL copy_in_groups(GlobalPtr<device::Words4> out, GlobalPtr<const device::Words4> in) {
  const auto staged = device::shared_memory<device::Words4>();
  const int64_t thread = device::thread_rank();
  for (int64_t group = 0; group < kCopyGroups; ++group) {
    const int64_t at = group * kCopyThreads + thread;
    device::copy_async<16>(staged, at, in, at);
    device::commit_copies();
  }
  const auto pass_on = [&](int64_t group) {
    device::sync_block();
    out.store(group * kCopyThreads + thread, staged.load((group + 1) * kCopyThreads - 1 - thread));
  };
  device::wait_copies<3>();
  pass_on(0);
  device::wait_copies<1>();
  pass_on(1);
  pass_on(2);
  device::wait_copies<0>();
  pass_on(3);
}

Expectation expect_groups(std::span<const uint8_t> input) {
  const auto in = values_of<device::Words4>(input);
  std::vector<device::Words4> out;
  for (size_t group = 0; group < kCopyGroups; ++group) {
    for (size_t i = 0; i < 64; ++i) out.push_back(in[group * 64 + 63 - i]);
  }
  return {bytes_of(out)};
}

template <int kBytes>
Case partial_copy_case() {
  return kernel_case(
      "async/" + std::to_string(kBytes) + "_bytes", copy_partly<kBytes>,
      {.block = {kCopyThreads}, .shared_bytes = kCopyThreads * kBytes},
      {kCopyThreads * kBytes, kCopyThreads * kBytes},
      [](std::span<const uint8_t> input) { return expect_partial_copies(input, kBytes); });
}

void add_async_cases(Cases& cases) {
  cases.push_back(partial_copy_case<4>());
  cases.push_back(partial_copy_case<8>());
  cases.push_back(partial_copy_case<16>());
  cases.push_back(kernel_case("async/groups", copy_in_groups,
                              {.block = {kCopyThreads}, .shared_bytes = 4096}, {4096, 4096},
                              expect_groups));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance

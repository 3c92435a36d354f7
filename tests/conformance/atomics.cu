// Atomics on global and shared memory, in every order. What threads do in any order must give one
// result: old values are looked at where they are a permutation, or where nobody else is.
#include <algorithm>

#include "kernels/device/atomics.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;
using device::Order;
using device::SharedPtr;

constexpr int64_t kAtomicBlocks = 3, kAtomicThreads = 64;
constexpr int64_t kAtomicCount = kAtomicBlocks * kAtomicThreads;
constexpr int64_t kWordCount = 8;  // of each of the signed and unsigned words

// Words 0..7: sum, min, max, or, tickets, compare-and-exchange counter, two unused.
template <typename T>
constexpr T kFirst[kWordCount] = {5, 100, -100, 16, 0, 0, 0, 0};
template <>
constexpr uint32_t kFirst<uint32_t>[kWordCount] = {5, 0x80000000, 0x7FFFFFFF, 16, 0, 0, 0, 0};

// What one thread does to such words. Its ticket: 0 for the first thread that comes, and so on.
template <Order kOrder, typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T update_words(Handle words, T value) {
  device::atomic_add<kOrder>(words, 0, value);
  device::atomic_min<kOrder>(words, 1, value);
  device::atomic_max<kOrder>(words, 2, value);
  device::atomic_or<kOrder>(words, 3, value);
  T expected = 0;
  for (;;) {
    const T old = device::atomic_compare_exchange<kOrder>(words, 5, expected, expected + 3);
    if (old == expected) break;
    expected = old;
  }
  return device::atomic_add<kOrder>(words, 4, 1);
}

// Everything starts as `first` says, tickets as 0.
template <typename T>
YOLOCU_KERNEL prepare_words(GlobalPtr<T> out, GlobalPtr<const T>) {
  const int64_t i = device::thread_rank();
  const T first[] = {kFirst<T>[0], kFirst<T>[1], kFirst<T>[2], kFirst<T>[3]};
  if (i < kWordCount) out.store(i, i < 4 ? first[i] : T{0});
  for (int64_t t = i; t < 2 * kAtomicCount; t += kAtomicThreads) out.store(kWordCount + t, T{0});
}

// in [count]; out [8 words; count tickets; count exchanged words]. Word t of the exchanged ones
// takes in[t] and then what it was before plus its own number.
template <typename T, Order kOrder>
YOLOCU_KERNEL update_global(GlobalPtr<T> out, GlobalPtr<const T> in) {
  const int64_t i = device::block_index().x * kAtomicThreads + device::thread_rank();
  const T ticket = update_words<kOrder>(out, in.load(i));
  device::atomic_add<kOrder>(out, kWordCount + ticket, 1);
  const int64_t own = kWordCount + kAtomicCount + i;
  const T before = device::atomic_exchange<kOrder>(out, own, in.load(i));
  const T then = device::atomic_compare_exchange<kOrder>(out, own, in.load(i), before + 9);
  device::atomic_add<kOrder>(out, own, then == in.load(i) ? static_cast<T>(i) : T{1000});
}

// The same words in shared memory, of one block, and a word for each ticket, which takes
// in[ticket] and counts what was there before. out [8 words; a word for each thread].
template <typename T>
YOLOCU_KERNEL update_shared(GlobalPtr<T> out, GlobalPtr<const T> in) {
  const auto words = device::shared_memory<T>();
  const int64_t i = device::thread_rank();
  const T first[] = {kFirst<T>[0], kFirst<T>[1], kFirst<T>[2], kFirst<T>[3]};
  if (i < kWordCount) words.store(i, i < 4 ? first[i] : T{0});
  words.store(kWordCount + i, static_cast<T>(i));
  device::sync_block();
  const T ticket = update_words<Order::kRelaxed>(words, in.load(i));
  const T before = device::atomic_exchange(words, kWordCount + ticket, in.load(ticket));
  device::atomic_add(words, kWordCount + ticket, before);
  device::sync_block();
  if (i < kWordCount) out.store(i, words.load(i));
  out.store(kWordCount + i, words.load(kWordCount + i));
}

template <typename T>
std::vector<T> expected_words(const std::vector<T>& in) {
  std::vector<T> words(std::begin(kFirst<T>), std::end(kFirst<T>));
  uint32_t sum = static_cast<uint32_t>(words[0]);
  for (const T value : in) {
    sum += static_cast<uint32_t>(value);
    words[1] = std::min(words[1], value);
    words[2] = std::max(words[2], value);
    words[3] |= value;
  }
  words[0] = static_cast<T>(sum);
  words[4] = static_cast<T>(in.size());
  words[5] = static_cast<T>(3 * in.size());
  return words;
}

template <typename T>
Expectation expect_global(std::span<const uint8_t> input) {
  const auto in = values_of<T>(input);
  auto words = expected_words(in);
  words.insert(words.end(), in.size(), T{1});
  for (size_t i = 0; i < in.size(); ++i) words.push_back(static_cast<T>(9 + i));
  return {bytes_of(words)};
}

template <typename T>
Expectation expect_shared(std::span<const uint8_t> input) {
  const auto in = values_of<T>(input);
  auto words = expected_words(in);
  for (size_t i = 0; i < in.size(); ++i) {
    words.push_back(static_cast<T>(static_cast<uint32_t>(in[i]) + i));
  }
  return {bytes_of(words)};
}

// out [2] floats: sums of small integers, which are exact in any order, in global memory and, by
// shared memory first. They begin as the fill, which is NaN: thread 0 of an earlier kernel clears.
YOLOCU_KERNEL clear_sums(GlobalPtr<float> out) {
  out.store(0, 0.0f);
  out.store(1, 0.0f);
}

YOLOCU_KERNEL add_floats(GlobalPtr<float> out, GlobalPtr<const int32_t> in) {
  const auto sum = device::shared_memory<float>();
  const int64_t i = device::thread_rank();
  const auto value =
      static_cast<float>(in.load(device::block_index().x * kAtomicThreads + i) >> 12);
  if (i == 0) sum.store(0, 0.0f);
  device::sync_block();
  device::atomic_add(sum, 0, value * 0.25f);
  device::atomic_add<Order::kAcquireRelease>(out, 0, value);
  device::sync_block();
  if (i == 0) device::atomic_add(out, 1, sum.load(0));
}

Expectation expect_float_sums(std::span<const uint8_t> input) {
  int64_t sum = 0;
  for (const int32_t value : values_of<int32_t>(input)) sum += value >> 12;
  const auto exact = static_cast<double>(sum);
  return {bytes_of(std::vector<float>{static_cast<float>(exact), static_cast<float>(exact / 4)})};
}

template <typename T>
std::string type_name() {
  return std::is_same_v<T, int32_t> ? "s32" : "u32";
}

template <typename T, Order kOrder>
Case global_case(const std::string& order) {
  return {.name = "atomics/global_" + type_name<T>() + "_" + order,
          .output_bytes = (kWordCount + 2 * kAtomicCount) * 4,
          .input = random_input(kAtomicCount * 4),
          .run =
              [](const CaseMemory& m) {
                YOLOCU_RETURN_IF_ERROR(launch(named_kernel("prepare_words", prepare_words<T>),
                                              {.block = {kAtomicThreads}, .stream = m.stream},
                                              output_of<T>(m), input_of<T>(m)));
                return launch(
                    named_kernel("update_global", update_global<T, kOrder>),
                    {.grid = {kAtomicBlocks}, .block = {kAtomicThreads}, .stream = m.stream},
                    output_of<T>(m), input_of<T>(m));
              },
          .expect = expect_global<T>};
}

template <typename T>
void add_integer_cases(Cases& cases) {
  cases.push_back(global_case<T, Order::kRelaxed>("relaxed"));
  cases.push_back(global_case<T, Order::kAcquire>("acquire"));
  cases.push_back(global_case<T, Order::kRelease>("release"));
  cases.push_back(global_case<T, Order::kAcquireRelease>("acquire_release"));
  cases.push_back(kernel_case("atomics/shared_" + type_name<T>(), update_shared<T>,
                              {.block = {96}, .shared_bytes = (kWordCount + 96) * 4},
                              {96 * 4, (kWordCount + 96) * 4}, expect_shared<T>));
}

void add_atomics_cases(Cases& cases) {
  add_integer_cases<int32_t>(cases);
  add_integer_cases<uint32_t>(cases);
  cases.push_back({.name = "atomics/add_f32",
                   .output_bytes = 8,
                   .input = random_input(kAtomicCount * 4),
                   .run =
                       [](const CaseMemory& m) {
                         YOLOCU_RETURN_IF_ERROR(launch(named_kernel("clear_sums", clear_sums),
                                                       {.stream = m.stream}, output_of<float>(m)));
                         return launch(named_kernel("add_floats", add_floats),
                                       {.grid = {kAtomicBlocks},
                                        .block = {kAtomicThreads},
                                        .shared_bytes = 4,
                                        .stream = m.stream},
                                       output_of<float>(m), input_of<int32_t>(m));
                       },
                   .expect = expect_float_sums});
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance

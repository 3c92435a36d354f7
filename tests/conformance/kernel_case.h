// Cases of one launch, and what their kernels share.
#pragma once

#include <utility>

#include "kernels/device/memory.h"
#include "kernels/device/threads.h"
#include "tests/conformance/inputs.h"

namespace yolocu::conformance {

struct CaseBytes {
  int64_t in, out;
};

inline namespace YOLOCU_TARGET {

// Typed handles of a case's memory, from byte `offset` on.
template <typename T>
device::GlobalPtr<T> output_of(const CaseMemory& memory, int64_t offset = 0) {
  return device::GlobalPtr<T>(reinterpret_cast<T*>(memory.out + offset));
}
template <typename T>
device::GlobalPtr<const T> input_of(const CaseMemory& memory, int64_t offset = 0) {
  return device::GlobalPtr<const T>(reinterpret_cast<const T*>(memory.in + offset));
}

// kernel(out, in, more...) once, with random bytes as input. The config's stream is not used.
template <typename Out, typename In, typename... More>
Case kernel_case(const std::string& name,
                 void (*kernel)(device::GlobalPtr<Out>, device::GlobalPtr<const In>, More...),
                 const LaunchConfig& config, CaseBytes bytes,
                 std::function<Expectation(std::span<const uint8_t>)> expect,
                 std::type_identity_t<More>... more) {
  return {.name = name,
          .output_bytes = bytes.out,
          .input = random_input(static_cast<size_t>(bytes.in)),
          .run =
              [=](const CaseMemory& memory) {
                LaunchConfig on_stream = config;
                on_stream.stream = memory.stream;
                return launch(named_kernel(name, kernel), on_stream, output_of<Out>(memory),
                              input_of<In>(memory), more...);
              },
          .expect = std::move(expect)};
}

// The same for what needs more than sm_80.
inline Case with_needs(Needs needs, Case test) {
  test.needs = needs;
  return test;
}

// shared[0, words) = value; no barrier. All threads of the block, as below.
YOLOCU_DEVICE void fill_shared(int64_t words, uint32_t value) {
  const auto shared = device::shared_memory<uint32_t>();
  for (int64_t i = device::thread_rank(); i < words; i += device::thread_count()) {
    shared.store(i, value);
  }
}

// shared[0, words) = in; no barrier.
YOLOCU_DEVICE void read_to_shared(device::GlobalPtr<const uint32_t> in, int64_t words) {
  const auto shared = device::shared_memory<uint32_t>();
  for (int64_t i = device::thread_rank(); i < words; i += device::thread_count()) {
    shared.store(i, in.load(i));
  }
}

// out = shared[0, words); no barrier.
YOLOCU_DEVICE void write_from_shared(device::GlobalPtr<uint32_t> out, int64_t words) {
  const auto shared = device::shared_memory<uint32_t>();
  for (int64_t i = device::thread_rank(); i < words; i += device::thread_count()) {
    out.store(i, shared.load(i));
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance

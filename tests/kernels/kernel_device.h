// Tests of kernels on every device: each case runs on the emulated device, and on a CUDA device
// where there is one.
//
//   class MyTest : public testing::KernelTest<Case> {};
//   TEST_P(MyTest, ...) { kernels().x(..., stream()); }
//   YOLOCU_INSTANTIATE_ON_DEVICES(MyTest, ::testing::ValuesIn(cases), name_of_case);
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/kernel_table.h"
#include "kernels/runtime.h"
#include "tests/support/test_support.h"

namespace yolocu::testing {

enum class DeviceKind : uint8_t { kEmulated, kCuda };

// A device, its kernels, and a stream of its own.
struct KernelDevice {
  std::unique_ptr<DeviceRuntime> runtime;
  const KernelTable* kernels = nullptr;
  OwnedStream stream = {};
};

// The seed is the emulated device's. Errors: those of cuda_runtime().
Result<KernelDevice> open_device(DeviceKind kind, uint64_t seed = 1);

// "NVIDIA H100 (sm_90, 132 multiprocessors)"
std::string device_text(const DeviceInfo& info);

// Host bytes there and back, waiting. A failure fails the test; back comes nothing then.
DeviceMemory to_device(DeviceRuntime& runtime, Stream stream, std::span<const uint8_t> bytes,
                       std::string_view name);
std::vector<uint8_t> to_host(DeviceRuntime& runtime, Stream stream, const DeviceMemory& memory);

// The fixture: a device of its own for each test, which is skipped where there is none.
template <typename Case>
class KernelTest : public ::testing::TestWithParam<std::tuple<DeviceKind, Case>> {
 protected:
  void SetUp() override {
    auto opened = open_device(kind());
    if (!opened.ok()) GTEST_SKIP() << "no device: " << opened.status().message();
    device_ = std::move(opened).value();
  }

  DeviceKind kind() const { return std::get<0>(this->GetParam()); }
  const Case& test_case() const { return std::get<1>(this->GetParam()); }
  DeviceRuntime& runtime() { return *device_.runtime; }
  const KernelTable& kernels() const { return *device_.kernels; }
  Stream stream() const { return device_.stream.get(); }

  DeviceMemory to_device(std::span<const uint8_t> bytes, std::string_view name) {
    return testing::to_device(runtime(), stream(), bytes, name);
  }
  std::vector<uint8_t> to_host(const DeviceMemory& memory) {
    return testing::to_host(runtime(), stream(), memory);
  }

 private:
  KernelDevice device_;
};

}  // namespace yolocu::testing

// `name` gives a Case its name. The names of the instantiations are what --device selects.
#define YOLOCU_INSTANTIATE_ON_DEVICES(Suite, cases, name)                                     \
  INSTANTIATE_TEST_SUITE_P(                                                                   \
      emulated, Suite,                                                                        \
      ::testing::Combine(::testing::Values(::yolocu::testing::DeviceKind::kEmulated), cases), \
      [](const auto& test) { return std::string(name(std::get<1>(test.param))); });           \
  INSTANTIATE_TEST_SUITE_P(                                                                   \
      cuda, Suite,                                                                            \
      ::testing::Combine(::testing::Values(::yolocu::testing::DeviceKind::kCuda), cases),     \
      [](const auto& test) { return std::string(name(std::get<1>(test.param))); })

// Device memory for tests, and skipping where there is no device.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "kernels/cuda_status.h"
#include "kernels/device_query.h"

namespace yolocu::testing {

// A copy of host bytes on the current device, freed at the end of the scope. CUDA's allocations are
// aligned to 256 bytes.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(const std::vector<uint8_t>& bytes) : size_(bytes.size()) {
    expect_ok(cudaMalloc(&data_, size_));
    expect_ok(cudaMemcpy(data_, bytes.data(), size_, cudaMemcpyHostToDevice));
  }
  ~DeviceBuffer() { cudaFree(data_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  void* data() { return data_; }

  // Waits for the device, then copies back; errors of kernels before it fail the test here.
  std::vector<uint8_t> bytes() const {
    std::vector<uint8_t> host(size_);
    expect_ok(cudaDeviceSynchronize());
    expect_ok(cudaMemcpy(host.data(), data_, size_, cudaMemcpyDeviceToHost));
    return host;
  }

 private:
  static void expect_ok(cudaError_t error) {
    const Status status = cuda_status(error, "device buffer");
    EXPECT_TRUE(status.ok()) << status.message();
  }

  size_t size_;
  void* data_ = nullptr;
};

}  // namespace yolocu::testing

#define YOLOCU_REQUIRE_DEVICE()                                                 \
  do {                                                                          \
    const auto yolocu_devices_ = ::yolocu::query_devices();                     \
    if (!yolocu_devices_.ok())                                                  \
      GTEST_SKIP() << "no CUDA device: " << yolocu_devices_.status().message(); \
  } while (false)

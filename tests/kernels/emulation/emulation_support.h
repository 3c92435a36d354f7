// What tests of the emulation share: buffers with contents, and launches by a short name.
#pragma once

#include <gtest/gtest.h>

#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "kernels/device/async.h"
#include "kernels/device/atomics.h"
#include "kernels/device/dependent_launch.h"
#include "kernels/device/fence.h"
#include "kernels/device/memory.h"
#include "kernels/device/threads.h"
#include "kernels/device/warp.h"
#include "kernels/emulation/launch.h"
#include "tests/support/test_support.h"

namespace yolocu::testing {

template <typename T>
emulation::EmulatedBuffer<T> make_buffer(emulation::EmulatedDevice& device, int64_t count,
                                         const std::string& name) {
  return std::move(emulation::EmulatedBuffer<T>::create(device, count, name).value());
}

template <typename T>
emulation::EmulatedBuffer<T> filled_buffer(emulation::EmulatedDevice& device,
                                           const std::vector<T>& values, const std::string& name) {
  auto buffer = make_buffer<T>(device, static_cast<int64_t>(values.size()), name);
  EXPECT_TRUE(buffer.upload(values).ok());
  return buffer;
}

// first, first + 1, ...
template <typename T>
std::vector<T> count_up(size_t count, T first) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

}  // namespace yolocu::testing

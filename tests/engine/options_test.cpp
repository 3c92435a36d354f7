#include "yolocu/options.h"

#include <gtest/gtest.h>

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

TEST(Options, EveryDeviceHasAWordThatReadsBack) {
  for (const Device device :
       {Device::kAuto, Device::kCpu, Device::kReference, Device::kCuda, Device::kEmulated}) {
    const auto parsed = parse_device(device_name(device));
    ASSERT_OK(parsed);
    EXPECT_EQ(*parsed, device);
  }
  EXPECT_EQ(device_name(Device::kReference), "reference");
}

TEST(Options, EveryPrecisionHasAWordThatReadsBack) {
  for (const Precision precision :
       {Precision::kAuto, Precision::kFp32, Precision::kFp16, Precision::kBf16, Precision::kInt8}) {
    const auto parsed = parse_precision(precision_name(precision));
    ASSERT_OK(parsed);
    EXPECT_EQ(*parsed, precision);
  }
  EXPECT_EQ(precision_name(Precision::kBf16), "bf16");
}

TEST(Options, ErrorsListTheWords) {
  const auto device = parse_device("gpu");
  EXPECT_EQ(device.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(device.status().message(),
            "device: expected one of auto, cpu, reference, cuda, emulated; got 'gpu'");
  const auto precision = parse_precision("");
  EXPECT_EQ(precision.status().message(),
            "precision: expected one of auto, fp32, fp16, bf16, int8; got ''");
  EXPECT_FALSE(parse_device("CPU").ok());
  EXPECT_FALSE(parse_device("cpu ").ok());
}

}  // namespace
}  // namespace yolocu

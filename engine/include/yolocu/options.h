// Choices that a caller makes, with the words the command line uses for them.
#pragma once

#include <cstdint>
#include <string_view>

#include "yolocu/status.h"

namespace yolocu {

// kAuto: the fastest device of this build that is present.
enum class Device : uint8_t { kAuto, kCpu, kReference, kCuda, kEmulated };

// kAuto: the device's choice. Activations and weights are held in this type; sums are fp32.
enum class Precision : uint8_t { kAuto, kFp32, kFp16, kBf16, kInt8 };

// Whether records of kernel launches are kept. On the emulated device they have counters, which
// take time.
enum class LaunchRecords : uint8_t { kDrop, kKeep };

// "auto", "cpu", "reference", "cuda", "emulated".
std::string_view device_name(Device device);
Result<Device> parse_device(std::string_view name);

// "auto", "fp32", "fp16", "bf16", "int8".
std::string_view precision_name(Precision precision);
Result<Precision> parse_precision(std::string_view name);

}  // namespace yolocu

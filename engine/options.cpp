#include "yolocu/options.h"

#include <array>
#include <cstddef>
#include <string>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

// Words in the order of the enumerators.
constexpr std::array<std::string_view, 5> kDeviceWords = {"auto", "cpu", "reference", "cuda",
                                                          "emulated"};
constexpr std::array<std::string_view, 5> kPrecisionWords = {"auto", "fp32", "fp16", "bf16",
                                                             "int8"};
static_assert(kDeviceWords.size() == static_cast<size_t>(Device::kEmulated) + 1);
static_assert(kPrecisionWords.size() == static_cast<size_t>(Precision::kInt8) + 1);

template <typename Choice, size_t kCount>
Result<Choice> parse(std::string_view what, std::string_view name,
                     const std::array<std::string_view, kCount>& words) {
  std::string allowed;
  for (size_t i = 0; i < kCount; ++i) {
    if (words[i] == name) return static_cast<Choice>(i);
    if (i > 0) allowed += ", ";
    allowed += words[i];
  }
  return invalid_argument(str_cat(what, ": expected one of ", allowed, "; got '", name, "'"));
}

}  // namespace

std::string_view device_name(Device device) {
  return kDeviceWords[static_cast<size_t>(device)];
}

Result<Device> parse_device(std::string_view name) {
  return parse<Device>("device", name, kDeviceWords);
}

std::string_view precision_name(Precision precision) {
  return kPrecisionWords[static_cast<size_t>(precision)];
}

Result<Precision> parse_precision(std::string_view name) {
  return parse<Precision>("precision", name, kPrecisionWords);
}

}  // namespace yolocu

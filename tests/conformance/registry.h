// All cases, once for each target.
#pragma once

#include "kernels/device/target.h"
#include "tests/conformance/case.h"

namespace yolocu::conformance {

inline namespace YOLOCU_TARGET {
#define TOPIC(name) void add_##name##_cases(Cases& cases);
#include "tests/conformance/topics.inc"
#undef TOPIC
Cases all_cases();
}  // namespace YOLOCU_TARGET

// In a build without CUDA it has none.
namespace YOLOCU_OTHER_TARGET {
Cases all_cases();
}  // namespace YOLOCU_OTHER_TARGET

}  // namespace yolocu::conformance

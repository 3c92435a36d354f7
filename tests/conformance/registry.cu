#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

Cases all_cases() {
  Cases cases;
#define TOPIC(name) add_##name##_cases(cases);
#include "tests/conformance/topics.inc"
#undef TOPIC
  return cases;
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance

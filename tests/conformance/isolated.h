// Work in a process of its own: a device that hangs or whose context is lost takes nothing else
// with it.
#pragma once

#include <chrono>
#include <functional>

#include "tests/conformance/case.h"

namespace yolocu::conformance {

// What `work` returns, from a forked process; CUDA must not be in use in this one. kUnavailable if
// that process dies, or is killed because it ran longer than `limit`.
Result<Bytes> run_isolated(const std::function<Result<Bytes>()>& work,
                           std::chrono::milliseconds limit);

}  // namespace yolocu::conformance

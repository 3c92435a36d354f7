// Starting kernels: launch() checks the limits of CUDA, starts, and returns a Status that names the
// kernel and the place of the call. All launches go through it; no file uses triple chevrons.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "yolocu/status.h"

// What CUDA's headers define cudaStream_t with: code that only passes a stream on needs no toolkit.
struct CUstream_st;

namespace yolocu {

// A queue of device work, owned by the caller; nullptr is the default stream.
using Stream = CUstream_st*;

struct Extent3 {
  int64_t x = 1, y = 1, z = 1;
};

struct LaunchConfig {
  Extent3 grid = {};         // blocks
  Extent3 block = {};        // threads
  int64_t shared_bytes = 0;  // dynamic shared memory of one block
  Stream stream = nullptr;
};

// A place in the source, for messages.
struct CallSite {
  const char* file;
  int line;

  static constexpr CallSite current(const char* file = __builtin_FILE(),
                                    int line = __builtin_LINE()) {
    return {file, line};
  }
};

// A kernel and the name that messages give it.
template <typename... Params>
struct NamedKernel {
  std::string_view name;
  void (*function)(Params...);
  CallSite site;
};

template <typename... Params>
NamedKernel<Params...> named_kernel(std::string_view name, void (*function)(Params...),
                                    CallSite site = CallSite::current()) {
  return {name, function, site};
}

// The most that any device since sm_80 allows, whatever the kernel: 1..2^31-1 blocks in x and
// 1..65535 in y and z, at most 1024 threads (64 in z), at most 227 KiB of shared memory.
// kInvalidArgument names the kernel, the extent and its limit. Devices with less shared memory
// refuse at the launch.
Status check_launch_limits(std::string_view name, const LaunchConfig& config);

// launch() without the types; arguments[i] points to the i-th argument.
Status launch_untyped(std::string_view name, CallSite site, const LaunchConfig& config,
                      const void* function, void** arguments);

// Starts kernel(arguments...) on config.stream and returns without waiting. Errors: those of
// check_launch_limits, and what CUDA says to the launch itself. An error while the kernel runs
// appears at a later call.
template <typename... Params>
Status launch(const NamedKernel<Params...>& kernel, const LaunchConfig& config,
              std::type_identity_t<Params>... arguments) {
  void* pointers[] = {static_cast<void*>(&arguments)..., nullptr};
  return launch_untyped(kernel.name, kernel.site, config,
                        reinterpret_cast<const void*>(kernel.function), pointers);
}

}  // namespace yolocu

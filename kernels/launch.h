// Starting kernels: launch() checks the limits of CUDA, starts, and returns a Status that names the
// kernel and the place of the call. All launches go through it; no file uses triple chevrons.
// Compiled by nvcc it starts kernels on CUDA, by any other compiler on the emulated device.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "kernels/call_site.h"
#include "kernels/device/target.h"
#include "yolocu/status.h"

// What CUDA's headers define cudaStream_t with: code that only passes a stream on needs no toolkit.
struct CUstream_st;

namespace yolocu {

// A queue of device work, owned by the caller: a cudaStream_t for kernels of the CUDA target, where
// nullptr is the default stream; for those of the emulated target a stream of an EmulatedRuntime.
using Stream = CUstream_st*;

struct Extent3 {
  int64_t x = 1, y = 1, z = 1;
};

// kOverlapPrevious: programmatic dependent launch, device/dependent_launch.h. A kernel whose code
// on this device is for an architecture before sm_90, be the card newer, starts after the one
// before.
enum class StartRule : uint8_t { kAfterPrevious, kOverlapPrevious };

struct LaunchConfig {
  Extent3 grid = {};         // blocks; a multiple of the cluster
  Extent3 block = {};        // threads
  Extent3 cluster = {};      // blocks of a cluster: at most 8; more than 1 needs sm_90
  int64_t shared_bytes = 0;  // dynamic shared memory of one block
  StartRule start = StartRule::kAfterPrevious;
  Stream stream = nullptr;
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

// Shared memory that a block may have, static and dynamic together, on a device of this compute
// capability; 48 KiB, which every device has, if it is not known. Source: CUDA C++ Programming
// Guide 13.0, technical specifications per compute capability.
int64_t shared_bytes_limit(int compute_major, int compute_minor);

// The most that any device since sm_80 allows, whatever the kernel: 1..2^31-1 blocks in x and
// 1..65535 in y and z, at most 1024 threads (64 in z), at most 227 KiB of shared memory; a cluster
// of 1..8 blocks whose extents divide the grid's. kInvalidArgument names the kernel, the extent and
// its limit. Devices with less shared memory or without clusters refuse at the launch.
Status check_launch_limits(std::string_view name, const LaunchConfig& config);

namespace emulation {

// The emulated launch() without the types (emulation/runtime.h): `kernel` runs once for each
// thread, at a later synchronisation. kInvalidArgument also for a stream that is nullptr or
// destroyed.
Status enqueue_launch(std::string_view name, CallSite site, const LaunchConfig& config,
                      std::function<void()> kernel);

}  // namespace emulation

inline namespace YOLOCU_TARGET {

#if defined(__CUDACC__)

// launch() without the types; arguments[i] points to the i-th argument.
Status launch_untyped(std::string_view name, CallSite site, const LaunchConfig& config,
                      const void* function, void** arguments);

// Starts kernel(arguments...) on config.stream and returns without waiting. Errors: those of
// check_launch_limits, and what CUDA (or the emulated device) says to the launch itself. An error
// while the kernel runs appears at a later call.
template <typename... Params>
Status launch(const NamedKernel<Params...>& kernel, const LaunchConfig& config,
              std::type_identity_t<Params>... arguments) {
  void* pointers[] = {static_cast<void*>(&arguments)..., nullptr};
  return launch_untyped(kernel.name, kernel.site, config,
                        reinterpret_cast<const void*>(kernel.function), pointers);
}

#else

template <typename... Params>
Status launch(const NamedKernel<Params...>& kernel, const LaunchConfig& config,
              std::type_identity_t<Params>... arguments) {
  return emulation::enqueue_launch(
      kernel.name, kernel.site, config,
      [function = kernel.function, packed = std::tuple<Params...>(arguments...)] {
        std::apply(function, packed);
      });
}

#endif

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

// Which implementation of the primitives this translation unit gets: PTX under nvcc, the host
// emulation (kernels/emulation) under any other compiler. Kernels contain no #ifdef: this is where
// the two targets part.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)

// The namespace of everything whose meaning differs between the targets, kernels included, so that
// one program can hold both. Use: namespace yolocu { inline namespace YOLOCU_TARGET { ... } }
#define YOLOCU_TARGET cuda_target
#define YOLOCU_OTHER_TARGET emulated_target          // for headers that declare things of both
#define YOLOCU_KERNEL __global__ void                // a kernel
#define YOLOCU_DEVICE __device__ __forceinline__     // a function that only kernels call
#define YOLOCU_HOST_DEVICE __host__ __device__       // one that means the same everywhere
#define YOLOCU_KERNEL_PARAM const __grid_constant__  // a struct passed to a kernel by value
#define YOLOCU_UNROLL _Pragma("unroll")
#define YOLOCU_ROLL _Pragma("unroll 1")  // keeps a loop one: code that runs once comes from afar

// The place of the call, for reports; it exists on the host only. _ONLY: there is no other
// parameter before it.
#define YOLOCU_SITE
#define YOLOCU_SITE_ONLY
#define YOLOCU_PASS_SITE
#define YOLOCU_PASS_SITE_ONLY

#else

#include "kernels/call_site.h"

#define YOLOCU_TARGET emulated_target
#define YOLOCU_OTHER_TARGET cuda_target
#define YOLOCU_KERNEL inline void
#define YOLOCU_DEVICE inline
#define YOLOCU_HOST_DEVICE
#define YOLOCU_KERNEL_PARAM const
#define YOLOCU_UNROLL
#define YOLOCU_ROLL

#define YOLOCU_SITE , ::yolocu::CallSite site = ::yolocu::CallSite::current()
#define YOLOCU_SITE_ONLY ::yolocu::CallSite site = ::yolocu::CallSite::current()
#define YOLOCU_PASS_SITE , site
#define YOLOCU_PASS_SITE_ONLY site

#endif

namespace yolocu {

// A position or an extent in a grid or block.
struct Index3 {
  uint32_t x = 0, y = 0, z = 0;
};

}  // namespace yolocu

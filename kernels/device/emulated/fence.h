// fence.h on the host.
#pragma once

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

inline void fence_async_proxy(CallSite site) {
  emulation::fence_async_proxy(site);
}

inline void fence_async_proxy_in_block(CallSite site) {
  emulation::fence_async_proxy(site);
}

inline void fence_device(CallSite site) {
  emulation::fence_device(site);
}

}  // namespace emulated_target
}  // namespace yolocu::device

// async.h on the host.
#pragma once

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

template <int kBytes, typename D, typename S>
void copy_async(SharedPtr<D> dst, int64_t dst_index, GlobalPtr<S> src, int64_t src_index,
                int source_bytes, CallSite site) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "cp.async moves 4, 8 or 16 bytes");
  emulation::copy_async({(dst + dst_index).address(), src.get() + src_index, kBytes, source_bytes},
                        site);
}

inline void commit_copies(CallSite site) {
  emulation::commit_copies(site);
}

template <int kPending>
void wait_copies(CallSite site) {
  static_assert(kPending >= 0, "a number of groups");
  emulation::wait_copies(kPending, site);
}

inline void wait_all_copies(CallSite site) {
  emulation::wait_all_copies(site);
}

}  // namespace emulated_target
}  // namespace yolocu::device

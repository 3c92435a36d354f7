// Atomics on global and shared memory, at the scope of the device (global) or block (shared):
// atom.{global,shared}, ld.acquire.gpu, st.release.gpu. All of it exists on sm_80 and later.
//
// Read-modify-writes return the old value. With kOrder kRelaxed they order no other access. A
// release makes what this thread did or knew before visible to an acquire that reads the value it
// left; in a block, the other threads' writes need a barrier before it. Orders other than kRelaxed
// exist on global memory.
//
// Handle is GlobalPtr<T> or SharedPtr<T>; T is int32_t or uint32_t, for atomic_add also float.
#pragma once

#include <type_traits>

#include "kernels/device/memory.h"
#include "kernels/device/target.h"

namespace yolocu::device {

enum class Order : uint8_t { kRelaxed, kAcquire, kRelease, kAcquireRelease };

template <typename T>
constexpr bool is_atomic_integer = std::is_same_v<T, int32_t> || std::is_same_v<T, uint32_t>;
template <typename T>
constexpr bool is_atomic_addend = is_atomic_integer<T> || std::is_same_v<T, float>;

inline namespace YOLOCU_TARGET {

// ld.acquire.gpu: for flags that other blocks set. A loop around it may wait for a block that is
// resident: on the host such a loop gives way to the others.
template <typename T>
YOLOCU_DEVICE std::remove_const_t<T> load_acquire(GlobalPtr<T> handle, int64_t index YOLOCU_SITE);
// st.release.gpu.
template <typename T>
YOLOCU_DEVICE void store_release(GlobalPtr<T> handle, int64_t index,
                                 std::type_identity_t<T> value YOLOCU_SITE);

// atom.add (atomicAdd): x += value. Integers wrap; floats round to nearest even.
template <Order kOrder = Order::kRelaxed, typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_add(Handle handle, int64_t index, std::type_identity_t<T> value YOLOCU_SITE);
// atom.min, atom.max (atomicMin, atomicMax): x = min(x, value), x = max(x, value).
template <Order kOrder = Order::kRelaxed, typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_min(Handle handle, int64_t index, std::type_identity_t<T> value YOLOCU_SITE);
template <Order kOrder = Order::kRelaxed, typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_max(Handle handle, int64_t index, std::type_identity_t<T> value YOLOCU_SITE);
// atom.or (atomicOr): x |= value.
template <Order kOrder = Order::kRelaxed, typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_or(Handle handle, int64_t index, std::type_identity_t<T> value YOLOCU_SITE);
// atom.exch (atomicExch): x = value.
template <Order kOrder = Order::kRelaxed, typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_exchange(Handle handle, int64_t index,
                                std::type_identity_t<T> value YOLOCU_SITE);
// atom.cas (atomicCAS): x = value if it was `expected`.
template <Order kOrder = Order::kRelaxed, typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_compare_exchange(Handle handle, int64_t index,
                                        std::type_identity_t<T> expected,
                                        std::type_identity_t<T> value YOLOCU_SITE);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/atomics.cuh"
#else
#include "kernels/device/emulated/atomics.h"
#endif

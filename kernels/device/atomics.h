// Atomic read-modify-write on global and shared memory: atom.{global,shared} with relaxed order, at
// the scope of the device (global) or block (shared). They return the old value; they order no
// other access. All of it exists on sm_80 and later.
//
// Handle is GlobalPtr<T> or SharedPtr<T>; T is int32_t or uint32_t, for atomic_add also float.
#pragma once

#include <type_traits>

#include "kernels/device/memory.h"
#include "kernels/device/target.h"

namespace yolocu::device {

template <typename T>
constexpr bool is_atomic_integer = std::is_same_v<T, int32_t> || std::is_same_v<T, uint32_t>;
template <typename T>
constexpr bool is_atomic_addend = is_atomic_integer<T> || std::is_same_v<T, float>;

inline namespace YOLOCU_TARGET {

// atom.add (atomicAdd): x += value. Integers wrap; floats round to nearest even.
template <typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_add(Handle handle, int64_t index, std::type_identity_t<T> value YOLOCU_SITE);
// atom.min, atom.max (atomicMin, atomicMax): x = min(x, value), x = max(x, value).
template <typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_min(Handle handle, int64_t index, std::type_identity_t<T> value YOLOCU_SITE);
template <typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_max(Handle handle, int64_t index, std::type_identity_t<T> value YOLOCU_SITE);
// atom.or (atomicOr): x |= value.
template <typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_or(Handle handle, int64_t index, std::type_identity_t<T> value YOLOCU_SITE);
// atom.exch (atomicExch): x = value.
template <typename Handle, typename T = typename Handle::Value>
YOLOCU_DEVICE T atomic_exchange(Handle handle, int64_t index,
                                std::type_identity_t<T> value YOLOCU_SITE);
// atom.cas (atomicCAS): x = value if it was `expected`.
template <typename Handle, typename T = typename Handle::Value>
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

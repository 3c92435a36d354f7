// atomics.h on the host. Blocks run on several host threads, so global atomics are the host's own;
// a block runs on one, so shared ones need none.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

template <typename T, typename Operation>
T update(GlobalPtr<T> handle, int64_t index, Operation operation, CallSite site) {
  auto* bytes = emulation::atomic_global(handle.get() + index, sizeof(T), site);
  std::atomic_ref<T> target(*reinterpret_cast<T*>(bytes));
  T old = target.load(std::memory_order_relaxed);
  while (!target.compare_exchange_weak(old, operation(old), std::memory_order_relaxed)) {
  }
  return old;
}

template <typename T, typename Operation>
T update(SharedPtr<T> handle, int64_t index, Operation operation, CallSite site) {
  auto* bytes = emulation::atomic_shared((handle + index).address(), sizeof(T), site);
  T old;
  std::memcpy(&old, bytes, sizeof(T));
  const T next = operation(old);
  std::memcpy(bytes, &next, sizeof(T));
  return old;
}

template <typename Handle, typename T>
T atomic_add(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_addend<T>, "atomic_add takes int32_t, uint32_t or float");
  const auto add = [value](T old) {
    if constexpr (std::is_same_v<T, float>) {
      return old + value;
    } else {  // unsigned, so that a signed sum wraps
      return static_cast<T>(static_cast<uint32_t>(old) + static_cast<uint32_t>(value));
    }
  };
  return update(handle, index, add, site);
}

template <typename Handle, typename T>
T atomic_min(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_min takes int32_t or uint32_t");
  return update(
      handle, index, [value](T old) { return std::min(old, value); }, site);
}

template <typename Handle, typename T>
T atomic_max(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_max takes int32_t or uint32_t");
  return update(
      handle, index, [value](T old) { return std::max(old, value); }, site);
}

template <typename Handle, typename T>
T atomic_or(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_or takes int32_t or uint32_t");
  return update(
      handle, index, [value](T old) { return old | value; }, site);
}

template <typename Handle, typename T>
T atomic_exchange(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_exchange takes int32_t or uint32_t");
  return update(
      handle, index, [value](T) { return value; }, site);
}

template <typename Handle, typename T>
T atomic_compare_exchange(Handle handle, int64_t index, std::type_identity_t<T> expected,
                          std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_compare_exchange takes int32_t or uint32_t");
  const auto swap = [expected, value](T old) { return old == expected ? value : old; };
  return update(handle, index, swap, site);
}

}  // namespace emulated_target
}  // namespace yolocu::device

// atomics.h on the host. An operation gives the new value of a word, if it gets one.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

constexpr emulation::SyncOrder sync_order(Order order) {
  switch (order) {
    case Order::kRelaxed: return emulation::SyncOrder::kRelaxed;
    case Order::kAcquire: return emulation::SyncOrder::kAcquire;
    case Order::kRelease: return emulation::SyncOrder::kRelease;
    case Order::kAcquireRelease: break;
  }
  return emulation::SyncOrder::kAcquireRelease;
}

template <Order kOrder, typename T, typename Operation>
T update(GlobalPtr<T> handle, int64_t index, const Operation& operation, CallSite site) {
  const auto on_bits = [&operation](uint32_t bits) {
    const std::optional<T> next = operation(std::bit_cast<T>(bits));
    return next ? std::optional(std::bit_cast<uint32_t>(*next)) : std::nullopt;
  };
  return std::bit_cast<T>(
      emulation::update_word(handle.get() + index, sync_order(kOrder), on_bits, site));
}

// A block runs on one host thread.
template <Order kOrder, typename T, typename Operation>
T update(SharedPtr<T> handle, int64_t index, const Operation& operation, CallSite site) {
  static_assert(kOrder == Order::kRelaxed, "shared memory has kRelaxed only");
  auto* bytes = emulation::atomic_shared((handle + index).address(), sizeof(T), site);
  T old;
  std::memcpy(&old, bytes, sizeof(T));
  const std::optional<T> next = operation(old);
  if (next) std::memcpy(bytes, &*next, sizeof(T));
  return old;
}

template <typename T>
std::remove_const_t<T> load_acquire(GlobalPtr<T> handle, int64_t index, CallSite site) {
  using Value = std::remove_const_t<T>;
  static_assert(is_atomic_integer<Value>, "load_acquire takes int32_t or uint32_t");
  return static_cast<Value>(
      emulation::load_word(handle.get() + index, emulation::SyncOrder::kAcquire, site));
}

template <typename T>
void store_release(GlobalPtr<T> handle, int64_t index, std::type_identity_t<T> value,
                   CallSite site) {
  static_assert(is_atomic_integer<T>, "store_release takes int32_t or uint32_t");
  emulation::store_word(handle.get() + index, static_cast<uint32_t>(value),
                        emulation::SyncOrder::kRelease, site);
}

template <Order kOrder, typename Handle, typename T>
T atomic_add(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_addend<T>, "atomic_add takes int32_t, uint32_t or float");
  const auto add = [value](T old) {
    if constexpr (std::is_same_v<T, float>) {
      return std::optional(old + value);
    } else {  // unsigned, so that a signed sum wraps
      return std::optional(
          static_cast<T>(static_cast<uint32_t>(old) + static_cast<uint32_t>(value)));
    }
  };
  return update<kOrder>(handle, index, add, site);
}

template <Order kOrder, typename Handle, typename T>
T atomic_min(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_min takes int32_t or uint32_t");
  const auto operation = [value](T old) { return std::optional<T>(std::min(old, value)); };
  return update<kOrder>(handle, index, operation, site);
}

template <Order kOrder, typename Handle, typename T>
T atomic_max(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_max takes int32_t or uint32_t");
  const auto operation = [value](T old) { return std::optional<T>(std::max(old, value)); };
  return update<kOrder>(handle, index, operation, site);
}

template <Order kOrder, typename Handle, typename T>
T atomic_or(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_or takes int32_t or uint32_t");
  const auto operation = [value](T old) { return std::optional<T>(old | value); };
  return update<kOrder>(handle, index, operation, site);
}

template <Order kOrder, typename Handle, typename T>
T atomic_exchange(Handle handle, int64_t index, std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_exchange takes int32_t or uint32_t");
  const auto operation = [value](T) { return std::optional<T>(value); };
  return update<kOrder>(handle, index, operation, site);
}

template <Order kOrder, typename Handle, typename T>
T atomic_compare_exchange(Handle handle, int64_t index, std::type_identity_t<T> expected,
                          std::type_identity_t<T> value, CallSite site) {
  static_assert(is_atomic_integer<T>, "atomic_compare_exchange takes int32_t or uint32_t");
  const auto swap = [expected, value](T old) {
    return old == expected ? std::optional<T>(value) : std::nullopt;
  };
  return update<kOrder>(handle, index, swap, site);
}

}  // namespace emulated_target
}  // namespace yolocu::device

// memory.h on the host. Cache hints change no result here.
#pragma once

#include <cstring>

#include "kernels/emulation/primitives.h"

namespace yolocu::device {
inline namespace emulated_target {

template <typename V, LoadHint>
V load_global(const void* address, CallSite site) {
  V value;
  std::memcpy(&value, emulation::read_global(address, sizeof(V), site), sizeof(V));
  return value;
}

template <typename V, StoreHint>
void store_global(void* address, const V& value, CallSite site) {
  std::memcpy(emulation::write_global(address, sizeof(V), site), &value, sizeof(V));
}

template <typename V>
V load_shared(SharedAddress address, CallSite site) {
  V value;
  std::memcpy(&value, emulation::read_shared(address, sizeof(V), site), sizeof(V));
  return value;
}

template <typename V>
void store_shared(SharedAddress address, const V& value, CallSite site) {
  std::memcpy(emulation::write_shared(address, sizeof(V), site), &value, sizeof(V));
}

template <typename U>
SharedPtr<U> shared_memory(int64_t offset_bytes) {
  return SharedPtr<U>(static_cast<SharedAddress>(offset_bytes));
}

}  // namespace emulated_target
}  // namespace yolocu::device

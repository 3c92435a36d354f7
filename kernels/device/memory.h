// Typed handles of global and shared memory. Kernels access memory only through them: on the host
// every access is checked (bounds, alignment, races, uninitialised bytes) and counted; on the
// device they vanish. All of it exists on sm_80 and later.
//
// An access moves a V of 1, 2, 4, 8 or 16 bytes and must be aligned to its size; index counts T.
#pragma once

#include <type_traits>

#include "kernels/device/target.h"

namespace yolocu::device {

// Vectors for the wide loads and stores.
struct alignas(8) Words2 {
  uint32_t x, y;
};

struct alignas(16) Words4 {
  uint32_t x, y, z, w;
};

enum class LoadHint : uint8_t {
  kNone,                // ld.global
  // ld.global.nc: nobody writes these bytes while the kernel runs. A dependent launch runs while
  // the grids before it do: what they write is not for this, even after wait_for_prior_grids.
  kReadOnly,
  kReadOnlyL2Prefetch,  // ld.global.nc.L2::128B: the same, and fetch the 128-byte line into L2
  kStreaming,           // ld.global.cs: read once, first to be evicted
};

enum class StoreHint : uint8_t {
  kNone,       // st.global
  kStreaming,  // st.global.cs: written once, first to be evicted
};

template <typename V>
constexpr bool is_access_type = std::is_trivially_copyable_v<V> &&
                                (sizeof(V) == 1 || sizeof(V) == 2 || sizeof(V) == 4 ||
                                 sizeof(V) == 8 || sizeof(V) == 16);

inline namespace YOLOCU_TARGET {

#if defined(__CUDACC__)
using SharedAddress = unsigned char*;  // the compiler sees where it points, and uses ld.shared
#else
using SharedAddress = uint32_t;  // bytes from the start: an unchecked access does not compile
#endif

template <typename V, LoadHint kHint>
YOLOCU_DEVICE V load_global(const void* address YOLOCU_SITE);
template <typename V, StoreHint kHint>
YOLOCU_DEVICE void store_global(void* address, const V& value YOLOCU_SITE);
template <typename V>
YOLOCU_DEVICE V load_shared(SharedAddress address YOLOCU_SITE);
template <typename V>
YOLOCU_DEVICE void store_shared(SharedAddress address, const V& value YOLOCU_SITE);

// Global memory: wraps a pointer that the caller of launch() owns. T is const for inputs.
template <typename T>
class GlobalPtr {
 public:
  using Element = T;
  using Value = std::remove_const_t<T>;

  GlobalPtr() = default;
  YOLOCU_HOST_DEVICE explicit constexpr GlobalPtr(T* pointer) : pointer_(pointer) {}

  template <typename V = Value, LoadHint kHint = LoadHint::kNone>
  YOLOCU_DEVICE V load(int64_t index YOLOCU_SITE) const {
    static_assert(is_access_type<V>, "an access moves 1, 2, 4, 8 or 16 bytes");
    return load_global<V, kHint>(pointer_ + index YOLOCU_PASS_SITE);
  }

  template <typename V = Value, StoreHint kHint = StoreHint::kNone>
  YOLOCU_DEVICE void store(int64_t index, const std::type_identity_t<V>& value YOLOCU_SITE) const {
    static_assert(is_access_type<V>, "an access moves 1, 2, 4, 8 or 16 bytes");
    store_global<V, kHint>(pointer_ + index, value YOLOCU_PASS_SITE);
  }

  YOLOCU_HOST_DEVICE constexpr T* get() const { return pointer_; }
  YOLOCU_HOST_DEVICE constexpr GlobalPtr operator+(int64_t elements) const {
    return GlobalPtr(pointer_ + elements);
  }

 private:
  T* pointer_ = nullptr;
};

// Dynamic shared memory of the block, carved by byte offsets from shared_memory().
template <typename T>
class SharedPtr {
 public:
  using Element = T;
  using Value = T;

  YOLOCU_DEVICE explicit SharedPtr(SharedAddress address) : address_(address) {}

  template <typename V = T>
  YOLOCU_DEVICE V load(int64_t index YOLOCU_SITE) const {
    static_assert(is_access_type<V>, "an access moves 1, 2, 4, 8 or 16 bytes");
    return load_shared<V>((*this + index).address() YOLOCU_PASS_SITE);
  }

  template <typename V = T>
  YOLOCU_DEVICE void store(int64_t index, const std::type_identity_t<V>& value YOLOCU_SITE) const {
    static_assert(is_access_type<V>, "an access moves 1, 2, 4, 8 or 16 bytes");
    store_shared<V>((*this + index).address(), value YOLOCU_PASS_SITE);
  }

  YOLOCU_DEVICE SharedAddress address() const { return address_; }
  YOLOCU_DEVICE SharedPtr operator+(int64_t elements) const {
    return SharedPtr(address_ + elements * static_cast<int64_t>(sizeof(T)));
  }

 private:
  SharedAddress address_;
};

// The U that begin offset_bytes into the block's dynamic shared memory
// (LaunchConfig::shared_bytes). Its start is aligned to 1024 bytes.
template <typename U>
YOLOCU_DEVICE SharedPtr<U> shared_memory(int64_t offset_bytes = 0);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#if defined(__CUDACC__)
#include "kernels/device/cuda/memory.cuh"
#else
#include "kernels/device/emulated/memory.h"
#endif

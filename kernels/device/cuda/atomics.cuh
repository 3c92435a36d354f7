// atomics.h in CUDA.
#pragma once

namespace yolocu::device {
inline namespace cuda_target {

template <typename T>
YOLOCU_DEVICE T* element_address(GlobalPtr<T> handle, int64_t index) {
  return handle.get() + index;
}

template <typename T>
YOLOCU_DEVICE T* element_address(SharedPtr<T> handle, int64_t index) {
  return reinterpret_cast<T*>((handle + index).address());
}

template <typename Handle, typename T>
YOLOCU_DEVICE T atomic_add(Handle handle, int64_t index, std::type_identity_t<T> value) {
  static_assert(is_atomic_addend<T>, "atomic_add takes int32_t, uint32_t or float");
  return atomicAdd(element_address(handle, index), value);
}

template <typename Handle, typename T>
YOLOCU_DEVICE T atomic_min(Handle handle, int64_t index, std::type_identity_t<T> value) {
  static_assert(is_atomic_integer<T>, "atomic_min takes int32_t or uint32_t");
  return atomicMin(element_address(handle, index), value);
}

template <typename Handle, typename T>
YOLOCU_DEVICE T atomic_max(Handle handle, int64_t index, std::type_identity_t<T> value) {
  static_assert(is_atomic_integer<T>, "atomic_max takes int32_t or uint32_t");
  return atomicMax(element_address(handle, index), value);
}

template <typename Handle, typename T>
YOLOCU_DEVICE T atomic_or(Handle handle, int64_t index, std::type_identity_t<T> value) {
  static_assert(is_atomic_integer<T>, "atomic_or takes int32_t or uint32_t");
  return atomicOr(element_address(handle, index), value);
}

template <typename Handle, typename T>
YOLOCU_DEVICE T atomic_exchange(Handle handle, int64_t index, std::type_identity_t<T> value) {
  static_assert(is_atomic_integer<T>, "atomic_exchange takes int32_t or uint32_t");
  return atomicExch(element_address(handle, index), value);
}

template <typename Handle, typename T>
YOLOCU_DEVICE T atomic_compare_exchange(Handle handle, int64_t index,
                                        std::type_identity_t<T> expected,
                                        std::type_identity_t<T> value) {
  static_assert(is_atomic_integer<T>, "atomic_compare_exchange takes int32_t or uint32_t");
  return atomicCAS(element_address(handle, index), expected, value);
}

}  // namespace cuda_target
}  // namespace yolocu::device

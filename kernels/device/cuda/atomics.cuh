// atomics.h in CUDA. Relaxed ones are the intrinsics, which leave the compiler more freedom.
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

// Whether an order exists for this memory.
template <Order kOrder, typename Handle, typename T>
constexpr bool is_order_of_memory =
    kOrder == Order::kRelaxed || std::is_same_v<Handle, GlobalPtr<T>>;

// name<kOrder>(x, value): atom.{acquire,release,acq_rel}.gpu.global.<operation>; the old value.
#define YOLOCU_ORDERED_ATOM(name, T, operation, constraint)                           \
  template <Order kOrder>                                                             \
  YOLOCU_DEVICE T name(T* x, T value) {                                               \
    T old;                                                                            \
    if constexpr (kOrder == Order::kAcquire) {                                        \
      YOLOCU_ATOM("acquire", operation, constraint);                                  \
    } else if constexpr (kOrder == Order::kRelease) {                                 \
      YOLOCU_ATOM("release", operation, constraint);                                  \
    } else {                                                                          \
      static_assert(kOrder == Order::kAcquireRelease, "relaxed ones are intrinsics"); \
      YOLOCU_ATOM("acq_rel", operation, constraint);                                  \
    }                                                                                 \
    return old;                                                                       \
  }
#define YOLOCU_ATOM(order, operation, constraint)                      \
  asm volatile("atom." order ".gpu.global." operation " %0, [%1], %2;" \
               : "=" constraint(old)                                   \
               : "l"(x), constraint(value)                             \
               : "memory")
YOLOCU_ORDERED_ATOM(ordered_add, int32_t, "add.s32", "r")
YOLOCU_ORDERED_ATOM(ordered_add, uint32_t, "add.u32", "r")
YOLOCU_ORDERED_ATOM(ordered_add, float, "add.f32", "f")
YOLOCU_ORDERED_ATOM(ordered_min, int32_t, "min.s32", "r")
YOLOCU_ORDERED_ATOM(ordered_min, uint32_t, "min.u32", "r")
YOLOCU_ORDERED_ATOM(ordered_max, int32_t, "max.s32", "r")
YOLOCU_ORDERED_ATOM(ordered_max, uint32_t, "max.u32", "r")
YOLOCU_ORDERED_ATOM(ordered_or, int32_t, "or.b32", "r")
YOLOCU_ORDERED_ATOM(ordered_or, uint32_t, "or.b32", "r")
YOLOCU_ORDERED_ATOM(ordered_exchange, int32_t, "exch.b32", "r")
YOLOCU_ORDERED_ATOM(ordered_exchange, uint32_t, "exch.b32", "r")
#undef YOLOCU_ATOM
#undef YOLOCU_ORDERED_ATOM

template <Order kOrder, typename T>
YOLOCU_DEVICE T ordered_compare_exchange(T* x, T expected, T value) {
  T old;
#define YOLOCU_ATOM(order)                                           \
  asm volatile("atom." order ".gpu.global.cas.b32 %0, [%1], %2, %3;" \
               : "=r"(old)                                           \
               : "l"(x), "r"(expected), "r"(value)                   \
               : "memory")
  if constexpr (kOrder == Order::kAcquire) {
    YOLOCU_ATOM("acquire");
  } else if constexpr (kOrder == Order::kRelease) {
    YOLOCU_ATOM("release");
  } else {
    YOLOCU_ATOM("acq_rel");
  }
#undef YOLOCU_ATOM
  return old;
}

template <typename T>
YOLOCU_DEVICE std::remove_const_t<T> load_acquire(GlobalPtr<T> handle, int64_t index) {
  using Value = std::remove_const_t<T>;
  static_assert(is_atomic_integer<Value>, "load_acquire takes int32_t or uint32_t");
  Value value;
  asm volatile("ld.acquire.gpu.global.b32 %0, [%1];"
               : "=r"(value)
               : "l"(handle.get() + index)
               : "memory");
  return value;
}

template <typename T>
YOLOCU_DEVICE void store_release(GlobalPtr<T> handle, int64_t index,
                                 std::type_identity_t<T> value) {
  static_assert(is_atomic_integer<T>, "store_release takes int32_t or uint32_t");
  asm volatile("st.release.gpu.global.b32 [%0], %1;" ::"l"(handle.get() + index), "r"(value)
               : "memory");
}

// The primitive `name`: the intrinsic if relaxed, else the ordered one above.
#define YOLOCU_ATOMIC(name, is_operand, operands, intrinsic, ordered)                        \
  template <Order kOrder, typename Handle, typename T>                                       \
  YOLOCU_DEVICE T name(Handle handle, int64_t index, std::type_identity_t<T> value) {        \
    static_assert(is_operand<T>, #name " takes " operands);                                  \
    static_assert(is_order_of_memory<kOrder, Handle, T>, "shared memory has kRelaxed only"); \
    if constexpr (kOrder == Order::kRelaxed) {                                               \
      return intrinsic(element_address(handle, index), value);                               \
    } else {                                                                                 \
      return ordered<kOrder>(element_address(handle, index), value);                         \
    }                                                                                        \
  }
YOLOCU_ATOMIC(atomic_add, is_atomic_addend, "int32_t, uint32_t or float", atomicAdd, ordered_add)
YOLOCU_ATOMIC(atomic_min, is_atomic_integer, "int32_t or uint32_t", atomicMin, ordered_min)
YOLOCU_ATOMIC(atomic_max, is_atomic_integer, "int32_t or uint32_t", atomicMax, ordered_max)
YOLOCU_ATOMIC(atomic_or, is_atomic_integer, "int32_t or uint32_t", atomicOr, ordered_or)
YOLOCU_ATOMIC(atomic_exchange, is_atomic_integer, "int32_t or uint32_t", atomicExch,
              ordered_exchange)
#undef YOLOCU_ATOMIC

template <Order kOrder, typename Handle, typename T>
YOLOCU_DEVICE T atomic_compare_exchange(Handle handle, int64_t index,
                                        std::type_identity_t<T> expected,
                                        std::type_identity_t<T> value) {
  static_assert(is_atomic_integer<T>, "atomic_compare_exchange takes int32_t or uint32_t");
  static_assert(is_order_of_memory<kOrder, Handle, T>, "shared memory has kRelaxed only");
  if constexpr (kOrder == Order::kRelaxed) {
    return atomicCAS(element_address(handle, index), expected, value);
  } else {
    return ordered_compare_exchange<kOrder>(element_address(handle, index), expected, value);
  }
}

}  // namespace cuda_target
}  // namespace yolocu::device

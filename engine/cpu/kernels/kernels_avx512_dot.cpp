#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)

#include "engine/cpu/kernels/make_table.h"

namespace yolocu::cpu {

const KernelTable* avx512_dot_kernels() {
  return Kernels<Avx512Dot>::table("avx512_dot");
}

}  // namespace yolocu::cpu

#else

#include "engine/cpu/kernels/kernel_table.h"

const yolocu::cpu::KernelTable* yolocu::cpu::avx512_dot_kernels() {
  return nullptr;
}

#endif

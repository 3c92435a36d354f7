#if defined(__AVX2__) && defined(__FMA__)

#include "engine/cpu/kernels/make_table.h"

namespace yolocu::cpu {

const KernelTable* avx2_kernels() {
  return Kernels<Avx2>::table("avx2");
}

}  // namespace yolocu::cpu

#else

#include "engine/cpu/kernels/kernel_table.h"

const yolocu::cpu::KernelTable* yolocu::cpu::avx2_kernels() {
  return nullptr;
}

#endif

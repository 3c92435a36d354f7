#if defined(__AVX512F__)

#include "engine/cpu/kernels/make_table.h"

namespace yolocu::cpu {

const KernelTable* avx512_kernels() {
  return Kernels<Avx512>::table("avx512");
}

}  // namespace yolocu::cpu

#else

#include "engine/cpu/kernels/kernel_table.h"

const yolocu::cpu::KernelTable* yolocu::cpu::avx512_kernels() {
  return nullptr;
}

#endif

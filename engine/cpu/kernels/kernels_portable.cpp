#include "engine/cpu/kernels/make_table.h"

namespace yolocu::cpu {

const KernelTable* portable_kernels() {
  return Kernels<Portable>::table("portable");
}

}  // namespace yolocu::cpu

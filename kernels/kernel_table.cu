#include "kernels/kernel_table.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

const KernelTable& kernel_table() {
  static constexpr KernelTable kTable = {
#define FAMILY(Type, name) .name = name,
#include "kernels/families.inc"
#undef FAMILY
  };
  return kTable;
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

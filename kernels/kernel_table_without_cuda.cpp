// The CUDA kernels of a build that has none.
#include "kernels/kernel_table.h"

namespace yolocu::cuda_target {
namespace {

template <typename Function>
struct Absent;

template <typename... Params>
struct Absent<Status(Params...)> {
  static Status call(Params...) {
    return unsupported("CUDA kernels: this program was built without CUDA");
  }
};

}  // namespace

const KernelTable& kernel_table() {
  static constexpr KernelTable kTable = {
#define FAMILY(Type, name) .name = Absent<Type>::call,
#include "kernels/families.inc"
#undef FAMILY
  };
  return kTable;
}

}  // namespace yolocu::cuda_target

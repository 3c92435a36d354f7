// The launchers of all families, for each target: a caller that takes a DeviceRuntime and its
// KernelTable runs on CUDA and on the emulated device alike.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/copy/channel_copy.h"
#include "kernels/decode/decode.h"
#include "kernels/device/target.h"
#include "kernels/nms/nms.h"
#include "kernels/pool/pool.h"
#include "kernels/preprocess/letterbox.h"
#include "kernels/resize/resize_sum.h"
#include "kernels/space_to_depth/space_to_depth.h"

namespace yolocu {

struct KernelTable {
#define FAMILY(Type, name) Type* name;
#include "kernels/families.inc"
#undef FAMILY
};

// What the .cu files define, once for each compiler.
inline namespace YOLOCU_TARGET {
#define FAMILY(Type, name) Type name;
#include "kernels/families.inc"
#undef FAMILY
const KernelTable& kernel_table();
}  // namespace YOLOCU_TARGET

namespace YOLOCU_OTHER_TARGET {
#define FAMILY(Type, name) Type name;
#include "kernels/families.inc"
#undef FAMILY
const KernelTable& kernel_table();
}  // namespace YOLOCU_OTHER_TARGET

// Streams are those of cuda_runtime(). In a build without CUDA every function returns kUnsupported.
inline const KernelTable& cuda_kernels() {
  return cuda_target::kernel_table();
}

// Streams are those of an EmulatedRuntime. Link to yolocu::kernels_emulated.
inline const KernelTable& emulated_kernels() {
  return emulated_target::kernel_table();
}

}  // namespace yolocu

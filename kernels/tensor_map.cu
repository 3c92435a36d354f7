// make_tensor_map on CUDA: the driver encodes. Its functions are asked of the runtime, so that no
// program links to the driver's library, which machines without a GPU lack.
#include <cuda_runtime_api.h>

#include <array>
#include <cstring>

#include "engine/base/str_cat.h"
#include "kernels/cuda_status.h"
#include "kernels/device/tensor_map.h"

namespace yolocu::device {
inline namespace YOLOCU_TARGET {
namespace {

CUtensorMapDataType data_type_of(MapType type) {
  switch (type) {
    case MapType::kU8: return CU_TENSOR_MAP_DATA_TYPE_UINT8;
    case MapType::kU32: return CU_TENSOR_MAP_DATA_TYPE_UINT32;
    case MapType::kI32: return CU_TENSOR_MAP_DATA_TYPE_INT32;
    case MapType::kF16: return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    case MapType::kBF16: return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    case MapType::kF32: break;
  }
  return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
}

CUtensorMapSwizzle swizzle_of(Swizzle swizzle) {
  switch (swizzle) {
    case Swizzle::k32B: return CU_TENSOR_MAP_SWIZZLE_32B;
    case Swizzle::k64B: return CU_TENSOR_MAP_SWIZZLE_64B;
    case Swizzle::k128B: return CU_TENSOR_MAP_SWIZZLE_128B;
    case Swizzle::kNone: break;
  }
  return CU_TENSOR_MAP_SWIZZLE_NONE;
}

CUtensorMapFloatOOBfill fill_of(MapFill fill) {
  return fill == MapFill::kNan ? CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA
                               : CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
}

// A spec's lists in the driver's types; strides begin with the second dimension.
struct Lists {
  std::array<cuuint64_t, kMapMaxRank> size = {}, stride_bytes = {};
  std::array<cuuint32_t, kMapMaxRank> box = {}, traversal = {};
  std::array<int, 3> lower = {}, upper = {};
};

Lists lists_of(const TensorMapSpec& spec) {
  Lists lists;
  for (size_t i = 0; i < kMapMaxRank; ++i) {
    lists.size[i] = static_cast<cuuint64_t>(spec.size[i]);
    if (i > 0) lists.stride_bytes[i - 1] = static_cast<cuuint64_t>(spec.stride_bytes[i]);
    lists.box[i] = static_cast<cuuint32_t>(spec.box[i]);
    lists.traversal[i] = static_cast<cuuint32_t>(spec.traversal[i]);
  }
  for (size_t i = 0; i < lists.lower.size(); ++i) {
    lists.lower[i] = static_cast<int>(spec.lower[i]);
    lists.upper[i] = static_cast<int>(spec.upper[i]);
  }
  return lists;
}

// The driver's function of that name, as CUDA 12.0 defined it.
Result<void*> driver_function(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
#if CUDART_VERSION >= 12050
  const cudaError_t error =
      cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
#else
  const cudaError_t error = cudaGetDriverEntryPoint(name, &function, cudaEnableDefault, &found);
#endif
  YOLOCU_RETURN_IF_ERROR(cuda_status(error, str_cat("tensor map: ", name)));
  if (found == cudaDriverEntryPointSuccess && function != nullptr) return function;
  return Status{StatusCode::kUnsupported, str_cat("tensor map: the NVIDIA driver has no ", name,
                                                  ": it is older than CUDA 12")};
}

Result<CUresult> encode_tiled(CUtensorMap& map, const TensorMapSpec& spec) {
  YOLOCU_ASSIGN_OR_RETURN(void* const function, driver_function("cuTensorMapEncodeTiled"));
  const Lists lists = lists_of(spec);
  return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function)(
      &map, data_type_of(spec.type), static_cast<cuuint32_t>(spec.rank), spec.address,
      lists.size.data(), lists.stride_bytes.data(), lists.box.data(), lists.traversal.data(),
      CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_of(spec.swizzle), CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
      fill_of(spec.fill));
}

// Corners go W first, as CUTLASS passes them; the comment in cuda.h says {D, H, W}, and what cards
// load contradicts it.
Result<CUresult> encode_im2col(CUtensorMap& map, const TensorMapSpec& spec) {
  YOLOCU_ASSIGN_OR_RETURN(void* const function, driver_function("cuTensorMapEncodeIm2col"));
  const Lists lists = lists_of(spec);
  return reinterpret_cast<decltype(&cuTensorMapEncodeIm2col)>(function)(
      &map, data_type_of(spec.type), static_cast<cuuint32_t>(spec.rank), spec.address,
      lists.size.data(), lists.stride_bytes.data(), lists.lower.data(), lists.upper.data(),
      lists.box[0], static_cast<cuuint32_t>(spec.pixels), lists.traversal.data(),
      CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle_of(spec.swizzle), CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
      fill_of(spec.fill));
}

// Whether less than 128 KiB lie from the first element to the end of the last.
bool is_small(const TensorMapSpec& spec) {
  constexpr int64_t kSmallBytes = 128 * 1024;
  int64_t bytes = spec.size[0] * map_type_bytes(spec.type);
  for (size_t i = 1; i < static_cast<size_t>(spec.rank); ++i) {
    if (spec.size[i] == 1) continue;
    if (spec.stride_bytes[i] >= kSmallBytes) return false;  // the product could overflow
    bytes += (spec.size[i] - 1) * spec.stride_bytes[i];
  }
  return bytes < kSmallBytes;
}

// Drivers up to 13.1 set a bit that makes loads of small tensors fail now and then, on Blackwell if
// they are not dense. CUTLASS clears it too (cute/atom/copy_traits_sm90_tma.hpp).
Status repair_small_map(CUtensorMap& map, const TensorMapSpec& spec) {
  constexpr int kLastDriver = 13010;
  int driver = 0;
  YOLOCU_RETURN_IF_ERROR(cuda_status(cudaDriverGetVersion(&driver), "tensor map: driver version"));
  if (driver > kLastDriver || !is_small(spec)) return {};
  map.opaque[1] &= ~(cuuint64_t{1} << 21);
  return {};
}

}  // namespace

Result<TensorMap> make_tensor_map(const TensorMapSpec& spec) {
  YOLOCU_RETURN_IF_ERROR(check_tensor_map(spec));
  TensorMap result{};
  YOLOCU_ASSIGN_OR_RETURN(const CUresult code, spec.mode == MapMode::kTiled
                                                   ? encode_tiled(result.map, spec)
                                                   : encode_im2col(result.map, spec));
  if (code != CUDA_SUCCESS) {
    return invalid_argument(str_cat("tensor map of rank ", spec.rank,
                                    ": the driver refuses it: error ", static_cast<int>(code)));
  }
  YOLOCU_RETURN_IF_ERROR(repair_small_map(result.map, spec));
  return result;
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

// Element types of tensors, with the names the safetensors format gives them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace yolocu {

enum class DType : uint8_t { kU8, kI8, kI16, kI32, kI64, kF16, kBF16, kF32, kF64 };

// Bytes of one element.
constexpr int64_t size_bytes(DType dtype) {
  switch (dtype) {
    case DType::kU8:
    case DType::kI8: return 1;
    case DType::kI16:
    case DType::kF16:
    case DType::kBF16: return 2;
    case DType::kI32:
    case DType::kF32: return 4;
    case DType::kI64:
    case DType::kF64: return 8;
  }
  return 0;
}

// "U8", "I8", "I16", "I32", "I64", "F16", "BF16", "F32", "F64".
std::string_view dtype_name(DType dtype);

// The inverse of dtype_name; nullopt for any other text.
std::optional<DType> parse_dtype(std::string_view name);

}  // namespace yolocu

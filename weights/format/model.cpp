#include "weights/format/model.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <variant>

#include "engine/base/checked.h"
#include "engine/base/half.h"
#include "engine/base/str_cat.h"
#include "weights/format/quantization.h"

namespace yolocu {
namespace {

std::string tensor_text(const TensorView& tensor) {
  return str_cat(shape_text(tensor.shape), " ", dtype_name(tensor.dtype));
}

std::optional<int64_t> dense_bytes(const TensorView& tensor) {
  const std::optional<int64_t> count = checked_element_count(tensor.shape);
  return count ? checked_mul(*count, size_bytes(tensor.dtype)) : std::nullopt;
}

Status check_dense(const TensorView& tensor) {
  if (dense_bytes(tensor) == static_cast<int64_t>(tensor.data.size())) return {};
  return corrupt(str_cat(tensor.data.size(), " bytes for ", tensor_text(tensor)));
}

// Weights are f16 or f32, of int8 convolutions i8; biases and scales f32 only.
enum class Role : uint8_t { kWeight, kInt8Weight, kFloats };

std::string_view types_of(Role role) {
  return role == Role::kWeight ? " F16 or F32" : role == Role::kInt8Weight ? " I8" : " F32";
}

bool is_type_of(DType dtype, Role role) {
  if (role == Role::kInt8Weight) return dtype == DType::kI8;
  return dtype == DType::kF32 || (role == Role::kWeight && dtype == DType::kF16);
}

Status check_tensor(const Model& model, const std::string& name, Role role,
                    const std::vector<int64_t>& shape) {
  const auto place = model.tensors.find(name);
  const std::string expected = str_cat(shape_text(shape), types_of(role));
  if (place == model.tensors.end()) {
    return corrupt(str_cat("tensor '", name, "': expected ", expected, ", got nothing"));
  }
  const TensorView& tensor = place->second;
  if (is_type_of(tensor.dtype, role) && tensor.shape == shape) return {};
  return corrupt(
      str_cat("tensor '", name, "': expected ", expected, ", got ", tensor_text(tensor)));
}

Status check_weights(const Model& model, const std::vector<ValueShape>& shapes) {
  for (const Node& node : model.spec.graph.nodes) {
    const auto* conv = std::get_if<ConvOp>(&node.op);
    if (conv == nullptr) continue;
    const int64_t in_channels = shapes[static_cast<size_t>(node.inputs[0])].channels;
    const std::string& scale = conv->accumulator_scale;
    YOLOCU_RETURN_IF_ERROR(check_tensor(model, conv->weight,
                                        scale.empty() ? Role::kWeight : Role::kInt8Weight,
                                        conv_weight_shape(*conv, in_channels)));
    for (const std::string& name : {conv->bias, scale}) {
      if (name.empty()) continue;
      YOLOCU_RETURN_IF_ERROR(check_tensor(model, name, Role::kFloats, {conv->out_channels}));
    }
  }
  return {};
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Status check_metadata(const ModelSpec& spec, const std::vector<ValueShape>& shapes) {
  const auto names = static_cast<int64_t>(spec.class_names.size());
  if (names != class_count(spec)) {
    return corrupt(str_cat("expected ", class_count(spec), " class names, got ", names));
  }
  const Status size = check_input_size(shapes, spec.input_size, spec.input_size);
  if (!size.ok()) return corrupt("default " + size.message());
  if (spec.letterbox.pad_value < 0 || spec.letterbox.pad_value > 255) {
    return corrupt(str_cat("pad value: expected 0 to 255, got ", spec.letterbox.pad_value));
  }
  if (spec.source_sha256.empty() || is_sha256(spec.source_sha256)) return {};
  return corrupt("source SHA-256: expected 64 lower-case hex digits or nothing");
}

// `count` elements of the stored type T, each through `convert`. Unaligned data is fine.
template <typename T, typename Convert>
std::vector<float> widened(std::span<const std::byte> data, Convert convert) {
  std::vector<float> values(data.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T stored;
    std::memcpy(&stored, data.data() + i * sizeof(T), sizeof(T));
    values[i] = convert(stored);
  }
  return values;
}

}  // namespace

Status validate_model(const Model& model) {
  const auto shapes = infer_shapes(model.spec.graph);
  if (!shapes.ok()) return corrupt(shapes.status().message());
  for (const auto& [name, tensor] : model.tensors) {
    YOLOCU_RETURN_IF_ERROR(check_dense(tensor).with_context("tensor '" + name + "'"));
  }
  YOLOCU_RETURN_IF_ERROR(check_weights(model, *shapes));
  YOLOCU_RETURN_IF_ERROR(check_quantization(model, *shapes));
  return check_metadata(model.spec, *shapes);
}

Result<std::vector<float>> tensor_to_float(const TensorView& tensor) {
  YOLOCU_RETURN_IF_ERROR(check_dense(tensor));
  switch (tensor.dtype) {
    case DType::kF32: return widened<float>(tensor.data, [](float value) { return value; });
    case DType::kF16: return widened<uint16_t>(tensor.data, half_to_float);
    case DType::kBF16: return widened<uint16_t>(tensor.data, bfloat16_to_float);
    default: break;
  }
  return unsupported(str_cat("expected F16, BF16 or F32, got ", dtype_name(tensor.dtype)));
}

int64_t class_count(const ModelSpec& spec) {
  if (spec.graph.nodes.empty()) return 0;
  const Op& last = spec.graph.nodes.back().op;
  if (const auto* dfl = std::get_if<DecodeDflOp>(&last)) return dfl->classes;
  if (const auto* anchor = std::get_if<DecodeAnchorOp>(&last)) return anchor->classes;
  return 0;
}

}  // namespace yolocu

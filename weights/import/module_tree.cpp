#include "weights/import/module_tree.h"

#include <cmath>

#include "weights/import/tensor_gather.h"

namespace yolocu {
namespace {

// Whole doubles up to here are exact; nothing that counts or indexes is larger.
std::optional<int64_t> whole_number(double value) {
  constexpr double kLimit = 9007199254740992.0;  // 2^53
  if (!(std::fabs(value) <= kLimit) || std::trunc(value) != value) return std::nullopt;
  return static_cast<int64_t>(value);
}

template <typename T>
const T* find_attribute(const Module& module, std::string_view name) {
  const auto found = module.attributes.find(name);
  return found == module.attributes.end() ? nullptr : std::get_if<T>(&found->second);
}

}  // namespace

std::vector<float> ImportedTensor::values() const {
  return gather({.offset = offset, .shape = shape, .strides = strides}, source_dtype, storage);
}

std::shared_ptr<const ImportedTensor> dense_tensor(std::vector<int64_t> shape,
                                                   std::vector<float> values) {
  const auto owner = std::make_shared<const std::vector<float>>(std::move(values));
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return std::make_shared<const ImportedTensor>(
      ImportedTensor{.shape = std::move(shape),
                     .strides = std::move(strides),
                     .offset = 0,
                     .source_dtype = DType::kF32,
                     .storage = std::as_bytes(std::span(*owner)),
                     .owner = owner});
}

std::string_view Module::type_name() const {
  const std::string_view whole = type;
  const size_t dot = whole.rfind('.');
  return dot == std::string_view::npos ? whole : whole.substr(dot + 1);
}

const Module* Module::child(std::string_view name) const {
  for (const auto& [child_name, module] : children) {
    if (child_name == name) return &module;
  }
  return nullptr;
}

const ImportedTensor* Module::tensor(std::string_view name) const {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : found->second.get();
}

std::optional<int64_t> Module::integer(std::string_view name) const {
  if (const auto* value = find_attribute<int64_t>(*this, name)) return *value;
  if (const auto* value = find_attribute<bool>(*this, name)) return *value ? 1 : 0;
  if (const auto* value = find_attribute<double>(*this, name)) return whole_number(*value);
  return std::nullopt;
}

std::optional<double> Module::number(std::string_view name) const {
  if (const auto* value = find_attribute<double>(*this, name)) return *value;
  if (const auto whole = integer(name)) return static_cast<double>(*whole);
  return std::nullopt;
}

std::optional<std::string> Module::text(std::string_view name) const {
  if (const auto* value = find_attribute<std::string>(*this, name)) return *value;
  return std::nullopt;
}

std::optional<std::vector<int64_t>> Module::integers(std::string_view name) const {
  if (const auto single = integer(name)) return std::vector<int64_t>{*single};
  const auto* values = find_attribute<std::vector<double>>(*this, name);
  if (values == nullptr) return std::nullopt;
  std::vector<int64_t> whole;
  for (const double value : *values) {
    const auto number = whole_number(value);
    if (!number) return std::nullopt;
    whole.push_back(*number);
  }
  return whole;
}

}  // namespace yolocu

#include "apps/model_source.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <variant>

#include "apps/console.h"
#include "apps/embedded_model.h"
#include "engine/base/checked.h"
#include "engine/base/dtype.h"
#include "weights/format/file_io.h"
#include "weights/format/packed_file.h"

namespace yolocu {
namespace {

// Zip archives (torch.save since 1.6) and bare pickles (before).
bool is_checkpoint(const std::string& path) {
  constexpr std::array<uint8_t, 4> kZip = {'P', 'K', 3, 4};
  constexpr std::array<uint8_t, 2> kPickle = {0x80, 2};
  const Result<MappedFile> file = map_file(path);
  if (!file.ok()) return false;
  const auto starts_with = [&](auto prefix) {
    const std::span<const std::byte> bytes = file->bytes();
    return bytes.size() >= prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), bytes.begin(),
                      [](uint8_t a, std::byte b) { return std::byte{a} == b; });
  };
  return starts_with(kZip) || starts_with(kPickle);
}

int64_t element_count(const Model& model, const std::string& tensor) {
  const auto found = model.tensors.find(tensor);
  if (found == model.tensors.end()) return 0;
  return checked_element_count(found->second.shape).value_or(0);
}

}  // namespace

std::string model_label(const std::string& path) {
  return path.empty() ? "embedded model" : path;
}

Result<Detector> open_detector(const std::string& path, const DetectorOptions& options) {
  Result<Detector> detector = path.empty() ? Detector::from_bytes(embedded_model(), options)
                                           : Detector::open(path, options);
  if (!detector.ok()) return explain_open_error(path, detector.status());
  return detector;
}

Status explain_open_error(const std::string& path, const Status& error) {
  if (path.empty()) return error.with_context(model_label(path));
  if (error.code() == StatusCode::kNotFound || !is_checkpoint(path)) return error;
  const std::string packed = std::filesystem::path(path).stem().string() + ".yolocu";
  return {StatusCode::kInvalidArgument, path +
                                            ": a checkpoint, not a packed model; convert it first: "
                                            "yolocu convert " +
                                            path + " -o " + packed};
}

Result<std::shared_ptr<const Model>> open_model(const std::string& path) {
  Result<std::shared_ptr<const Model>> model =
      path.empty() ? open_packed_bytes(embedded_model()) : open_packed_file(path);
  if (!model.ok()) return explain_open_error(path, model.status());
  return model;
}

ModelSummary summarize(const Model& model) {
  ModelSummary summary;
  std::set<std::string_view> types;
  for (const Node& node : model.spec.graph.nodes) {
    if (!std::holds_alternative<InputOp>(node.op)) ++summary.layers;
    const auto* conv = std::get_if<ConvOp>(&node.op);
    if (conv == nullptr) continue;
    ++summary.convolutions;
    summary.parameters += element_count(model, conv->weight) + element_count(model, conv->bias);
    const auto weight = model.tensors.find(conv->weight);
    if (weight != model.tensors.end()) types.insert(dtype_name(weight->second.dtype));
  }
  for (const std::string_view type : types) {
    summary.weight_types += (summary.weight_types.empty() ? "" : ", ") + std::string(type);
  }
  return summary;
}

std::string quantity(int64_t count) {
  const auto value = static_cast<double>(count);
  if (count >= 1000000) return fixed(value / 1e6, 2) + " M";
  if (count >= 1000) return fixed(value / 1e3, 0) + " k";
  return std::to_string(count);
}

}  // namespace yolocu

#include "weights/import/convert.h"

#include <openssl/evp.h>

#include <array>
#include <filesystem>
#include <limits>
#include <span>
#include <utility>

#include "engine/base/foreign_text.h"
#include "engine/base/guard.h"
#include "engine/base/str_cat.h"
#include "weights/format/file_io.h"
#include "weights/format/packed_file.h"
#include "weights/import/arch/architecture.h"
#include "weights/import/arch/build.h"
#include "weights/import/arch/from_state_dict.h"
#include "weights/import/arch/state_dict.h"
#include "weights/import/arch/synthetic.h"
#include "weights/import/arch/tensor_source.h"
#include "weights/import/lowering.h"
#include "weights/import/module_tree.h"

namespace yolocu {
namespace {

// SHA-256 as 64 lower-case hex digits.
Result<std::string> sha256(std::span<const std::byte> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return unavailable("libcrypto offers no SHA-256");
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string_view dialect_name(Dialect dialect) {
  switch (dialect) {
    case Dialect::kYolov9: return "yolov9";
    case Dialect::kYolov7: return "yolov7";
    case Dialect::kUltralytics: return "ultralytics";
  }
  return "?";
}

std::string describe_origin(const Checkpoint& checkpoint) {
  const std::string dialect(dialect_name(checkpoint.dialect));
  switch (checkpoint.origin) {
    case ModuleOrigin::kPickled: return dialect;
    case ModuleOrigin::kStateDict: return dialect + " state dictionary";
    case ModuleOrigin::kSynthetic: return dialect + " definition with synthetic weights";
  }
  return dialect;
}

// One name a class: the checkpoint's, and "class N" where it has none.
std::vector<std::string> complete_names(std::vector<std::string> names, int64_t classes) {
  names.resize(static_cast<size_t>(classes));
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) names[i] = str_cat("class ", i);
  }
  return names;
}

// A safetensors file begins with the length of its header, which is JSON.
bool looks_like_safetensors(std::span<const std::byte> bytes) {
  return bytes.size() > 8 && bytes[8] == std::byte{'{'};
}

Result<Checkpoint> read_checkpoint(std::span<const std::byte> bytes,
                                   const std::string& architecture) {
  if (!looks_like_safetensors(bytes)) return read_torch_checkpoint(bytes, architecture);
  YOLOCU_ASSIGN_OR_RETURN(const StateDict dict, read_safetensors_state_dict(bytes));
  return checkpoint_from_state_dict(dict, architecture);
}

// A file's tensors may be named by several modules, each of which has weights of its own: as often
// as they fill a byte each, and small files a little more.
int64_t weight_limit(size_t file_bytes) {
  return (int64_t{1} << 24) + static_cast<int64_t>(file_bytes);
}

Result<ConvertedModel> lower_checkpoint(Checkpoint checkpoint, const ConvertOptions& options,
                                        int64_t max_weights) {
  if (options.weight_dtype != DType::kF16 && options.weight_dtype != DType::kF32) {
    return invalid_argument("weights are stored as fp16 or fp32");
  }
  Lowering lowering;
  lowering.builder = GraphBuilder(options.weight_dtype);
  lowering.builder.limit_weights(max_weights);
  lowering.branch = options.branch;
  lowering.folding = options.folding;
  YOLOCU_RETURN_IF_ERROR(lower_model(lowering, checkpoint.model));
  ConvertedModel converted;
  converted.report.dialect = describe_origin(checkpoint);
  converted.report.folded_batch_norms = lowering.counts.folded_batch_norms;
  converted.report.fused_rep_convs = lowering.counts.fused_rep_convs;
  converted.report.folded_implicit = lowering.counts.folded_implicit;
  converted.report.head = lowering.head;
  converted.report.dropped_nodes = lowering.builder.drop_unreachable();
  YOLOCU_ASSIGN_OR_RETURN(converted.model, std::move(lowering.builder).finish());
  ModelSpec& spec = converted.model.spec;
  spec.architecture = checkpoint.architecture.empty() ? "custom" : checkpoint.architecture;
  if (options.branch == HeadBranch::kAuxiliary) spec.architecture += " (auxiliary head)";
  spec.class_names = complete_names(std::move(checkpoint.class_names), class_count(spec));
  spec.input_size = options.input_size;
  return converted;
}

Result<ConvertedModel> convert_bytes(std::span<const std::byte> bytes,
                                     const ConvertOptions& options) {
  if (looks_like_packed_file(bytes)) return invalid_argument("this is a packed model already");
  YOLOCU_ASSIGN_OR_RETURN(Checkpoint checkpoint, read_checkpoint(bytes, options.architecture));
  YOLOCU_ASSIGN_OR_RETURN(ConvertedModel converted, lower_checkpoint(std::move(checkpoint), options,
                                                                     weight_limit(bytes.size())));
  YOLOCU_ASSIGN_OR_RETURN(converted.model.spec.source_sha256, sha256(bytes));
  return converted;
}

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

Result<ConvertedModel> synthesize(uint64_t seed, const ConvertOptions& options) {
  YOLOCU_ASSIGN_OR_RETURN(const Architecture* named, find_architecture(options.architecture));
  ZeroSource zeros;
  YOLOCU_ASSIGN_OR_RETURN(Checkpoint checkpoint, build_checkpoint(*named, zeros));
  checkpoint.origin = ModuleOrigin::kSynthetic;
  YOLOCU_ASSIGN_OR_RETURN(ConvertedModel converted,
                          lower_checkpoint(std::move(checkpoint), options, kNoLimit));
  fill_with_synthetic_weights(converted.model, seed);
  converted.model.spec.source_name = str_cat("synthetic weights, seed ", seed);
  return converted;
}

}  // namespace

Result<ConvertedModel> convert_checkpoint(const std::string& path, const ConvertOptions& options) {
  YOLOCU_ASSIGN_OR_RETURN(const MappedFile file, map_file(path));
  Result<ConvertedModel> converted = guarded([&] { return convert_bytes(file.bytes(), options); });
  if (!converted.ok()) return converted.status().with_context(path);
  const std::string name = std::filesystem::path(path).filename().string();
  converted->model.spec.source_name = is_utf8(name) ? name : printable(name);
  const Status valid = validate_model(converted->model);
  if (!valid.ok()) return valid.with_context(path);
  return converted;
}

Result<ConvertedModel> make_synthetic_model(uint64_t seed, const ConvertOptions& options) {
  Result<ConvertedModel> made = guarded([&] { return synthesize(seed, options); });
  if (!made.ok()) return made;
  YOLOCU_RETURN_IF_ERROR(validate_model(made->model));
  return made;
}

}  // namespace yolocu

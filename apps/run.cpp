#include <algorithm>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/model_source.h"
#include "apps/npy.h"
#include "engine/base/str_cat.h"
#include "engine/executor.h"
#include "engine/launches_json.h"
#include "weights/format/file_io.h"

namespace yolocu {
namespace {

Status check_input(const Model& model, const NpyArray& input) {
  const int64_t channels = std::get<InputOp>(model.spec.graph.nodes[0].op).channels;
  const std::vector<int64_t>& shape = input.shape;
  if (shape.size() == 4 && shape[1] == channels &&
      *std::min_element(shape.begin(), shape.end()) > 0) {
    return {};
  }
  return invalid_argument(
      str_cat("expected shape [B,", channels, ",H,W], got ", shape_text(shape)));
}

// dst [B,H,W,C] = src [B,C,H,W].
void nchw_to_nhwc(std::span<float> dst, std::span<const float> src, int64_t batch, int64_t channels,
                  int64_t pixels) {
  float* out = dst.data();
  for (int64_t b = 0; b < batch; ++b) {
    const float* image = src.data() + b * channels * pixels;
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < channels; ++c) *out++ = image[c * pixels + p];
    }
  }
}

// Prediction rows as the contract of `run` wants them: for anchor heads [cx cy w h, objectness,
// classes] becomes [cx cy w h, objectness * classes]; others are kept.
NpyArray to_scores(const Executor& executor, const Model& model) {
  const bool has_objectness =
      std::holds_alternative<DecodeAnchorOp>(model.spec.graph.nodes.back().op);
  const auto row = static_cast<size_t>(executor.row());
  const std::span<const float> predictions = executor.output();
  NpyArray output;
  output.shape = {executor.batch(), executor.anchors(), executor.row() - (has_objectness ? 1 : 0)};
  if (!has_objectness) {
    output.values.assign(predictions.begin(), predictions.end());
    return output;
  }
  output.values.reserve(predictions.size());
  for (size_t at = 0; at + row <= predictions.size(); at += row) {
    const std::span<const float> p = predictions.subspan(at, row);
    output.values.insert(output.values.end(), p.begin(), p.begin() + 4);
    for (size_t i = 5; i < row; ++i) output.values.push_back(p[4] * p[i]);
  }
  return output;
}

// For numerical checks: the host's devices compute in fp32, the others as they do for pictures.
Precision numerical_precision(const RunArguments& arguments) {
  const Device device = resolve_device(arguments.device);
  const bool is_gpu = device == Device::kCuda || device == Device::kEmulated;
  const bool wants_fp32 = arguments.precision == Precision::kAuto && !is_gpu;
  return wants_fp32 ? Precision::kFp32 : arguments.precision;
}

Status write_counters(const std::string& path, Executor& executor) {
  if (path.empty()) return {};
  const std::string json = launches_json(executor.take_launches());
  return write_file(path, std::as_bytes(std::span(json)));
}

Status run(const RunArguments& arguments) {
  YOLOCU_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, open_model(arguments.model));
  YOLOCU_ASSIGN_OR_RETURN(const NpyArray input, read_npy(arguments.input));
  if (const Status status = check_input(*model, input); !status.ok()) {
    return status.with_context(arguments.input);
  }
  ExecutorOptions options;
  options.batch = input.shape[0];
  options.height = input.shape[2];
  options.width = input.shape[3];
  options.precision = numerical_precision(arguments);
  options.threads = arguments.threads;
  options.launches = arguments.counters.empty() ? LaunchRecords::kDrop : LaunchRecords::kKeep;
  const Result<std::unique_ptr<Executor>> created =
      create_executor(model, arguments.device, options);
  if (!created.ok()) {
    const bool about_input = created.status().code() == StatusCode::kInvalidArgument;
    return created.status().with_context(about_input ? arguments.input : arguments.model);
  }
  Executor& executor = **created;
  nchw_to_nhwc(executor.input(), input.values, input.shape[0], input.shape[1],
               input.shape[2] * input.shape[3]);
  if (const Status status = executor.run(); !status.ok()) {
    return status.with_context(arguments.model);
  }
  const NpyArray output = to_scores(executor, *model);
  YOLOCU_RETURN_IF_ERROR(write_npy(arguments.output, output.shape, output.values));
  YOLOCU_RETURN_IF_ERROR(write_counters(arguments.counters, executor));
  return print(str_cat(one_line(arguments.output), ": ", shape_text(output.shape), " f32\n"));
}

}  // namespace

int run_command(const RunArguments& arguments) {
  return report(run(arguments));
}

}  // namespace yolocu

#include "yolocu/detector.h"

#include <utility>
#include <variant>

#include "engine/base/guard.h"
#include "engine/base/str_cat.h"
#include "engine/executor.h"
#include "engine/postprocess/nms.h"
#include "engine/preprocess/letterbox.h"
#include "weights/format/model.h"
#include "weights/format/packed_file.h"

namespace yolocu {
namespace {

Status check_thresholds(const DetectorOptions& options) {
  // Written so that NaN fails.
  if (!(options.confidence >= 0.0f && options.confidence <= 1.0f)) {
    return invalid_argument(str_cat("confidence: expected 0 to 1, got ", options.confidence));
  }
  if (!(options.iou >= 0.0f && options.iou <= 1.0f)) {
    return invalid_argument(str_cat("iou: expected 0 to 1, got ", options.iou));
  }
  if (options.max_detections < 1) {
    return invalid_argument(
        str_cat("max_detections: expected at least 1, got ", options.max_detections));
  }
  return {};
}

Status check_classes(const DetectorOptions& options, int64_t classes) {
  for (const int64_t id : options.classes) {
    if (id >= 0 && id < classes) continue;
    return invalid_argument(
        str_cat("classes: this model has the classes 0 to ", classes - 1, ", got ", id));
  }
  return {};
}

NmsOptions nms_options(const DetectorOptions& options, const ModelSpec& spec) {
  NmsOptions nms;
  const bool has_objectness = std::holds_alternative<DecodeAnchorOp>(spec.graph.nodes.back().op);
  nms.layout = has_objectness ? ScoreLayout::kObjectnessAndClasses : ScoreLayout::kClasses;
  nms.confidence = options.confidence;
  nms.iou = options.iou;
  nms.max_detections = options.max_detections;
  nms.classes = options.classes;
  return nms;
}

// A network that overflows can give boxes of NaN, which are in no picture.
bool is_no_box(const Detection& d) {
  return !(d.x1 <= d.x2 && d.y1 <= d.y2);
}

}  // namespace

struct Detector::State {
  std::shared_ptr<const Model> model;
  std::unique_ptr<Executor> executor;
  NmsOptions nms;
  std::vector<uint8_t> resized;  // scratch of letterbox()

  Result<std::vector<Detection>> detect(const ImageView& image);
};

Detector::Detector(std::unique_ptr<State> state) : state_(std::move(state)) {}
Detector::Detector(Detector&&) noexcept = default;
Detector& Detector::operator=(Detector&&) noexcept = default;
Detector::~Detector() = default;

Result<Detector> Detector::open(const std::string& path, const DetectorOptions& options) {
  YOLOCU_ASSIGN_OR_RETURN(const auto model, open_packed_file(path));
  Result<Detector> detector = guarded([&] { return create(model, options); });
  if (!detector.ok()) return detector.status().with_context(path);
  return detector;
}

Result<Detector> Detector::from_bytes(std::span<const std::byte> bytes,
                                      const DetectorOptions& options) {
  YOLOCU_ASSIGN_OR_RETURN(const auto model, open_packed_bytes(bytes));
  return guarded([&] { return create(model, options); });
}

Result<Detector> Detector::create(std::shared_ptr<const Model> model,
                                  const DetectorOptions& options) {
  YOLOCU_RETURN_IF_ERROR(check_thresholds(options));
  YOLOCU_RETURN_IF_ERROR(check_classes(options, class_count(model->spec)));
  auto state = std::make_unique<State>();
  const ExecutorOptions executor_options = {.batch = 1,
                                            .height = options.height,
                                            .width = options.width,
                                            .precision = options.precision,
                                            .threads = options.threads};
  YOLOCU_ASSIGN_OR_RETURN(state->executor,
                          create_executor(model, options.device, executor_options));
  state->nms = nms_options(options, model->spec);
  state->model = std::move(model);
  return Detector(std::move(state));
}

Result<std::vector<Detection>> Detector::detect(const ImageView& image) {
  return guarded([&] { return state_->detect(image); });
}

Result<std::vector<Detection>> Detector::State::detect(const ImageView& image) {
  const int pad_value = model->spec.letterbox.pad_value;
  YOLOCU_RETURN_IF_ERROR(letterbox(executor->input(), executor->height(), executor->width(),
                                   pad_value, image, resized));
  YOLOCU_RETURN_IF_ERROR(executor->run());
  std::vector<Detection> detections = non_max_suppression(executor->output(), executor->row(), nms);
  scale_boxes(detections, executor->height(), executor->width(), image.height, image.width);
  std::erase_if(detections, is_no_box);
  return detections;
}

const std::vector<std::string>& Detector::class_names() const {
  return state_->model->spec.class_names;
}

}  // namespace yolocu

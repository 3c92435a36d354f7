#include "yolocu/detector.h"

#include <utility>
#include <variant>

#include "engine/base/guard.h"
#include "engine/base/str_cat.h"
#include "engine/detection_pipeline.h"
#include "engine/executor.h"
#include "engine/launches_json.h"
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

// A network that overflows can give boxes of NaN, which are in no picture.
bool is_no_box(const Detection& d) {
  return !(d.x1 <= d.x2 && d.y1 <= d.y2);
}

}  // namespace

struct Detector::State {
  std::shared_ptr<const Model> model;
  std::unique_ptr<DetectionPipeline> pipeline;
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
  DetectorOptions resolved = options;
  resolved.device = resolve_device(options.device);
  const bool is_gpu = resolved.device == Device::kCuda || resolved.device == Device::kEmulated;
  auto state = std::make_unique<State>();
  YOLOCU_ASSIGN_OR_RETURN(state->pipeline, is_gpu ? create_gpu_pipeline(model, resolved)
                                                  : create_host_pipeline(model, resolved));
  state->model = std::move(model);
  return Detector(std::move(state));
}

Result<Detector> Detector::share() const {
  return guarded([&]() -> Result<Detector> {
    auto state = std::make_unique<State>();
    YOLOCU_ASSIGN_OR_RETURN(state->pipeline, state_->pipeline->share());
    state->model = state_->model;
    return Detector(std::move(state));
  });
}

Result<std::vector<Detection>> Detector::detect(const ImageView& image) {
  Result<std::vector<Detection>> found = guarded([&] { return state_->pipeline->detect(image); });
  if (found.ok()) std::erase_if(*found, is_no_box);
  return found;
}

Result<std::string> Detector::take_launches_json() {
  return guarded([&] { return Result(launches_json(state_->pipeline->take_launches())); });
}

const std::vector<std::string>& Detector::class_names() const {
  return state_->model->spec.class_names;
}

}  // namespace yolocu

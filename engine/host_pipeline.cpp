#include <utility>
#include <variant>

#include "engine/detection_pipeline.h"
#include "engine/executor.h"
#include "engine/postprocess/nms.h"
#include "engine/preprocess/letterbox.h"

namespace yolocu {
namespace {

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

class HostPipeline final : public DetectionPipeline {
 public:
  HostPipeline(std::shared_ptr<const Model> model, const DetectorOptions& options,
               std::unique_ptr<Executor> executor)
      : model_(std::move(model)),
        options_(options),
        executor_(std::move(executor)),
        nms_(nms_options(options, model_->spec)) {}

  Result<std::vector<Detection>> detect(const ImageView& image) override {
    Executor& executor = *executor_;
    YOLOCU_RETURN_IF_ERROR(letterbox(executor.input(), executor.height(), executor.width(),
                                     model_->spec.letterbox.pad_value, image, resized_));
    YOLOCU_RETURN_IF_ERROR(executor.run());
    std::vector<Detection> detections =
        non_max_suppression(executor.output(), executor.row(), nms_);
    scale_boxes(detections, executor.height(), executor.width(), image.height, image.width);
    return detections;
  }

  Result<std::unique_ptr<DetectionPipeline>> share() const override {
    return create_host_pipeline(model_, options_);
  }

  std::vector<LaunchRecord> take_launches() override { return {}; }

 private:
  std::shared_ptr<const Model> model_;
  DetectorOptions options_;
  std::unique_ptr<Executor> executor_;
  NmsOptions nms_;
  std::vector<uint8_t> resized_;  // scratch of letterbox()
};

}  // namespace

Result<std::unique_ptr<DetectionPipeline>> create_host_pipeline(std::shared_ptr<const Model> model,
                                                                const DetectorOptions& options) {
  const ExecutorOptions executor_options = {.batch = 1,
                                            .height = options.height,
                                            .width = options.width,
                                            .precision = options.precision,
                                            .threads = options.threads,
                                            .least_score = options.confidence};
  YOLOCU_ASSIGN_OR_RETURN(auto executor, create_executor(model, options.device, executor_options));
  return std::unique_ptr<DetectionPipeline>(
      std::make_unique<HostPipeline>(std::move(model), options, std::move(executor)));
}

}  // namespace yolocu

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/detection_pipeline.h"
#include "engine/executor.h"
#include "engine/gpu/gpu_context.h"
#include "engine/postprocess/nms.h"
#include "engine/preprocess/letterbox.h"

namespace yolocu {
namespace {

using gpu::GpuContext;
using gpu::GpuModel;

constexpr int64_t kChannels = 3;  // of a picture

gpu::DetectionRule detection_rule(const DetectorOptions& options) {
  gpu::DetectionRule rule;
  rule.candidates.confidence = options.confidence;
  rule.iou = options.iou;
  // No more than there are candidates.
  rule.max_detections = std::min(options.max_detections, NmsProblem().max_candidates);
  return rule;
}

// Bit c % 32 of word c / 32 for every wanted class; empty: all.
std::vector<uint32_t> class_mask(const DetectorOptions& options, int64_t classes) {
  if (options.classes.empty()) return {};
  std::vector<uint32_t> mask(static_cast<size_t>((classes + 31) / 32));
  for (const int64_t c : options.classes) mask[static_cast<size_t>(c / 32)] |= 1u << (c % 32);
  return mask;
}

class GpuPipeline final : public DetectionPipeline {
 public:
  static Result<std::unique_ptr<DetectionPipeline>> create(std::shared_ptr<GpuModel> model,
                                                           std::shared_ptr<const gpu::GpuPlan> plan,
                                                           const DetectorOptions& options) {
    const std::vector<uint32_t> mask = class_mask(options, class_count(model->spec()));
    YOLOCU_ASSIGN_OR_RETURN(auto context,
                            GpuContext::create(std::move(model), std::move(plan), mask));
    return std::unique_ptr<DetectionPipeline>(new GpuPipeline(std::move(context), options));
  }

  // Copies may still read or write the vectors.
  ~GpuPipeline() override { static_cast<void>(context_->wait()); }

  Result<std::vector<Detection>> detect(const ImageView& image) override {
    YOLOCU_RETURN_IF_ERROR(check_image(image));
    YOLOCU_RETURN_IF_ERROR(runtime().make_current());
    YOLOCU_RETURN_IF_ERROR(upload(image));
    YOLOCU_RETURN_IF_ERROR(context_->launch());
    YOLOCU_RETURN_IF_ERROR(runtime().download(results_.data(), context_->results(),
                                              context_->result_bytes(), context_->stream()));
    YOLOCU_RETURN_IF_ERROR(context_->wait());
    std::vector<Detection> detections = read_results();
    const gpu::PlanOptions& net = context_->plan().options;
    scale_boxes(detections, net.height, net.width, image.height, image.width);
    return detections;
  }

  Result<std::unique_ptr<DetectionPipeline>> share() const override {
    return create(context_->shared_model(), context_->shared_plan(), options_);
  }

  std::vector<LaunchRecord> take_launches() override { return runtime().take_launches(); }

 private:
  GpuPipeline(std::unique_ptr<GpuContext> context, const DetectorOptions& options)
      : context_(std::move(context)), options_(options) {
    results_.resize(static_cast<size_t>(context_->result_bytes()));
  }

  DeviceRuntime& runtime() const { return context_->model().runtime(); }
  const LetterboxProblem& letterbox_problem() const {
    return std::get<gpu::LetterboxStep>(context_->plan().steps.front().work).problem;
  }

  // Pixels and the record that says where they are. Both host copies live until the next picture.
  Status upload(const ImageView& image) {
    const LetterboxProblem& problem = letterbox_problem();
    YOLOCU_ASSIGN_OR_RETURN(
        const LetterboxGeometry g,
        letterbox_geometry(image.height, image.width, problem.height, problem.width));
    const int64_t row_bytes = image.width * kChannels, bytes = row_bytes * image.height;
    YOLOCU_RETURN_IF_ERROR(reserve(bytes));
    const LetterboxPlace place = {.left = static_cast<int32_t>(g.left),
                                  .top = static_cast<int32_t>(g.top),
                                  .resized_width = static_cast<int32_t>(g.resized_width),
                                  .resized_height = static_cast<int32_t>(g.resized_height)};
    YOLOCU_ASSIGN_OR_RETURN(record_, letterbox_picture(pixels_.data<uint8_t>(), image.width,
                                                       image.height, row_bytes, place, problem));
    const Stream stream = context_->stream();
    YOLOCU_RETURN_IF_ERROR(
        runtime().upload(pixels_.data(), packed_rows(image, row_bytes), bytes, stream));
    return runtime().upload(context_->pictures(), &record_, sizeof(record_), stream);
  }

  // Room for the pixels of a picture: what the largest so far needed.
  Status reserve(int64_t bytes) {
    if (pixels_.data() != nullptr && pixels_.size_bytes() >= bytes) return {};
    pixels_ = {};
    YOLOCU_ASSIGN_OR_RETURN(pixels_, DeviceMemory::create(runtime(), bytes, "picture"));
    return {};
  }

  // The picture's rows one after the other.
  const uint8_t* packed_rows(const ImageView& image, int64_t row_bytes) {
    if (image.row_bytes == row_bytes) return image.pixels;
    packed_.resize(static_cast<size_t>(row_bytes * image.height));
    for (int64_t y = 0; y < image.height; ++y) {
      std::memcpy(packed_.data() + y * row_bytes, image.pixels + y * image.row_bytes,
                  static_cast<size_t>(row_bytes));
    }
    return packed_.data();
  }

  std::vector<Detection> read_results() const {
    const auto& nms = std::get<gpu::NmsStep>(context_->plan().steps.back().work);
    const auto most = static_cast<size_t>(nms.problem.max_detections);
    int32_t count = 0;
    std::memcpy(&count, results_.data() + most * sizeof(NmsDetection), sizeof(count));
    std::vector<Detection> detections(static_cast<size_t>(count));
    for (size_t i = 0; i < detections.size(); ++i) {
      NmsDetection d;
      std::memcpy(&d, results_.data() + i * sizeof(d), sizeof(d));
      detections[i] = {d.x1, d.y1, d.x2, d.y2, d.score, d.class_id};
    }
    return detections;
  }

  std::unique_ptr<GpuContext> context_;
  DetectorOptions options_;
  DeviceMemory pixels_;  // released before the context
  LetterboxPicture record_ = {};
  std::vector<uint8_t> packed_;
  std::vector<std::byte> results_;
};

}  // namespace

Result<std::unique_ptr<DetectionPipeline>> create_gpu_pipeline(std::shared_ptr<const Model> model,
                                                               const DetectorOptions& options) {
  ExecutorOptions size = {.height = options.height, .width = options.width};
  YOLOCU_RETURN_IF_ERROR(resolve_size(*model, options.device, size));
  DetectorOptions resolved = options;
  resolved.height = size.height;
  resolved.width = size.width;
  YOLOCU_ASSIGN_OR_RETURN(const DType dtype, gpu::gpu_dtype(options.precision));
  YOLOCU_ASSIGN_OR_RETURN(gpu::GpuDevice device,
                          gpu::open_gpu_device(options.device, {.launches = options.launches,
                                                                .workers = options.threads}));
  YOLOCU_ASSIGN_OR_RETURN(auto loaded,
                          GpuModel::create(std::move(model), std::move(device), dtype));
  YOLOCU_ASSIGN_OR_RETURN(
      auto plan, loaded->plan(1, resolved.height, resolved.width, detection_rule(resolved)));
  return GpuPipeline::create(std::move(loaded), std::move(plan), resolved);
}

}  // namespace yolocu

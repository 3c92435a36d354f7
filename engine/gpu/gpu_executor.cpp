#include "engine/gpu/gpu_executor.h"

#include "engine/base/guard.h"
#include "engine/gpu/conv_weights.h"
#include "engine/gpu/plan_report.h"

namespace yolocu::gpu {
namespace {

class GpuExecutor final : public Executor {
 public:
  GpuExecutor(std::unique_ptr<GpuContext> context, const ExecutorOptions& options,
              const std::vector<ValueShape>& shapes)
      : context_(std::move(context)),
        anchors_(prediction_count(gpu_plan().graph, shapes, options.height, options.width)),
        row_(shapes.back().channels) {
    const int64_t pixels = options.batch * options.height * options.width;
    const int64_t channels = gpu_plan().input_layout.channels();
    for (int64_t c = 0; c < channels; ++c) {
      positions_.push_back(
          static_cast<size_t>(gpu_plan().input_view.offset + gpu_plan().input_layout.position(c)));
    }
    input_.resize(static_cast<size_t>(pixels * channels));
    pixel_.resize(static_cast<size_t>(gpu_plan().input_view.pixel_stride));
    staged_.resize(static_cast<size_t>(pixels) * pixel_bytes());
    output_.resize(static_cast<size_t>(options.batch * anchors_ * row_));
  }

  // Copies may still read or write the vectors.
  ~GpuExecutor() override { static_cast<void>(context_->wait()); }

  int64_t batch() const override { return gpu_plan().options.batch; }
  int64_t height() const override { return gpu_plan().options.height; }
  int64_t width() const override { return gpu_plan().options.width; }
  std::span<float> input() override { return input_; }

  Status run() override {
    stage_input();
    DeviceRuntime& runtime = context_->model().runtime();
    const Stream stream = context_->stream();
    YOLOCU_RETURN_IF_ERROR(runtime.make_current());
    YOLOCU_RETURN_IF_ERROR(runtime.upload(context_->input(), staged_.data(),
                                          static_cast<int64_t>(staged_.size()), stream));
    YOLOCU_RETURN_IF_ERROR(context_->launch());
    YOLOCU_RETURN_IF_ERROR(runtime.download(output_.data(), context_->predictions(),
                                            static_cast<int64_t>(output_.size() * sizeof(float)),
                                            stream));
    return context_->wait();
  }

  std::span<const float> output() const override { return output_; }
  int64_t anchors() const override { return anchors_; }
  int64_t row() const override { return row_; }

  std::vector<PlanStep> plan() const override { return describe_steps(gpu_plan()); }
  int64_t arena_bytes() const override { return gpu_plan().arena.size_bytes; }

  Result<std::unique_ptr<Executor>> share(const ExecutorOptions& options) const override {
    ExecutorOptions resolved = options;
    GpuModel& model = context_->model();
    YOLOCU_RETURN_IF_ERROR(resolve_size(model.model(), Device::kCuda, resolved));
    return guarded([&] { return create_gpu_executor(context_->shared_model(), resolved); });
  }

  std::vector<LaunchRecord> take_launches() override {
    return context_->model().runtime().take_launches();
  }

 private:
  const GpuPlan& gpu_plan() const { return context_->plan(); }
  size_t pixel_bytes() const {
    return pixel_.size() * static_cast<size_t>(size_bytes(gpu_plan().options.dtype));
  }

  // Pixels in the type of the network, with zeros in all other channels of the buffer: padding, or
  // what launches will write where the picture is a part of a concat.
  void stage_input() {
    const DType dtype = gpu_plan().options.dtype;
    std::byte* to = staged_.data();
    for (size_t from = 0; from < input_.size(); from += positions_.size()) {
      for (size_t c = 0; c < positions_.size(); ++c) pixel_[positions_[c]] = input_[from + c];
      store_floats(to, dtype, pixel_);
      to += pixel_bytes();
    }
  }

  std::unique_ptr<GpuContext> context_;
  int64_t anchors_, row_;
  std::vector<size_t> positions_;  // of the input's channels in a padded pixel
  std::vector<float> input_, pixel_, output_;
  std::vector<std::byte> staged_;
};

}  // namespace

Result<std::unique_ptr<Executor>> create_gpu_executor(std::shared_ptr<GpuModel> model,
                                                      const ExecutorOptions& options) {
  YOLOCU_ASSIGN_OR_RETURN(const std::vector<ValueShape> shapes, infer_shapes(model->spec().graph));
  YOLOCU_ASSIGN_OR_RETURN(auto plan, model->plan(options.batch, options.height, options.width));
  YOLOCU_ASSIGN_OR_RETURN(auto context, GpuContext::create(std::move(model), std::move(plan)));
  return std::unique_ptr<Executor>(
      std::make_unique<GpuExecutor>(std::move(context), options, shapes));
}

}  // namespace yolocu::gpu

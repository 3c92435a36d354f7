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
    YOLOCU_RETURN_IF_ERROR(upload_input());
    YOLOCU_RETURN_IF_ERROR(context_->launch());
    return download_output();
  }

  Result<std::vector<double>> time_runs(int64_t warmup, int64_t iterations) override {
    if (gpu_plan().options.input != InputLifetime::kKept) {
      return invalid_argument("timing launches of the graph needs an input that is kept");
    }
    YOLOCU_RETURN_IF_ERROR(upload_input());
    for (int64_t i = 0; i < warmup; ++i) YOLOCU_RETURN_IF_ERROR(context_->launch());
    return time_launches(iterations);
  }

  std::span<const float> output() const override { return output_; }
  int64_t anchors() const override { return anchors_; }
  int64_t row() const override { return row_; }

  std::vector<PlanStep> plan() const override { return describe_steps(gpu_plan()); }
  int64_t arena_bytes() const override { return gpu_plan().arena.size_bytes; }

  Result<std::unique_ptr<Executor>> share(const ExecutorOptions& options) const override {
    ExecutorOptions resolved = options;
    GpuModel& model = context_->model();
    resolved.input = gpu_plan().options.input;
    YOLOCU_RETURN_IF_ERROR(resolve_size(model.model(), Device::kCuda, resolved));
    return guarded([&] { return create_gpu_executor(context_->shared_model(), resolved); });
  }

  std::vector<LaunchRecord> take_launches() override {
    return context_->model().runtime().take_launches();
  }

 private:
  const GpuPlan& gpu_plan() const { return context_->plan(); }
  DeviceRuntime& runtime() const { return context_->model().runtime(); }

  Status upload_input() {
    stage_input();
    YOLOCU_RETURN_IF_ERROR(runtime().make_current());
    return runtime().upload(context_->input(), staged_.data(), static_cast<int64_t>(staged_.size()),
                            context_->stream());
  }

  Status download_output() {
    YOLOCU_RETURN_IF_ERROR(runtime().download(output_.data(), context_->predictions(),
                                              static_cast<int64_t>(output_.size() * sizeof(float)),
                                              context_->stream()));
    return runtime().synchronize_stream(context_->stream());
  }

  // All launches are enqueued before the host waits, so that the device never waits for the host:
  // event i lies between launches i - 1 and i.
  Result<std::vector<double>> time_launches(int64_t count) {
    std::vector<OwnedEvent> events;
    for (int64_t i = 0; i <= count; ++i) {
      YOLOCU_ASSIGN_OR_RETURN(OwnedEvent event, make_event(runtime()));
      events.push_back(std::move(event));
    }
    YOLOCU_RETURN_IF_ERROR(runtime().record(events[0].get(), context_->stream()));
    for (size_t i = 1; i < events.size(); ++i) {
      YOLOCU_RETURN_IF_ERROR(context_->launch());
      YOLOCU_RETURN_IF_ERROR(runtime().record(events[i].get(), context_->stream()));
    }
    YOLOCU_RETURN_IF_ERROR(download_output());
    std::vector<double> times;
    for (size_t i = 1; i < events.size(); ++i) {
      YOLOCU_ASSIGN_OR_RETURN(const double time,
                              runtime().elapsed_ms(events[i - 1].get(), events[i].get()));
      times.push_back(time);
    }
    return times;
  }

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
  YOLOCU_ASSIGN_OR_RETURN(auto plan,
                          model->plan(options.batch, options.height, options.width, options.input));
  YOLOCU_ASSIGN_OR_RETURN(auto context, GpuContext::create(std::move(model), std::move(plan)));
  return std::unique_ptr<Executor>(
      std::make_unique<GpuExecutor>(std::move(context), options, shapes));
}

}  // namespace yolocu::gpu

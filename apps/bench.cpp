#include <chrono>
#include <functional>

#include "apps/bench_output.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/image_io.h"
#include "apps/model_source.h"
#include "engine/executor.h"
#include "engine/launches_json.h"
#include "engine/processors.h"
#include "weights/format/file_io.h"
#include "weights/format/packed_file.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

constexpr double kBudgetMs = 3000;
constexpr InputSize kNoisePicture = {.width = 1280, .height = 960};

// Reproducible numbers in 0..255 that no compression or branch predictor can guess.
class Noise {
 public:
  uint8_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX
    return static_cast<uint8_t>(state_ >> 56);
  }

 private:
  uint64_t state_ = 1;
};

// What end to end begins with: the file that was asked for, else noise.
Result<Image> open_picture(const BenchArguments& arguments) {
  if (!arguments.image.empty()) return read_image(arguments.image);
  Image picture{.pixels = {}, .width = kNoisePicture.width, .height = kNoisePicture.height};
  picture.pixels.resize(static_cast<size_t>(picture.width * picture.height * 3));
  Noise noise;
  for (uint8_t& pixel : picture.pixels) pixel = noise.next();
  return picture;
}

// How often to run. Devices that are there for checks are slow, and not what is measured.
struct Schedule {
  int64_t warmup = 0, least = 0, iterations = 0;  // iterations 0: what fits the budget

  Schedule(const BenchArguments& arguments, Device device) : iterations(arguments.iterations) {
    const bool slow = device == Device::kEmulated || device == Device::kReference;
    warmup = arguments.warmup.value_or(slow ? 0 : 3);
    least = slow ? 1 : 20;
  }
};

// `time_runs(warmup, iterations)` gives times. A first one decides how many there will be.
template <typename TimeRuns>
Result<TimeSummary> measure(const Schedule& schedule, TimeRuns time_runs) {
  if (schedule.iterations > 0) {
    YOLOCU_ASSIGN_OR_RETURN(auto times, time_runs(schedule.warmup, schedule.iterations));
    return summarize_times(std::move(times));
  }
  YOLOCU_ASSIGN_OR_RETURN(std::vector<double> first, time_runs(schedule.warmup, 1));
  const int64_t iterations = iterations_for(kBudgetMs, first[0], schedule.least);
  if (iterations == 1) return summarize_times(std::move(first));
  YOLOCU_ASSIGN_OR_RETURN(auto times, time_runs(0, iterations));
  return summarize_times(std::move(times));
}

// What is measured, wherever it comes from.
struct Subject {
  std::string label;
  std::shared_ptr<const Model> model;
  std::function<Result<Detector>(const DetectorOptions&)> open_detector;
};

// A model with made-up weights, as `convert --arch NAME --synthetic 1` writes it.
Result<Subject> synthetic_subject(const std::string& architecture) {
  YOLOCU_ASSIGN_OR_RETURN(ConvertedModel made,
                          make_synthetic_model(1, {.architecture = architecture}));
  YOLOCU_ASSIGN_OR_RETURN(std::vector<std::byte> packed, serialize_packed(made.model));
  const auto bytes = std::make_shared<const std::vector<std::byte>>(std::move(packed));
  YOLOCU_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, open_packed_bytes(*bytes));
  return Subject{
      architecture + " with synthetic weights", std::move(model),
      [bytes](const DetectorOptions& options) { return Detector::from_bytes(*bytes, options); }};
}

Result<Subject> find_subject(const BenchArguments& arguments) {
  if (!arguments.architecture.empty()) return synthetic_subject(arguments.architecture);
  YOLOCU_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, open_model(arguments.model));
  return Subject{model_label(arguments.model), std::move(model),
                 [path = arguments.model](const DetectorOptions& options) {
                   return open_detector(path, options);
                 }};
}

class Bench {
 public:
  Bench(const BenchArguments& arguments, const Subject& subject, const Image& picture)
      : arguments_(arguments),
        subject_(subject),
        picture_(picture),
        model_(subject.model),
        device_(resolve_device(arguments.device)),
        schedule_(arguments, device_) {}

  Result<BenchResult> run() {
    BenchResult result{.model = subject_.label,
                       .architecture = model_->spec.architecture,
                       .device = device_,
                       .precision = resolve_precision(device_, arguments_.precision),
                       .batch = arguments_.batch,
                       .threads = choose_threads(arguments_.threads),
                       .picture = {picture_.width, picture_.height},
                       .image = arguments_.image};
    YOLOCU_RETURN_IF_ERROR(write_counters());
    YOLOCU_RETURN_IF_ERROR(time_network(result));
    if (arguments_.batch > 1 || arguments_.pictures == PictureTimes::kSkip) return result;
    YOLOCU_ASSIGN_OR_RETURN(result.end_to_end, time_pictures());
    return result;
  }

 private:
  ExecutorOptions executor_options() const {
    return {.batch = arguments_.batch,
            .height = arguments_.size.height,
            .width = arguments_.size.width,
            .precision = arguments_.precision,
            .threads = arguments_.threads};
  }

  // One run of its own: keeping records takes time.
  Status write_counters() const {
    if (arguments_.counters.empty()) return {};
    ExecutorOptions options = executor_options();
    options.launches = LaunchRecords::kKeep;
    YOLOCU_ASSIGN_OR_RETURN(const auto executor, create_executor(model_, device_, options));
    YOLOCU_RETURN_IF_ERROR(executor->run());
    const std::string json = launches_json(executor->take_launches());
    return write_file(arguments_.counters, std::as_bytes(std::span(json)));
  }

  Status time_network(BenchResult& result) const {
    ExecutorOptions options = executor_options();
    options.input = InputLifetime::kKept;
    YOLOCU_ASSIGN_OR_RETURN(const auto executor, create_executor(model_, device_, options));
    Noise noise;
    for (float& value : executor->input()) value = static_cast<float>(noise.next()) / 255;
    YOLOCU_ASSIGN_OR_RETURN(result.network, measure(schedule_, [&](int64_t warmup, int64_t count) {
                              return executor->time_runs(warmup, count);
                            }));
    if (arguments_.layers) {
      YOLOCU_ASSIGN_OR_RETURN(result.layers, executor->time_steps(1, result.network.iterations));
    }
    result.size = {executor->width(), executor->height()};
    const Graph& graph = model_->spec.graph;
    YOLOCU_ASSIGN_OR_RETURN(const std::vector<ValueShape> shapes, infer_shapes(graph));
    result.flops = static_cast<double>(executor->batch()) *
                   conv_flops(graph, shapes, executor->height(), executor->width());
    return {};
  }

  Result<TimeSummary> time_pictures() const {
    YOLOCU_ASSIGN_OR_RETURN(Detector detector,
                            subject_.open_detector({.device = device_,
                                                    .precision = arguments_.precision,
                                                    .height = arguments_.size.height,
                                                    .width = arguments_.size.width,
                                                    .threads = arguments_.threads}));
    return measure(schedule_, [&](int64_t warmup, int64_t count) {
      return time_detections(detector, warmup, count);
    });
  }

  // A picture from a file is read and decoded every time.
  Result<std::vector<Detection>> detect(Detector& detector) const {
    if (arguments_.image.empty()) return detector.detect(picture_.view());
    YOLOCU_ASSIGN_OR_RETURN(const Image image, read_image(arguments_.image));
    return detector.detect(image.view());
  }

  Result<std::vector<double>> time_detections(Detector& detector, int64_t warmup,
                                              int64_t count) const {
    using Clock = std::chrono::steady_clock;
    std::vector<double> times;
    for (int64_t i = 0; i < warmup + count; ++i) {
      const Clock::time_point start = Clock::now();
      const auto found = detect(detector);
      const std::chrono::duration<double, std::milli> time = Clock::now() - start;
      if (!found.ok()) return found.status();
      if (i >= warmup) times.push_back(time.count());
    }
    return times;
  }

  const BenchArguments& arguments_;
  const Subject& subject_;
  const Image& picture_;
  std::shared_ptr<const Model> model_;
  Device device_;
  Schedule schedule_;
};

Status bench(const BenchArguments& arguments) {
  YOLOCU_ASSIGN_OR_RETURN(const Subject subject, find_subject(arguments));
  YOLOCU_ASSIGN_OR_RETURN(const Image picture, open_picture(arguments));
  const Result<BenchResult> result = Bench(arguments, subject, picture).run();
  if (!result.ok()) return result.status().with_context(subject.label);
  if (arguments.json == "-") return print(bench_json(*result));
  if (!arguments.json.empty()) {
    const std::string json = bench_json(*result);
    YOLOCU_RETURN_IF_ERROR(write_file(arguments.json, std::as_bytes(std::span(json))));
  }
  return print(bench_text(*result));
}

}  // namespace

int bench_command(const BenchArguments& arguments) {
  return report(bench(arguments));
}

}  // namespace yolocu

#include <chrono>
#include <filesystem>
#include <optional>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/detect_output.h"
#include "apps/draw.h"
#include "apps/image_io.h"
#include "apps/inputs.h"
#include "apps/model_source.h"
#include "engine/base/guard.h"
#include "engine/executor.h"
#include "weights/format/file_io.h"

namespace yolocu {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Status make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !std::filesystem::is_directory(path, error)) {
    return unavailable(path + ": " + (error ? error.message() : "Not a directory"));
  }
  return {};
}

// An error of the picture `path`, which its message names.
Status named(const Status& status, const std::string& path) {
  return status.message().starts_with(path) ? status : status.with_context(path);
}

// The rest of a message that names `path` first.
std::string without_path(const Status& status, const std::string& path) {
  const std::string prefix = path + ": ";
  const std::string& message = status.message();
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

// Pictures one after the other. What fails is reported and left out; the exit code remembers it.
class DetectRun {
 public:
  // With a `network`, JPEG files are reduced to what it needs.
  DetectRun(const DetectArguments& arguments, const std::optional<NetworkSize>& network,
            Clock::time_point start)
      : arguments_(arguments), network_(network), start_(start) {
    for (const std::string& input : arguments.inputs) {
      Result<std::vector<std::string>> paths = expand_input(input);
      if (!paths.ok()) {
        fail(paths.status(), input);
        continue;
      }
      paths_.insert(paths_.end(), paths->begin(), paths->end());
    }
    if (!arguments.out.empty()) names_.emplace(arguments.out, paths_);
  }

  bool has_pictures() const { return !paths_.empty(); }

  int run(Detector& detector) {
    timing_.load_ms = milliseconds_since(start_);
    for (const std::string& path : paths_) {
      const Status status = guarded([&] { return process(detector, path); });
      if (!status.ok()) fail(named(status, path), path);
    }
    timing_.total_ms = milliseconds_since(start_);
    if (const Status status = write_counters(detector); !status.ok()) fail(status);
    return finish(detector.class_names());
  }

  // Whoever asked for a JSON document gets one, were it empty.
  int finish(std::span<const std::string> class_names) {
    const Status status = write_results(class_names);
    if (!status.ok()) fail(status);
    return exit_code_;
  }

 private:
  bool json_to_stdout() const { return arguments_.json == "-" || arguments_.json == "/dev/stdout"; }

  void fail(const Status& status) { exit_code_ = report_failure(status); }

  // The picture or argument `path` is left out of the results.
  void fail(const Status& status, const std::string& path) {
    fail(status);
    failed_.push_back({path, without_path(status, path)});
  }

  Status process(Detector& detector, const std::string& path) {
    const Clock::time_point start = Clock::now();
    YOLOCU_ASSIGN_OR_RETURN(ReducedImage picture, read_reduced_image(path, network_));
    const double decode_ms = milliseconds_since(start);
    Result<std::vector<Detection>> found = detector.detect(picture.image.view());
    if (!found.ok()) return found.status().with_context(path);
    timing_.decode_ms += decode_ms;
    timing_.detect_ms += milliseconds_since(start) - decode_ms;
    for (Detection& d : *found) d = in_whole_picture(picture, d);
    if (names_ && picture.reduction > 1) {
      YOLOCU_ASSIGN_OR_RETURN(picture.image, read_image(path));
    }
    results_.push_back({path, picture.width, picture.height, std::move(*found), ""});
    if (names_) annotate(picture.image, results_.back(), detector.class_names());
    if (json_to_stdout()) return {};
    return print(detections_table(results_.back(), detector.class_names()));
  }

  // A copy that cannot be written is an error of its own: its detections stay in the results.
  void annotate(Image& image, PictureResult& result, std::span<const std::string> class_names) {
    draw_detections(image, result.detections, class_names);
    result.annotated = names_->next(result.path);
    const Status status = write_image(result.annotated, image);
    if (status.ok()) return;
    fail(status);
    result.annotated.clear();
  }

  Status write_counters(Detector& detector) const {
    if (arguments_.counters.empty()) return {};
    YOLOCU_ASSIGN_OR_RETURN(const std::string json, detector.take_launches_json());
    return write_file(arguments_.counters, std::as_bytes(std::span(json)));
  }

  Status write_results(std::span<const std::string> class_names) {
    if (json_to_stdout()) return print(detections_json(results_, failed_, class_names));
    if (!arguments_.json.empty()) {
      const std::string json = detections_json(results_, failed_, class_names);
      YOLOCU_RETURN_IF_ERROR(write_file(arguments_.json, std::as_bytes(std::span(json))));
    }
    if (!has_pictures()) return {};
    size_t objects = 0;
    for (const PictureResult& result : results_) objects += result.detections.size();
    return print(summary_line(static_cast<int64_t>(results_.size()), static_cast<int64_t>(objects),
                              timing_));
  }

  const DetectArguments& arguments_;
  std::optional<NetworkSize> network_;
  Clock::time_point start_;
  std::vector<std::string> paths_;
  std::optional<OutputNames> names_;
  std::vector<PictureResult> results_;
  std::vector<FailedPicture> failed_;
  Timing timing_;
  int exit_code_ = kExitOk;
};

NetworkSize network_size(const InputSize& asked, const ModelSpec& spec) {
  if (asked.width > 0) return {asked.width, asked.height};
  return {spec.input_size, spec.input_size};
}

// Empty, which means all, for an empty text.
Result<std::vector<int64_t>> chosen_classes(const std::string& text, const ModelSpec& spec) {
  if (text.empty()) return std::vector<int64_t>();
  return parse_classes(text, spec.class_names);
}

}  // namespace

int detect_command(const DetectArguments& arguments) {
  const Clock::time_point start = Clock::now();
  DetectorOptions options = arguments.options;
  options.height = arguments.size.height;
  options.width = arguments.size.width;
  if (options.precision == Precision::kAuto) {
    options.precision = fastest_precision(options.device);
  }
  options.launches = arguments.counters.empty() ? LaunchRecords::kDrop : LaunchRecords::kKeep;
  std::optional<NetworkSize> network;
  if (!arguments.classes.empty() || arguments.jpeg == JpegDecoding::kReduced) {
    const Result<std::shared_ptr<const Model>> model = open_model(arguments.model);
    if (!model.ok()) return report_failure(model.status());
    const ModelSpec& spec = (*model)->spec;
    if (arguments.jpeg == JpegDecoding::kReduced) network = network_size(arguments.size, spec);
    Result<std::vector<int64_t>> classes = chosen_classes(arguments.classes, spec);
    if (!classes.ok()) return report_usage("detect", "--classes: " + classes.status().message());
    options.classes = std::move(*classes);
  }
  if (!arguments.out.empty()) {
    const Status status = make_folder(arguments.out);
    if (!status.ok()) return report_failure(status);
  }
  DetectRun run(arguments, network, start);
  if (!run.has_pictures()) return run.finish({});
  Result<Detector> detector = open_detector(arguments.model, options);
  if (!detector.ok()) return report_failure(detector.status());
  return run.run(*detector);
}

}  // namespace yolocu

// How fast the host emulation runs the convolutions: what a test costs, not what a GPU takes.
// layer/: one layer of a network a variant, on one core. network/: all convolutions of a network at
// batch 1, with the variants that selection takes for an A100, on two workers.
#include <benchmark/benchmark.h>

#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/emulation/runtime.h"
#include "kernels/kernel_table.h"

namespace yolocu {
namespace {

using emulation::EmulatedRuntime;
using emulation::RaceCheck;

struct Layer {
  std::string name;
  ConvProblem problem;
};

int64_t flop(const ConvProblem& problem) {
  return 2 * problem.out_pixels() * problem.out_channels * problem.depth();
}

ConvProblem square_layer(int64_t extent, int64_t channels, int64_t out_channels, int64_t filter) {
  return {.height = extent,
          .width = extent,
          .channels = channels,
          .out_channels = out_channels,
          .filter_height = filter,
          .filter_width = filter,
          .padding = filter / 2,
          .activation = Activation::kSilu,
          .x = {channels, 0},
          .y = {out_channels, 0}};
}

// Of yolov7-tiny at 256 x 256.
std::vector<Layer> tiny_layers() {
  return {{"64x64x64_64_3x3", square_layer(64, 64, 64, 3)},
          {"32x32x128_128_3x3", square_layer(32, 128, 128, 3)},
          {"64x64x128_64_1x1", square_layer(64, 128, 64, 1)}};
}

// The lines of a file of shapes: name k s g ci co hi wi ho wo.
Result<std::vector<Layer>> read_layers(const std::string& path) {
  std::ifstream file(path);
  std::vector<Layer> layers;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    Layer layer;
    ConvProblem& p = layer.problem;
    int64_t out_height = 0, out_width = 0;
    words >> layer.name >> p.filter_height >> p.stride >> p.groups >> p.channels >>
        p.out_channels >> p.height >> p.width >> out_height >> out_width;
    p.filter_width = p.filter_height;
    p.padding = p.filter_height / 2;
    p.activation = Activation::kSilu;
    p.x.pixel_stride = p.channels;
    p.y.pixel_stride = p.out_channels;
    if (!words || p.stride < 1 || p.out_height() != out_height || p.out_width() != out_width) {
      return invalid_argument(path + ": not a convolution: " + line);
    }
    layers.push_back(std::move(layer));
  }
  if (layers.empty()) return not_found(path + ": no convolutions");
  return layers;
}

template <typename T>
Result<DeviceMemory> filled_memory(DeviceRuntime& runtime, Stream stream, int64_t count, T value,
                                   std::string_view name) {
  const std::vector<T> values(static_cast<size_t>(count), value);
  const auto bytes = count * static_cast<int64_t>(sizeof(T));
  YOLOCU_ASSIGN_OR_RETURN(auto memory, DeviceMemory::create(runtime, bytes, name));
  YOLOCU_RETURN_IF_ERROR(runtime.upload(memory.data(), values.data(), bytes, stream));
  YOLOCU_RETURN_IF_ERROR(runtime.synchronize_stream(stream));
  return memory;
}

// A layer with its memory on a device. The numbers do not change the time.
class LayerRun {
 public:
  static Result<LayerRun> create(DeviceRuntime& runtime, const ConvProblem& problem,
                                 const ConvChoice& choice) {
    constexpr uint8_t kByte = 0x3C;  // of small positive numbers of any dtype
    const int64_t width = size_bytes(problem.dtype);
    const int64_t pixels = problem.batch * problem.height * problem.width;
    const int64_t x_bytes = pixels * problem.x.pixel_stride * width;
    const int64_t w_bytes = problem.out_channels * problem.depth() * width;
    const int64_t y_bytes = problem.out_pixels() * problem.y.pixel_stride * width;
    LayerRun run;
    run.runtime_ = &runtime;
    run.problem_ = problem;
    YOLOCU_ASSIGN_OR_RETURN(run.stream_, make_stream(runtime));
    const Stream stream = run.stream_.get();
    YOLOCU_ASSIGN_OR_RETURN(run.x_, filled_memory(runtime, stream, x_bytes, kByte, "x"));
    YOLOCU_ASSIGN_OR_RETURN(run.w_, filled_memory(runtime, stream, w_bytes, kByte, "w"));
    YOLOCU_ASSIGN_OR_RETURN(run.bias_,
                            filled_memory(runtime, stream, problem.out_channels, 0.5f, "bias"));
    YOLOCU_ASSIGN_OR_RETURN(run.y_, DeviceMemory::create(runtime, y_bytes, "y"));
    YOLOCU_ASSIGN_OR_RETURN(run.workspace_,
                            filled_memory(runtime, stream, conv_workspace_bytes(choice, problem),
                                          uint8_t{0}, "workspace"));
    return run;
  }

  Status run(const ConvChoice& choice) {
    const ConvTensors tensors = {.y = y_.data(),
                                 .x = x_.data(),
                                 .w = w_.data(),
                                 .bias = bias_.data<float>(),
                                 .workspace = workspace_.data()};
    YOLOCU_RETURN_IF_ERROR(emulated_kernels().conv(tensors, problem_, choice, stream_.get()));
    return runtime_->synchronize_stream(stream_.get());
  }

 private:
  DeviceRuntime* runtime_ = nullptr;
  ConvProblem problem_;
  OwnedStream stream_;
  DeviceMemory x_, w_, y_, bias_, workspace_;
};

void set_rate(benchmark::State& state, int64_t flop_of_one) {
  state.counters["FLOP/s"] =
      benchmark::Counter(static_cast<double>(flop_of_one * state.iterations()),
                         benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}

void run_layer(benchmark::State& state, const ConvVariant& variant, const ConvProblem& problem,
               RaceCheck races) {
  EmulatedRuntime device({.races = races});
  auto layer = LayerRun::create(device, problem, {variant});
  if (!layer.ok()) return state.SkipWithError(layer.status().message().c_str());
  for ([[maybe_unused]] auto _ : state) {
    const Status status = layer->run({variant});
    if (!status.ok()) return state.SkipWithError(status.message().c_str());
  }
  set_rate(state, flop(problem));
}

Status run_network(const std::vector<Layer>& layers, RaceCheck races) {
  EmulatedRuntime device({.races = races, .workers = 2});
  for (const Layer& layer : layers) {
    YOLOCU_ASSIGN_OR_RETURN(const auto choice, select_conv(layer.problem, {}));
    YOLOCU_ASSIGN_OR_RETURN(auto layer_run, LayerRun::create(device, layer.problem, choice));
    YOLOCU_RETURN_IF_ERROR(layer_run.run(choice));
  }
  return {};
}

void run_network_file(benchmark::State& state, const std::string& path, RaceCheck races) {
  const auto layers = read_layers(path);
  if (!layers.ok()) return state.SkipWithError(layers.status().message().c_str());
  int64_t total = 0;
  for (const Layer& layer : *layers) total += flop(layer.problem);
  for ([[maybe_unused]] auto _ : state) {
    const Status status = run_network(*layers, races);
    if (!status.ok()) return state.SkipWithError(status.message().c_str());
  }
  set_rate(state, total);
}

void register_benchmarks() {
  for (const RaceCheck races : {RaceCheck::kOn, RaceCheck::kOff}) {
    const std::string suffix = races == RaceCheck::kOn ? "/races:1" : "/races:0";
    for (const Layer& layer : tiny_layers()) {
      for (const ConvVariant& variant : conv_variants()) {
        ConvProblem problem = layer.problem;
        if (variant.dtype == DType::kF32) problem.dtype = variant.dtype;
        if (!can_implement(variant, problem).ok()) continue;
        if (variant.algorithm == ConvAlgorithm::kNaive) continue;  // seconds a call
        const std::string name = "layer/" + layer.name + "/" + std::string(variant.name) + suffix;
        benchmark::RegisterBenchmark(name.c_str(), run_layer, variant, problem, races)
            ->MeasureProcessCPUTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
    for (const std::string network : {"codes-nano", "gelan-t"}) {
      benchmark::RegisterBenchmark(("network/" + network + suffix).c_str(), run_network_file,
                                   YOLOCU_SHAPES_DIR "/" + network + ".txt", races)
          ->Iterations(1)
          ->MeasureProcessCPUTime()
          ->UseRealTime()
          ->Unit(benchmark::kSecond);
    }
  }
}

}  // namespace
}  // namespace yolocu

int main(int argc, char** argv) {
  yolocu::register_benchmarks();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

// From a picture to boxes with the demonstration model, stage by stage and end to end.
// YOLOCU_BENCH_MODEL in the environment names another packed file.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "engine/postprocess/nms.h"
#include "engine/preprocess/letterbox.h"
#include "weights/format/packed_file.h"
#include "yolocu/detector.h"

namespace yolocu {
namespace {

std::string model_path() {
  const char* path = std::getenv("YOLOCU_BENCH_MODEL");
  return path != nullptr ? path : YOLOCU_DEMO_MODEL;
}

// A picture of noise: the letterbox and the network take as long as with a photograph.
class NoisePicture {
 public:
  NoisePicture(int64_t width, int64_t height)
      : width_(width), height_(height), pixels_(static_cast<size_t>(width * height * 3)) {
    std::mt19937 engine(1);
    for (uint8_t& value : pixels_) value = static_cast<uint8_t>(engine() >> 24);
  }
  ImageView view() const { return {pixels_.data(), width_, height_, width_ * 3}; }

 private:
  int64_t width_, height_;
  std::vector<uint8_t> pixels_;
};

// range(0) x range(1) pixels onto 640 x 640. Bytes: the picture read and the fp32 input written.
void letterbox_640(benchmark::State& state) {
  constexpr int64_t kSize = 640;
  const NoisePicture picture(state.range(0), state.range(1));
  std::vector<float> input(kSize * kSize * 3);
  std::vector<uint8_t> scratch;
  for ([[maybe_unused]] auto _ : state) {
    const Status status = letterbox(input, kSize, kSize, 114, picture.view(), scratch);
    if (!status.ok()) return state.SkipWithError(status.message().c_str());
    benchmark::DoNotOptimize(input.data());
  }
  const int64_t bytes = state.range(0) * state.range(1) * 3 + kSize * kSize * 3 * 4;
  state.SetBytesProcessed(state.iterations() * bytes);
}
BENCHMARK(letterbox_640)
    ->Args({640, 480})
    ->Args({1920, 1080})
    ->ArgNames({"w", "h"})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void set_flop_counter(benchmark::State& state, const Model& model, int64_t batch, int64_t size) {
  const auto shapes = infer_shapes(model.spec.graph);
  if (!shapes.ok()) return;
  const double flop = conv_flops(model.spec.graph, *shapes, size, size) *
                      static_cast<double>(batch * state.iterations());
  state.counters["FLOP"] = benchmark::Counter(flop, benchmark::Counter::kIsRate);
}

// The network of batch range(0) at range(1) x range(1), decoding included.
void network(benchmark::State& state, Device device) {
  const int64_t batch = state.range(0), size = state.range(1);
  const auto model = open_packed_file(model_path());
  if (!model.ok()) return state.SkipWithError(model.status().message().c_str());
  const auto executor =
      create_executor(*model, device, {.batch = batch, .height = size, .width = size});
  if (!executor.ok()) return state.SkipWithError(executor.status().message().c_str());
  for ([[maybe_unused]] auto _ : state) {
    // run() leaves the input undefined, and NaN or denormals would change the time.
    state.PauseTiming();
    for (float& value : (*executor)->input()) value = 0.5f;
    state.ResumeTiming();
    const Status status = (*executor)->run();
    if (!status.ok()) return state.SkipWithError(status.message().c_str());
  }
  set_flop_counter(state, **model, batch, size);
}
BENCHMARK_CAPTURE(network, cpu, Device::kCpu)
    ->Args({1, 320})
    ->Args({1, 640})
    ->Args({4, 640})
    ->ArgNames({"n", "size"})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// Predictions [anchors, 4 + classes] of a 640 x 640 input in which about one in `rarity` anchors
// passes confidence 0.25.
std::vector<float> random_predictions(int64_t anchors, int64_t classes, int rarity) {
  std::mt19937 engine(2);
  std::uniform_real_distribution<float> centre(0, 640), extent(8, 160), score(0.25f, 1);
  std::vector<float> rows(static_cast<size_t>(anchors * (4 + classes)), 0.01f);
  for (int64_t a = 0; a < anchors; ++a) {
    float* row = rows.data() + a * (4 + classes);
    row[0] = centre(engine);
    row[1] = centre(engine);
    row[2] = extent(engine);
    row[3] = extent(engine);
    if (engine() % static_cast<unsigned>(rarity) == 0) {
      row[4 + static_cast<int64_t>(engine() % static_cast<unsigned>(classes))] = score(engine);
    }
  }
  return rows;
}

// Suppression over 8400 anchors and 80 classes, one in range(0) a candidate.
void nms_coco(benchmark::State& state) {
  constexpr int64_t kAnchors = 8400, kClasses = 80;
  const auto rows = random_predictions(kAnchors, kClasses, static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(non_max_suppression(rows, 4 + kClasses, {}));
  }
}
BENCHMARK(nms_coco)
    ->Arg(100)
    ->Arg(8)
    ->ArgName("one_in")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// Pixels of a 1280 x 720 picture in, boxes out, at the model's default size.
void detect(benchmark::State& state, Device device) {
  auto detector = Detector::open(model_path(), {.device = device});
  if (!detector.ok()) return state.SkipWithError(detector.status().message().c_str());
  const NoisePicture picture(1280, 720);
  for ([[maybe_unused]] auto _ : state) {
    const auto found = detector->detect(picture.view());
    if (!found.ok()) return state.SkipWithError(found.status().message().c_str());
    benchmark::DoNotOptimize(found->data());
  }
}
BENCHMARK_CAPTURE(detect, cpu, Device::kCpu)->Unit(benchmark::kMillisecond)->UseRealTime();

// What comes before the first picture: mapping the file, checking it, making the plan.
void open_model(benchmark::State& state, Device device) {
  for ([[maybe_unused]] auto _ : state) {
    const auto detector = Detector::open(model_path(), {.device = device});
    if (!detector.ok()) return state.SkipWithError(detector.status().message().c_str());
  }
}
BENCHMARK_CAPTURE(open_model, cpu, Device::kCpu)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace yolocu

BENCHMARK_MAIN();

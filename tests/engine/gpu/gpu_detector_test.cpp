// Contexts and detectors of the GPU devices: what they share, what goes wrong, what they find.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "engine/executor.h"
#include "engine/gpu/gpu_executor.h"
#include "tests/engine/gpu/gpu_run.h"
#include "tests/engine/test_graphs.h"
#include "tests/support/tiny_model.h"
#include "weights/format/packed_file.h"
#include "yolocu/detector.h"

namespace yolocu {
namespace {

using gpu::GpuContext;
using gpu::GpuModel;

std::vector<std::byte> packed(const Model& model) {
  auto bytes = serialize_packed(model);
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return bytes.ok() ? *std::move(bytes) : std::vector<std::byte>{};
}

struct Picture {
  int64_t width, height, row_bytes;
  std::vector<uint8_t> pixels;

  ImageView view() const { return {pixels.data(), width, height, row_bytes}; }
};

Picture picture(int64_t width, int64_t height, int64_t gap, uint64_t seed) {
  Picture p{width, height, 3 * width + gap, {}};
  const auto count = static_cast<size_t>(p.row_bytes * height);
  for (const float value : testing::random_integers(count, 127, seed)) {
    p.pixels.push_back(static_cast<uint8_t>(value + 127));
  }
  return p;
}

void expect_same(const std::vector<Detection>& actual, const std::vector<Detection>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const Detection &a = actual[i], &e = expected[i];
    EXPECT_EQ(a.class_id, e.class_id) << i;
    EXPECT_NEAR(a.score, e.score, 1e-5) << i;
    const float corners[][2] = {{a.x1, e.x1}, {a.y1, e.y1}, {a.x2, e.x2}, {a.y2, e.y2}};
    for (const auto& [x, y] : corners) EXPECT_NEAR(x, y, 1e-3) << i;
  }
}

// Random networks whose boxes, classes and scores all depend on the picture.
std::shared_ptr<const Model> dfl_network() {
  testing::ModelBuilder b(testing::Numbers::kReals, 11);
  const ConvOp down{.kernel = 3, .stride = 2, .padding = 1, .activation = Activation::kSilu};
  const int p1 = b.conv(0, 24, down);
  return b.finish_dfl({p1, b.conv(p1, 32, down)}, 5);
}

std::shared_ptr<const Model> anchor_network() {
  return testing::small_network();
}

class GpuDetector : public ::testing::TestWithParam<std::shared_ptr<const Model> (*)()> {};

// fp32, so that both find the same; pictures larger and smaller than the one before, rows with and
// without gaps, the filter of classes, limits.
TEST_P(GpuDetector, FindsWhatTheReferenceFinds) {
  const std::vector<std::byte> bytes = packed(*GetParam()());
  const DetectorOptions variants[] = {
      {.height = 32, .width = 32, .confidence = 0.3f},
      {.height = 32, .width = 32, .confidence = 0.5f, .iou = 0.7},
      {.height = 32, .width = 32, .confidence = 0.3f, .max_detections = 3},
      {.height = 32, .width = 32, .confidence = 0.3f, .classes = {1, 4}},
      {.height = 12, .width = 20, .confidence = 0.2f, .iou = 0.1}};
  size_t objects = 0;
  for (DetectorOptions options : variants) {
    options.device = Device::kReference;
    auto reference = Detector::from_bytes(bytes, options);
    options.device = testing::tested_device();
    options.precision = Precision::kFp32;
    auto detector = Detector::from_bytes(bytes, options);
    ASSERT_OK(reference);
    ASSERT_OK(detector);
    for (const Picture& p : {picture(8, 8, 0, 1), picture(31, 17, 5, 2), picture(1, 1, 0, 3),
                             picture(5, 40, 100, 4)}) {
      const auto expected = reference->detect(p.view());
      const auto actual = detector->detect(p.view());
      ASSERT_OK(expected);
      ASSERT_OK(actual);
      expect_same(*actual, *expected);
      objects += expected->size();
    }
  }
  EXPECT_GT(objects, 100u) << "too few to show anything";
}

INSTANTIATE_TEST_SUITE_P(Models, GpuDetector, ::testing::Values(dfl_network, anchor_network));

TEST(GpuDetector, RefusesImpossiblePicturesAndGoesOn) {
  const std::vector<std::byte> bytes = packed(*testing::tiny_model());
  auto detector = Detector::from_bytes(bytes, {.device = testing::tested_device()});
  ASSERT_OK(detector);
  const Picture good = picture(9, 9, 0, 1);
  for (const ImageView& bad :
       {ImageView{}, ImageView{nullptr, 9, 9, 27}, ImageView{good.pixels.data(), 9, 9, 26},
        ImageView{good.pixels.data(), 0, 9, 27}}) {
    EXPECT_EQ(detector->detect(bad).status().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(detector->detect(good.view()).ok());
}

TEST(GpuDetector, SharesBetweenThreads) {
  const std::vector<std::byte> bytes = packed(*testing::tiny_model());
  auto first = Detector::from_bytes(bytes, {.device = testing::tested_device()});
  ASSERT_OK(first);
  auto second = first->share();
  ASSERT_OK(second);
  const Picture a = picture(20, 11, 0, 5), b = picture(7, 30, 0, 6);
  const auto of_a = first->detect(a.view()), of_b = first->detect(b.view());
  ASSERT_OK(of_a);
  ASSERT_OK(of_b);
  std::vector<Detection> found;
  std::thread other([&] { found = second->detect(b.view()).value(); });
  const auto again = first->detect(a.view());
  other.join();
  ASSERT_OK(again);
  expect_same(*again, *of_a);
  expect_same(found, *of_b);
}

TEST(GpuModel, KeepsPlansAndWeightsForAllContexts) {
  const auto model =
      GpuModel::create(testing::small_network(), testing::make_device(), DType::kF16);
  ASSERT_OK(model);
  const auto plan = (*model)->plan(2, 16, 24), same = (*model)->plan(2, 16, 24);
  const auto other = (*model)->plan(1, 16, 24);
  ASSERT_OK(plan);
  ASSERT_OK(other);
  EXPECT_EQ(*plan, *same);
  EXPECT_NE(*plan, *other);
  const auto first = GpuContext::create(*model, *plan), second = GpuContext::create(*model, *other);
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_EQ((*first)->model().weights().data(), (*second)->model().weights().data());
}

TEST(GpuExecutor, SharesTheModelWithOtherShapes) {
  auto executor = create_executor(testing::small_network(), testing::tested_device(),
                                  {.height = 16, .width = 24});
  ASSERT_OK(executor);
  auto larger = (*executor)->share({.batch = 2, .height = 32, .width = 8});
  ASSERT_OK(larger);
  executor->reset();  // the model lives on
  EXPECT_EQ((*larger)->batch(), 2);
  EXPECT_EQ((*larger)->width(), 8);
  EXPECT_OK((*larger)->run());
  const auto bad = (*larger)->share({.height = 17, .width = 8});
  EXPECT_EQ(bad.status().code(), StatusCode::kInvalidArgument);
}

// Whatever allocation finds no room: an error that says so, and a smaller context works.
TEST(GpuModel, OutOfMemoryIsAnErrorAndTheRestGoesOn) {
  if (testing::tested_device() == Device::kCuda) GTEST_SKIP() << "needs a card of little memory";
  const auto network = testing::small_network();
  const auto too_small =
      GpuModel::create(network, testing::make_device({.memory_bytes = 1000}), DType::kF16);
  testing::expect_refused(too_small.status(), StatusCode::kResourceExhausted, "weights");
  int failures = 0;
  for (int64_t room = 200'000; room < 4'000'000; room += room / 16) {
    const auto model =
        GpuModel::create(network, testing::make_device({.memory_bytes = room}), DType::kF16);
    ASSERT_OK(model);
    const auto large = (*model)->plan(1, 128, 128, gpu::DetectionRule());
    ASSERT_OK(large);
    const std::vector<uint32_t> classes = {1};
    const auto context = GpuContext::create(*model, *large, classes);
    if (!context.ok()) {
      ++failures;
      EXPECT_EQ(context.status().code(), StatusCode::kResourceExhausted);
    }
    const auto little = gpu::create_gpu_executor(*model, {.height = 4, .width = 4});
    if (context.ok() && !little.ok()) continue;  // both do not fit
    ASSERT_OK(little);
    EXPECT_OK((*little)->run());
  }
  EXPECT_GT(failures, 3);
}

TEST(GpuDevice, OldCardsAreRefusedByName) {
  EXPECT_OK(gpu::check_gpu({.name = "A100", .compute_major = 8}));
  testing::expect_refused(gpu::check_gpu({.name = "T4", .compute_major = 7, .compute_minor = 5}),
                          StatusCode::kUnsupported, "T4: expected compute capability 8.0");
  EXPECT_EQ(gpu::gpu_dtype(Precision::kInt8).status().code(), StatusCode::kUnsupported);
}

// Nobody can mistake another backend for our kernels: the matrix instructions of the emulated
// launches make up all convolutions of the network.
TEST(GpuCounters, CoverTheConvolutions) {
  if (testing::tested_device() == Device::kCuda) GTEST_SKIP() << "CUDA counts nothing";
  const auto model = testing::small_network();
  auto executor = create_executor(model, testing::tested_device(),
                                  {.height = 32, .width = 32, .launches = LaunchRecords::kKeep});
  ASSERT_OK(executor);
  ASSERT_OK((*executor)->run());
  int64_t tensor_flops = 0;
  const std::vector<LaunchRecord> launches = (*executor)->take_launches();
  for (const LaunchRecord& launch : launches) {
    ASSERT_TRUE(launch.counters.has_value());
    tensor_flops += launch.counters->tensor_flops;
  }
  const auto shapes = infer_shapes(model->spec.graph);
  ASSERT_OK(shapes);
  EXPECT_GE(static_cast<double>(tensor_flops), conv_flops(model->spec.graph, *shapes, 32, 32));
  int64_t planned = 0;
  for (const PlanStep& step : (*executor)->plan()) planned += step.launches;
  EXPECT_EQ(static_cast<int64_t>(launches.size()), planned);
  EXPECT_TRUE((*executor)->take_launches().empty());
}

TEST(GpuCounters, AreJson) {
  if (testing::tested_device() == Device::kCuda) GTEST_SKIP() << "CUDA counts nothing";
  const std::vector<std::byte> bytes = packed(*testing::tiny_model());
  auto detector = Detector::from_bytes(
      bytes, {.device = testing::tested_device(), .launches = LaunchRecords::kKeep});
  ASSERT_OK(detector);
  ASSERT_OK(detector->detect(picture(8, 8, 0, 1).view()));
  const auto text = detector->take_launches_json();
  ASSERT_OK(text);
  const auto json = nlohmann::json::parse(*text);
  ASSERT_GE(json["launches"].size(), 4u);
  for (const auto& launch : json["launches"]) {
    for (const char* key : {"kernel", "grid", "block", "shared_bytes", "tensor_flops", "sectors",
                            "bank_conflicts", "bytes_read", "bytes_written"}) {
      EXPECT_TRUE(launch.contains(key)) << key << " in " << launch;
    }
  }
  EXPECT_GT(json["launches"][0]["sectors"].get<int64_t>(), 0);
  EXPECT_EQ(detector->take_launches_json().value(), "{\"launches\":[]}\n");
}

}  // namespace
}  // namespace yolocu

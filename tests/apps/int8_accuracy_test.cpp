// What int8 costs in average precision, calibrated on pictures of other sets than the evaluation's.
// Int8 is simulated on the cpu device, and computed where the processor has the instructions.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "apps/inputs.h"
#include "engine/cpu/kernels/kernel_table.h"
#include "engine/preprocess/letterbox.h"
#include "engine/quantize/fake_quantizer.h"
#include "engine/quantize/quantizer.h"
#include "tests/apps/accuracy.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using testing::AccuracySetting;
using testing::Score;

constexpr double kAllowedLoss = 0.005;

// What `yolocu quantize` does with the pictures of all `inputs`.
Result<quantize::QuantizedModel> quantized(const std::shared_ptr<const Model>& model, int64_t size,
                                           const std::vector<std::string>& inputs) {
  std::vector<std::string> paths;
  for (const std::string& input : inputs) {
    YOLOCU_ASSIGN_OR_RETURN(const std::vector<std::string> found,
                            expand_input(testing::shared_dir() + "/" + input));
    paths.insert(paths.end(), found.begin(), found.end());
  }
  std::vector<uint8_t> scratch;
  const auto load = [&](int64_t index, std::span<float> input) -> Status {
    YOLOCU_ASSIGN_OR_RETURN(const Image picture, read_image(paths[static_cast<size_t>(index)]));
    return letterbox(input, size, size, 114, picture.view(), scratch);
  };
  return quantize::quantize_model(model, static_cast<int64_t>(paths.size()), load,
                                  {.error_pictures = 2, .height = size, .width = size});
}

struct Comparison {
  AccuracySetting setting;
  std::string checkpoint;
  std::vector<std::string> calibration;
  std::string instances, folder;
};

void expect_small_loss(const Comparison& c) {
  const std::string shared = testing::shared_dir() + "/";
  auto converted = convert_checkpoint(shared + c.checkpoint, {});
  ASSERT_OK(converted);
  const auto model = std::make_shared<const Model>(std::move(converted->model));
  const auto int8 = quantized(model, c.setting.size, c.calibration);
  ASSERT_OK(int8);
  EXPECT_GT(int8->report.int8_flops, 0.7 * int8->report.flops);
  const auto observer = quantize::FakeQuantizer::create(*int8->model);
  ASSERT_OK(observer);
  ExecutorOptions options = {.height = c.setting.size, .width = c.setting.size};
  const auto before = create_executor(model, Device::kCpu, options);
  options.observer = *observer;
  const auto after = create_executor(int8->model, Device::kCpu, options);
  ASSERT_OK(before);
  ASSERT_OK(after);
  const Score a = score_on_coco(**before, c.setting, shared + c.instances, shared + c.folder);
  const Score b = score_on_coco(**after, c.setting, shared + c.instances, shared + c.folder);
  EXPECT_GT(a.ap, 0.3);
  EXPECT_GE(b.ap, a.ap - kAllowedLoss);
  EXPECT_NE(a.ap, b.ap);  // something was rounded
  if (!cpu::kernel_table().has_dot) return;
  const auto kernels = create_executor(
      int8->model, Device::kCpu,
      {.height = c.setting.size, .width = c.setting.size, .precision = Precision::kInt8});
  ASSERT_OK(kernels);
  const Score d = score_on_coco(**kernels, c.setting, shared + c.instances, shared + c.folder);
  EXPECT_GE(d.ap, a.ap - kAllowedLoss);
  const auto bf16 = create_executor(
      model, Device::kCpu,
      {.height = c.setting.size, .width = c.setting.size, .precision = Precision::kBf16});
  ASSERT_OK(bf16);
  const Score e = score_on_coco(**bf16, c.setting, shared + c.instances, shared + c.folder);
  EXPECT_GE(e.ap, a.ap - kAllowedLoss / 2);
  std::printf("AP fp32 %.4f, bf16 %.4f, int8 %.4f, simulated %.4f\n", a.ap, e.ap, d.ap, b.ap);
}

TEST(Int8Accuracy, CocoYolov9) {
  YOLOCU_REQUIRE_SHARED("weights/yolov9t-coco-official.pt");
  YOLOCU_REQUIRE_SHARED("coco_val/instances.json");
  YOLOCU_REQUIRE_SHARED("robocup/images");
  expect_small_loss({.setting = {640, ScoreLayout::kClasses, 0.7},
                     .checkpoint = "weights/yolov9t-coco-official.pt",
                     .calibration = {"images", "robocup/images"},
                     .instances = "coco_val/instances.json",
                     .folder = "coco_val/images"});
}

TEST(Int8Accuracy, DemoModel) {
  YOLOCU_REQUIRE_SHARED("demo/val/instances.json");
  YOLOCU_REQUIRE_SHARED("codes_real/zxing");
  expect_small_loss({.setting = {416, ScoreLayout::kClasses, 0.7},
                     .checkpoint = "demo/codes-nano.pt",
                     .calibration = {"demo/sample*.jpg", "codes_real/*/*.jpg"},
                     .instances = "demo/val/instances.json",
                     .folder = "demo/val"});
}

}  // namespace
}  // namespace yolocu

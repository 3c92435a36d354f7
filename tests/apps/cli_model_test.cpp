// `info`, `run` and `convert` as their users meet them.
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/cli_fixture.h"
#include "tests/support/tiny_model.h"
#include "weights/format/packed_file.h"

namespace yolocu {
namespace {

using namespace testing;  // NOLINT: the fixture and its helpers

TEST_F(CliTest, InfoShowsTheEmbeddedModelAndFiles) {
  const ProgramResult embedded = run_yolocu({"info"});
  ASSERT_EQ(embedded.exit_code, 0) << embedded.err;
  for (const char* part : {"embedded model", "qr_code", "parameters", "GFLOPs at 640x640",
                           "checksum ok", "multiple of 32"}) {
    EXPECT_TRUE(contains(embedded.out, part)) << part << "\n" << embedded.out;
  }
  const ProgramResult layers = run_yolocu({"info", model_file(), "--layers", "--size", "320x640"});
  ASSERT_EQ(layers.exit_code, 0) << layers.err;
  EXPECT_TRUE(contains(layers.out, "320x640")) << layers.out;
  EXPECT_TRUE(contains(layers.out, "640x320x3")) << "height first in shapes\n" << layers.out;
  EXPECT_TRUE(contains(layers.out, "decode_dfl")) << layers.out;
  EXPECT_GT(line_count(layers.out), line_count(embedded.out) + 50);
}

TEST_F(CliTest, RunWritesPredictions) {
  const std::string x = tensor("x.npy", {2, 3, 64, 96}), model = model_file();
  std::vector<NpyArray> outputs;
  for (const char* device : {"auto", "reference"}) {
    const std::string y = file(std::string(device) + ".npy");
    const ProgramResult result =
        run_yolocu({"run", model, "--input", x, "--output", y, "--device", device});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(contains(result.out, "[2,126,10]")) << result.out;
    auto array = read_npy(y);
    ASSERT_OK(array);
    outputs.push_back(std::move(*array));
  }
  // Strides 8, 16 and 32: 8*12 + 4*6 + 2*3 anchors; 6 classes.
  EXPECT_EQ(outputs[0].shape, (std::vector<int64_t>{2, 126, 10}));
  EXPECT_TRUE(testing::all_close(outputs[0].values, outputs[1].values, 1e-2, 1e-4));
}

#if YOLOCU_HAS_EMULATION
TEST_F(CliTest, InfoListsThePlan) {
  const ProgramResult plan = run_yolocu({"info", "--plan"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  for (const char* part : {"launches", "arena", "letterbox_f16", "conv_igemm_f16", "nms_sorted",
                           "stored by the convolution", "computed with the sum", "view"}) {
    EXPECT_TRUE(contains(plan.out, part)) << part << "\n" << plan.out;
  }
  for (const char* part : {"resize_sum", "channel_copy"}) {
    EXPECT_FALSE(contains(plan.out, part)) << part << "\n" << plan.out;
  }
  const ProgramResult bf16 =
      run_yolocu({"info", "--plan", "--precision", "bf16", "--batch", "4", "--size", "64x96"});
  ASSERT_EQ(bf16.exit_code, 0) << bf16.err;
  EXPECT_TRUE(contains(bf16.out, "conv_igemm_bf16")) << bf16.out;
  expect_one_line_error({"info", "--plan", "--precision", "int8"}, 1, {"int8"});
}

// The matrix instructions of all launches make up the FLOPs that `info` tells.
TEST_F(CliTest, RunCountsWhatTheKernelsDo) {
  const std::string x = tensor("x.npy", {1, 3, 64, 64}), counters = file("counters.json");
  const ProgramResult run =
      run_yolocu({"run", model_file(), "--input", x, "--output", file("y.npy"), "--device",
                  "emulated", "--counters", counters});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  std::ifstream in(counters);
  const auto json = nlohmann::json::parse(in);
  double tensor_flops = 0;
  for (const auto& launch : json["launches"]) {
    tensor_flops += launch["tensor_flops"].get<double>();
    EXPECT_EQ(launch["grid"].size(), 3u);
    EXPECT_EQ(launch["block"].size(), 3u);
  }
  const auto model = open_packed_file(model_file());
  ASSERT_OK(model);
  const auto shapes = infer_shapes((*model)->spec.graph);
  ASSERT_OK(shapes);
  EXPECT_GE(tensor_flops, conv_flops((*model)->spec.graph, *shapes, 64, 64));
}

TEST_F(CliTest, RunAgreesInEveryPrecision) {
  const std::string x = tensor("x.npy", {2, 3, 32, 64}), model = model_file();
  const auto run = [&](const std::string& device, const std::string& precision) {
    const std::string y = file("y.npy");
    const ProgramResult result = run_yolocu(
        {"run", model, "--input", x, "--output", y, "--device", device, "--precision", precision});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    auto array = read_npy(y);
    EXPECT_TRUE(array.ok()) << array.status().message();
    return array.ok() ? array->values : std::vector<float>{};
  };
  const std::vector<float> expected = run("reference", "fp32");
  EXPECT_TRUE(testing::all_close(run("emulated", "fp32"), expected, 1e-2, 1e-4));
  EXPECT_TRUE(testing::all_close(run("emulated", "fp16"), expected, 1.0, 2e-2));
  EXPECT_TRUE(testing::all_close(run("emulated", "bf16"), expected, 8.0, 0.2));
  EXPECT_NE(run("emulated", "bf16"), run("emulated", "fp16"));
}
#endif

// YOLOv7's rows: cx cy w h, then objectness times class.
TEST_F(CliTest, RunMultipliesObjectnessIntoTheClasses) {
  const std::string model = file("anchors.yolocu");
  ASSERT_TRUE(write_packed_file(*testing::tiny_anchor_model(), model).ok());
  const std::string x = tensor("x.npy", {1, 3, 2, 4}), y = file("y.npy");
  const ProgramResult result = run_yolocu({"run", model, "--input", x, "--output", y});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto array = read_npy(y);
  ASSERT_OK(array);
  EXPECT_EQ(array->shape, (std::vector<int64_t>{1, 2, 6}));
  const std::vector<float> expected{1, 1, 4, 4, 0.25f, 0.5f, 3, 1, 4, 4, 0.25f, 0.5f};
  EXPECT_TRUE(testing::all_close(array->values, expected, 1e-6, 0));
}

TEST_F(CliTest, RunRefusesTensorsThatDoNotFit) {
  const std::string model = model_file();
  const auto expect_refused = [&](const std::vector<int64_t>& shape, const Words& parts) {
    const std::string x = tensor("x.npy", shape);
    Words expected = {x};
    expected.insert(expected.end(), parts.begin(), parts.end());
    expect_one_line_error({"run", model, "--input", x, "--output", file("y.npy")}, 1, expected);
  };
  expect_refused({3, 64, 64}, {"[B,3,H,W]", "[3,64,64]"});
  expect_refused({1, 64, 64, 3}, {"[B,3,H,W]", "[1,64,64,3]"});
  expect_refused({0, 3, 64, 64}, {"[0,3,64,64]"});
  expect_refused({1, 3, 64, 100}, {"96", "128"});
  EXPECT_FALSE(testing::file_exists(file("y.npy")));
}

TEST_F(CliTest, ConvertsCheckpointsAndOnlyThose) {
  YOLOCU_REQUIRE_SHARED("demo/codes-nano.pt");
  const std::string checkpoint = testing::shared_dir() + "/demo/codes-nano.pt";
  const std::string packed = file("codes.yolocu");
  const ProgramResult result = run_yolocu({"convert", checkpoint, "-o", packed});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(line_count(result.out), 1) << result.out;
  for (const char* part : {"6 classes", "F16", "parameters", "folded"}) {
    EXPECT_TRUE(contains(result.out, part)) << result.out;
  }
  const ProgramResult info = run_yolocu({"info", packed});
  EXPECT_TRUE(contains(info.out, "codes-nano.pt")) << info.out;

  ASSERT_EQ(run_yolocu({"convert", checkpoint, "-o", file("32.bin"), "--dtype", "fp32"}).exit_code,
            0);
  EXPECT_TRUE(contains(run_yolocu({"info", file("32.bin")}).out, "F32"));
  expect_one_line_error({"convert", packed, "-o", file("again.yolocu")}, 1, {packed, "packed"});
  std::filesystem::copy_file(checkpoint, file("copy.pt"));
  const auto before = testing::read_bytes(file("copy.pt"));
  expect_one_line_error({"convert", file("copy.pt"), "-o", file("copy.pt")}, 1,
                        {"replace the checkpoint"});
  EXPECT_EQ(testing::read_bytes(file("copy.pt")), before);
}

// The shipped YOLOv9-T has two branches; its fused GELAN-T has one.
TEST_F(CliTest, ConvertsTheBranchThatIsAskedFor) {
  const std::string folder = testing::data_dir() + "/golden/a/";
  const auto converted = [&](const char* branch) {
    return run_yolocu(
        {"convert", folder + "v9_yolov9-t/ckpt.pt", "-o", file("t.yolocu"), "--branch", branch});
  };
  const ProgramResult main = converted("main");
  EXPECT_TRUE(contains(main.out, "head DualDDetect (cv4, cv5)")) << main.out << main.err;
  const std::string info = run_yolocu({"info", file("t.yolocu")}).out;
  EXPECT_FALSE(contains(info, "auxiliary"));
  for (const char* part : {"dialect       yolov9\n", "batch norms folded", "RepConvs fused",
                           "DualDDetect (cv4, cv5)", "nodes that the predictions do not need"}) {
    EXPECT_TRUE(contains(info, part)) << part << "\n" << info;
  }
  EXPECT_FALSE(contains(run_yolocu({"info"}).out, "dialect")) << "an older file has no such notes";
  const ProgramResult aux = converted("aux");
  EXPECT_TRUE(contains(aux.out, "head DualDDetect (cv2, cv3)")) << aux.out << aux.err;
  EXPECT_TRUE(contains(run_yolocu({"info", file("t.yolocu")}).out, "auxiliary head"));
  expect_one_line_error(
      {"convert", folder + "v9_gelan-t_fused/ckpt.pt", "-o", file("no.yolocu"), "--branch", "aux"},
      1, {"DDetect", "no auxiliary branch"});
  EXPECT_FALSE(testing::file_exists(file("no.yolocu")));
}

}  // namespace
}  // namespace yolocu

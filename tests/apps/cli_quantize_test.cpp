// `yolocu quantize` as a process, and what other commands make of its files.
#include <nlohmann/json.hpp>

#include "tests/apps/cli_fixture.h"

namespace yolocu {
namespace {

using namespace testing;  // NOLINT: the fixture and its helpers

class QuantizeTest : public CliTest {
 protected:
  // Small and quick: errors are measured on one picture.
  Words command(const Words& more) const {
    Words words = {"quantize",          model_file(), "--images", sample(),         "-o",
                   file("int8.yolocu"), "--size",     "320",      "--error-images", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(QuantizeTest, WritesAModelThatEveryCommandTakes) {
  const ProgramResult result = run_yolocu(command({"--keep", "3", "--report", "-"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["pictures"], 1);
  EXPECT_EQ(report["calibration"], "mse");
  EXPECT_EQ(report["units"][2]["int8"], false);
  EXPECT_EQ(report["units"][3]["int8"], true);
  EXPECT_EQ(report["fixed_in_float"], nlohmann::json::array({"model.0"}));
  EXPECT_GT(report["int8_flops"], 0.7 * report["flops"].get<double>());
  EXPECT_LT(report["error"], report["error_all_int8"]);
  EXPECT_LT(report["error_all_int8"], 0.3);

  const std::string int8 = file("int8.yolocu");
  EXPECT_LT(std::filesystem::file_size(int8), std::filesystem::file_size(model_file()));
  const ProgramResult info = run_yolocu({"info", int8, "--layers"});
  const std::string layers = std::to_string(report["int8_convolutions"].get<int>());
  for (const std::string& part :
       {layers + " convolutions, ", std::string("weights F16, I8"),
        std::string("mse, 1 pictures at 320x320"), std::string("3x3 silu int8")}) {
    EXPECT_TRUE(contains(info.out, part)) << part << "\n" << info.out;
  }
  const ProgramResult detect = run_yolocu({"detect", "--model", int8, sample()});
  EXPECT_EQ(detect.exit_code, 0) << detect.err;
  EXPECT_TRUE(contains(detect.out, "qr_code")) << detect.out;
  const ProgramResult onnx = run_yolocu({"export-onnx", int8, "-o", file("x.onnx")});
  EXPECT_EQ(onnx.exit_code, 0) << onnx.err;
}

TEST_F(QuantizeTest, SaysWhatItDid) {
  const ProgramResult result =
      run_yolocu(command({"--keep", "1", "--report", file("report.json")}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* part :
       {"int8.yolocu: int8 in ", " convolutions, ", "mse calibration on 1 pictures",
        "error of the predictions: ", "sensitive", "model.0"}) {
    EXPECT_TRUE(contains(result.out, part)) << part << "\n" << result.out;
  }
  EXPECT_TRUE(file_exists(file("report.json")));
}

TEST_F(QuantizeTest, LeavesBadPicturesOut) {
  const std::string bad = text_file("bad.jpg", "no picture");
  const ProgramResult result =
      run_yolocu(command({"--images", bad, "--keep", "0", "--report", "-"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "bad.jpg")) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["pictures"], 1);
}

TEST_F(QuantizeTest, RefusesWithAWayOut) {
  const std::string model = model_file(), out = file("out.yolocu");
  const auto refused = [&](const Words& words, int code, const Words& parts) {
    expect_one_line_error(words, code, parts);
    EXPECT_FALSE(file_exists(out));
  };
  std::filesystem::create_directories(file("empty"));
  refused({"quantize", model, "--images", file("empty"), "-o", out}, 1, {"empty: no pictures"});
  refused({"quantize", model, "--images", file("absent"), "-o", out}, 1, {"No such file"});
  refused({"quantize", model, "-o", out}, 2, {"--images"});
  refused({"quantize", model, "--images", sample(), "-o", model}, 1, {"would replace the model"});
  refused({"quantize", file("no.pt"), "--images", sample(), "-o", out}, 1, {"no.pt"});
  refused({"quantize", model, "--images", sample(), "-o", out, "--keep", "-1"}, 2,
          {"--keep", "nor auto"});
  refused({"quantize", model, "--images", sample(), "-o", out, "--keep", "100000"}, 1,
          {"cannot keep 100000"});
  refused({"quantize", model, "--images", sample(), "-o", out, "--calibration", "x"}, 2,
          {"--calibration", "mse, percentile"});
  refused({"quantize", model, "--images", sample(), "-o", out, "--size", "33"}, 1, {"multiple of"});
  refused({"quantize", model, "--images", sample(), "-o", out, "--keep", "1", "--max-error", "0.1"},
          2, {"--max-error"});
}

TEST_F(QuantizeTest, RefusesAQuantizedModel) {
  ASSERT_EQ(run_yolocu(command({"--keep", "90"})).exit_code, 0);
  expect_one_line_error({"quantize", file("int8.yolocu"), "--images", sample(), "-o", file("o")}, 1,
                        {"int8.yolocu: the model is quantized already"});
}

}  // namespace
}  // namespace yolocu

// `yolocu export-onnx` as a process. What is in the file: tests/export.
#include "tests/apps/cli_fixture.h"

namespace yolocu {
namespace {

using namespace testing;  // NOLINT: the fixture and its helpers

TEST_F(CliTest, ExportOnnxWritesAFileAndSaysItsShapes) {
  const std::string out = file("model.onnx");
  const ProgramResult result =
      run_yolocu({"export-onnx", model_file(), "-o", out, "--batch", "2", "--size", "96x64"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"images [2, 3, 64, 96]", "predictions [2, 126, 10]", "opset 17"}) {
    EXPECT_TRUE(contains(result.out, part)) << part << "\n" << result.out;
  }
  const std::vector<std::byte> bytes = read_bytes(out);
  ASSERT_GT(bytes.size(), 1'000'000u);
  EXPECT_EQ(bytes[0], std::byte{0x08});  // ir_version
  EXPECT_EQ(bytes[1], std::byte{8});
}

TEST_F(CliTest, ExportOnnxRefusesByName) {
  const std::string model = model_file(), out = file("model.onnx");
  expect_one_line_error({"export-onnx", file("absent"), "-o", out}, 1, {"absent", "No such file"});
  expect_one_line_error({"export-onnx", model, "-o", out, "--size", "33"}, 1,
                        {"model.yolocu", "multiple of"});
  expect_one_line_error({"export-onnx", model, "-o", file("no/folder/x.onnx")}, 1, {"no/folder"});
  EXPECT_FALSE(std::filesystem::exists(out));
}

}  // namespace
}  // namespace yolocu

// The program as its users meet it: exit codes, streams, files; and `detect`.
#include <sys/stat.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/apps/cli_fixture.h"

namespace yolocu {
namespace {

using nlohmann::json;
using namespace testing;  // NOLINT: the fixture and its helpers

TEST_F(CliTest, HelpAndVersion) {
  const ProgramResult help = run_yolocu({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* command : {"detect", "convert", "info", "run", "bench", "export-onnx"}) {
    EXPECT_TRUE(contains(help.out, command)) << help.out;
    EXPECT_EQ(run_yolocu({command, "--help"}).exit_code, 0);
  }
  const ProgramResult detect = run_yolocu({"detect", "--help"});
  for (const char* option : {"--model", "--device", "--precision", "--conf", "--iou", "--max-det",
                             "--classes", "--size", "--json", "--out", "INPUT"}) {
    EXPECT_TRUE(contains(detect.out, option)) << option << "\n" << detect.out;
  }
  const ProgramResult version = run_yolocu({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out.rfind("yolocu ", 0), 0u) << version.out;
  EXPECT_TRUE(contains(version.out, "\nJPEG decoder: ")) << version.out;
}

// A device that the build lacks is refused by name, whatever the machine has.
TEST_F(CliTest, HelpListsTheDevicesOfTheBuild) {
  const std::string help = run_yolocu({"detect", "--help"}).out;
  const size_t begin = help.find("auto|");
  ASSERT_NE(begin, std::string::npos) << help;
  const std::string devices =
      "|" + help.substr(begin, help.find_first_of(" \n", begin) - begin) + "|";
  for (const char* device : {"cpu", "reference", "cuda", "emulated"}) {
    const ProgramResult result =
        run_yolocu({"detect", "--size", "32", "--device", device, grey_picture("grey.png")});
    EXPECT_EQ(contains(devices, "|" + std::string(device) + "|"),
              !contains(result.err, "this build") && !contains(result.err, "built without"))
        << devices << " " << device << result.err;
  }
}

TEST_F(CliTest, AloneItExplainsItself) {
  const ProgramResult result = run_yolocu({});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(contains(result.err, "detect")) << result.err;
}

TEST_F(CliTest, BadCommandLinesExitWithTwoAndAHint) {
  const std::vector<Words> commands = {
      {"frobnicate"},
      {"--frobnicate"},
      {"detect"},
      {"detect", "x.jpg", "--frobnicate"},
      {"detect", "x.jpg", "--conf"},
      {"detect", "x.jpg", "--conf", "1.5"},
      {"detect", "x.jpg", "--conf", "nan"},
      {"detect", "x.jpg", "--conf", "high"},
      {"detect", "x.jpg", "--iou", "-0.1"},
      {"detect", "x.jpg", "--max-det", "0"},
      {"detect", "x.jpg", "--threads", "-1"},
      {"detect", "x.jpg", "--size", "640x"},
      {"detect", "x.jpg", "--device", "gpu"},
      {"detect", "x.jpg", "--precision", "fp8"},
      {"detect", "x.jpg", "--model", ""},
      {"detect", "x.jpg", "--out", ""},
      {"detect", ""},
      {"convert"},
      {"convert", "x.pt"},
      {"convert", "-o", "y.yolocu"},
      {"convert", "x.pt", "-o", "y.yolocu", "--dtype", "int8"},
      {"convert", "x.pt", "-o", "y.yolocu", "--branch", "both"},
      {"convert", "x.pt", "-o", "y.yolocu", "--arch", ""},
      {"convert", "-o", "y.yolocu", "--arch", "gelan-t"},
      {"convert", "-o", "y.yolocu", "--synthetic", "1"},
      {"convert", "-o", "y.yolocu", "--arch", "gelan-t", "--synthetic", "-1"},
      {"convert", "x.pt", "-o", "y.yolocu", "--arch", "gelan-t", "--synthetic", "1"},
      {"info", "a", "b"},
      {"info", ""},
      {"info", "--size", "0"},
      {"run"},
      {"run", "model.yolocu", "--input", "x.npy"},
      {"export-onnx"},
      {"export-onnx", "model.yolocu"},
      {"export-onnx", "model.yolocu", "-o", ""},
      {"export-onnx", "model.yolocu", "-o", "x.onnx", "--batch", "0"},
  };
  for (const Words& command : commands) expect_one_line_error(command, 2, {"--help"});
}

TEST_F(CliTest, UsageErrorsNameTheValidValues) {
  expect_one_line_error({"detect", "x.jpg", "--device", "gpu"}, 2,
                        {"--device", "gpu", "cpu", "reference", "emulated"});
  expect_one_line_error({"detect", "x.jpg", "--classes", "qr_code,unicorn"}, 2,
                        {"--classes", "unicorn", "qr_code, data_matrix"});
}

TEST_F(CliTest, FailuresExitWithOneAndNameFileAndCause) {
  const std::string junk = text_file("junk.bin", "not a model, not a picture, not a tensor");
  const std::string absent = file("absent"), picture = grey_picture("grey.png");
  expect_one_line_error({"detect", "--json", file("o.json"), "--model", absent, picture}, 1,
                        {absent, "No such file"});
  expect_one_line_error({"detect", "--model", junk, picture}, 1, {junk});
  expect_one_line_error({"detect", "--out", junk, picture}, 1, {junk});
  expect_one_line_error({"info", absent}, 1, {absent, "No such file"});
  expect_one_line_error({"info", junk}, 1, {junk});
  expect_one_line_error({"convert", absent, "-o", file("o")}, 1, {absent, "No such file"});
  expect_one_line_error({"convert", junk, "-o", file("o")}, 1, {junk});
  expect_one_line_error({"run", junk, "--input", absent, "--output", file("o")}, 1, {junk});
  EXPECT_FALSE(testing::file_exists(file("o")));
  EXPECT_FALSE(testing::file_exists(file("o.json")));
}

TEST_F(CliTest, FileNamesCannotBreakTheLine) {
  expect_one_line_error({"info", file("two\nlines\x1B[31m")}, 1, {"two?lines?[31m"});
}

TEST_F(CliTest, ACheckpointAsModelIsToldToConvert) {
  const std::string zip = text_file("best.pt", std::string("PK\3\4", 4) + std::string(100, 'x'));
  const std::string command = "yolocu convert " + zip + " -o best.yolocu";
  expect_one_line_error({"detect", "--model", zip, grey_picture("a.png")}, 1, {zip, command});
  expect_one_line_error({"info", zip}, 1, {zip, command});
}

TEST_F(CliTest, ArchitectureWithSyntheticWeightsRuns) {
  const std::string model = file("random.yolocu");
  const ProgramResult made =
      run_yolocu({"convert", "--arch", "gelan-t", "--synthetic", "3", "-o", model});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(made.out.find("gelan-t, "), std::string::npos);
  EXPECT_NE(made.out.find("from yolov9 definition with synthetic weights"), std::string::npos);
  const ProgramResult ran =
      run_yolocu({"detect", "--model", model, "--size", "64", grey_picture("grey.png")});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  expect_one_line_error({"convert", "--arch", "gelan", "--synthetic", "3", "-o", model}, 1,
                        {"no architecture 'gelan'", "gelan-t, gelan-s"});
}

TEST_F(CliTest, SizesThatDoNotFitSayWhichDo) {
  const std::string picture = grey_picture("a.png");
  expect_one_line_error({"detect", "--size", "100", picture}, 1, {"96", "128"});
  expect_one_line_error({"info", "--size", "640x100"}, 1, {"96", "128"});
}

TEST_F(CliTest, JsonOnStdoutIsTheOnlyOutput) {
  const ProgramResult result = run_yolocu({"detect", "--json", "-", "--out", file("o"), sample()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const json document = json::parse(result.out);
  ASSERT_EQ(document.size(), 2u);
  EXPECT_EQ(document["failed"], json::array());
  ASSERT_EQ(document["images"].size(), 1u);
  const json& image = document["images"][0];
  EXPECT_EQ(image.size(), 4u);
  EXPECT_EQ(image["path"], sample());
  EXPECT_EQ(image["width"], 1280);
  EXPECT_EQ(image["height"], 960);
  ASSERT_GT(image["detections"].size(), 3u);
  double previous = 1;
  for (const json& d : image["detections"]) {
    EXPECT_EQ(d.size(), 4u);
    EXPECT_TRUE(d["class_id"].is_number_integer());
    EXPECT_TRUE(d["class_name"].is_string());
    EXPECT_LE(d["score"], previous);
    EXPECT_GT(d["score"], 0.25);
    previous = d["score"];
    EXPECT_LT(d["box"][0], d["box"][2]);
    EXPECT_LT(d["box"][1], d["box"][3]);
    EXPECT_GE(d["box"][0], 0);
    EXPECT_LE(d["box"][2], 1280);
  }
  EXPECT_EQ(run_yolocu({"detect", "--json", "-", sample()}).out, result.out) << "a second run";
}

TEST_F(CliTest, JsonIntoFilesAndDevices) {
  const std::string picture = grey_picture("grey.png"), target = file("found.json");
  const ProgramResult result = run_yolocu({"detect", "--size", "64", "--json", target, picture});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.out, "nothing found")) << result.out;
  const auto bytes = testing::read_bytes(target);
  const json document = json::parse(reinterpret_cast<const char*>(bytes.data()),
                                    reinterpret_cast<const char*>(bytes.data()) + bytes.size());
  EXPECT_EQ(document["images"][0]["detections"], json::array());

  EXPECT_EQ(run_yolocu({"detect", "--size", "64", "--json", "/dev/null", picture}).exit_code, 0);
  struct stat device = {};
  ASSERT_EQ(stat("/dev/null", &device), 0);
  EXPECT_TRUE(S_ISCHR(device.st_mode)) << "/dev/null was replaced";

  const ProgramResult folder =
      run_yolocu({"detect", "--size", "64", "--json", folder_.path(), picture});
  EXPECT_EQ(folder.exit_code, 1);
  EXPECT_TRUE(contains(folder.err, folder_.path())) << folder.err;
}

TEST_F(CliTest, AFullDiskBehindStdoutIsAFailure) {
  if (!testing::file_exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const ProgramResult result =
      run_yolocu({"detect", "--size", "64", "--json", "-", grey_picture("grey.png")}, "/dev/full");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "standard output")) << result.err;
}

TEST_F(CliTest, UnreadablePicturesAreReportedAndLeftOut) {
  grey_picture("in/1.png");
  grey_picture("in/3.jpg");
  const std::string bad = text_file("in/2.jpg", "\xFF\xD8 and no more");
  const ProgramResult result =
      run_yolocu({"detect", "--size", "64", "--json", "-", file("in"), file("absent.png")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(line_count(result.err), 2) << result.err;
  EXPECT_TRUE(contains(result.err, bad + ": ")) << result.err;
  EXPECT_TRUE(contains(result.err, "absent.png: No such file")) << result.err;
  const json document = json::parse(result.out);
  ASSERT_EQ(document["images"].size(), 2u);
  EXPECT_EQ(document["images"][0]["path"], file("in/1.png"));
  EXPECT_EQ(document["images"][1]["path"], file("in/3.jpg"));
  ASSERT_EQ(document["failed"].size(), 2u);
  // In the order in which they fail: arguments are looked up first.
  EXPECT_EQ(document["failed"][0]["path"], file("absent.png"));
  EXPECT_EQ(document["failed"][0]["reason"], "No such file or directory");
  EXPECT_EQ(document["failed"][1]["path"], bad);
  const std::string reason = document["failed"][1]["reason"];
  EXPECT_TRUE(reason.starts_with("not a picture this program can read")) << reason;
}

TEST_F(CliTest, FoldersWithoutPicturesFail) {
  std::filesystem::create_directory(file("empty"));
  const ProgramResult result = run_yolocu({"detect", file("empty")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, file("empty") + ": no pictures")) << result.err;
}

TEST_F(CliTest, AnnotatedCopiesGetNamesOfTheirOwn) {
  const Words inputs = {grey_picture("a/x.jpg"), grey_picture("b/x.jpg"), grey_picture("c/x.png"),
                        grey_picture("c/y.png")};
  Words words = {"detect", "--size", "64", "--out", file("new/out")};
  words.insert(words.end(), inputs.begin(), inputs.end());
  const ProgramResult result = run_yolocu(words);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* name : {"new/out/x.jpg", "new/out/x_2.jpg", "new/out/x.png", "new/out/y.png"}) {
    EXPECT_TRUE(contains(result.out, file(name))) << result.out;
    const auto image = read_image(file(name));
    ASSERT_OK(image);
    EXPECT_EQ(image->width, 64);
  }
}

TEST_F(CliTest, AnnotatingBesideTheInputsReplacesNone) {
  std::filesystem::copy_file(sample(), file("sample.jpg"));
  const auto before = testing::read_bytes(file("sample.jpg"));
  const ProgramResult result = run_yolocu({"detect", "--out", folder_.path(), file("sample.jpg")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(testing::read_bytes(file("sample.jpg")), before);
  const auto annotated = read_image(file("sample_2.jpg"));
  ASSERT_OK(annotated);
  const auto original = read_image(sample());
  ASSERT_OK(original);
  EXPECT_NE(annotated->pixels, original->pixels);
}

// A picture of 1280 x 960 for a network of 320 x 320: decoded at a quarter with libjpeg-turbo.
TEST_F(CliTest, ReducedJpegFindsTheSameInPixelsOfTheWholePicture) {
  const Words words = {"detect", "--json", "-", "--size", "320", "--conf", "0.5", sample()};
  Words reduced_words = words;
  reduced_words.insert(reduced_words.end(), {"--reduce-jpeg", "--out", file("out")});
  const ProgramResult whole = run_yolocu(words), reduced = run_yolocu(reduced_words);
  ASSERT_EQ(reduced.exit_code, 0) << reduced.err;
  const json a = json::parse(whole.out)["images"][0], b = json::parse(reduced.out)["images"][0];
  EXPECT_EQ(b["width"], 1280);
  EXPECT_EQ(b["height"], 960);
  ASSERT_GT(a["detections"].size(), 3u);
  size_t found = 0;
  for (const json& x : a["detections"]) {
    found += std::any_of(b["detections"].begin(), b["detections"].end(), [&](const json& y) {
      bool near = x["class_id"] == y["class_id"];
      for (size_t i = 0; i < 4; ++i) {
        near = near && std::abs(double{x["box"][i]} - double{y["box"][i]}) < 12;
      }
      return near;
    });
  }
  EXPECT_GE(found + 2, a["detections"].size()) << whole.out << reduced.out;
  const auto annotated = read_image(file("out/sample.jpg"));
  ASSERT_OK(annotated);
  EXPECT_EQ(annotated->width, 1280) << "copies are of the whole picture";
}

json detections(const Words& options) {
  Words words = {"detect", "--json", "-", sample()};
  words.insert(words.end(), options.begin(), options.end());
  const ProgramResult result = run_yolocu(words);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return json::parse(result.out)["images"][0]["detections"];
}

TEST_F(CliTest, OptionsOfDetectHaveTheirEffect) {
  const json all = detections({});
  json codes = json::array();
  for (const json& d : all) {
    if (d["class_name"] == "qr_code") codes.push_back(d);
  }
  ASSERT_GT(codes.size(), 0u);
  EXPECT_EQ(detections({"--classes", "qr_code"}), codes);
  EXPECT_EQ(detections({"--classes", "0"}), codes);
  EXPECT_EQ(detections({"--max-det", "2"}), json(std::vector<json>{all[0], all[1]}));
  EXPECT_EQ(detections({"--conf", "1"}), json::array());
  EXPECT_EQ(detections({"--threads", "1"}).size(), all.size());
  EXPECT_GE(detections({"--iou", "1", "--conf", "0.1"}).size(), all.size());
  EXPECT_NE(detections({"--size", "416x320"}), all);
  EXPECT_EQ(detections({"--model", model_file()}), all);
}

}  // namespace
}  // namespace yolocu

// `yolocu bench` as a process.
#include <nlohmann/json.hpp>

#include "tests/apps/cli_fixture.h"
#include "weights/format/packed_file.h"

namespace yolocu {
namespace {

using nlohmann::json;
using namespace testing;  // NOLINT: the fixture and its helpers

json bench(const Words& options, const std::string& size = "64") {
  Words words = {"bench", "--size", size, "--json", "-"};
  words.insert(words.end(), options.begin(), options.end());
  const ProgramResult result = run_yolocu(words);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return json::parse(result.out, nullptr, false);
}

void expect_times(const json& times, int64_t iterations) {
  EXPECT_EQ(times["iterations"], iterations);
  EXPECT_GT(times["min_ms"].get<double>(), 0);
  EXPECT_LE(times["min_ms"], times["median_ms"]);
  EXPECT_LE(times["median_ms"], times["p99_ms"]);
}

TEST_F(CliTest, BenchTellsWhatItMeasured) {
  const json result = bench({"--device", "reference", "--iterations", "3", "--threads", "1"});
  ASSERT_TRUE(result.is_object());
  expect_times(result, 3);
  EXPECT_EQ(result["device"], "reference");
  EXPECT_EQ(result["precision"], "fp32");
  EXPECT_EQ(result["batch"], 1);
  EXPECT_EQ(result["size"], "64x64");
  EXPECT_EQ(result["threads"], 1);
  EXPECT_EQ(result["model"], "embedded model");
  EXPECT_FALSE(result.contains("note"));
  expect_times(result["end_to_end"], 3);
  EXPECT_EQ(result["end_to_end"]["picture"], "1280x960");
  EXPECT_EQ(result["end_to_end"]["batch"], 1);
}

// FLOPs by the graph's own arithmetic, apart from the program's.
TEST_F(CliTest, BenchCountsTheFlopsOfTheWholeBatch) {
  const json result = bench({"--device", "reference", "--iterations", "1", "--batch", "2"});
  ASSERT_TRUE(result.is_object());
  const auto model = open_packed_bytes(embedded_model());
  ASSERT_TRUE(model.ok());
  const Graph& graph = (*model)->spec.graph;
  const auto shapes = infer_shapes(graph);
  ASSERT_TRUE(shapes.ok());
  double multiply_adds = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* conv = std::get_if<ConvOp>(&graph.nodes[i].op);
    if (conv == nullptr) continue;
    const auto input = static_cast<size_t>(graph.nodes[i].inputs[0]);
    const int64_t pixels = (*shapes)[i].extent.at(64) * (*shapes)[i].extent.at(64);
    multiply_adds += static_cast<double>(pixels * conv->out_channels * conv->kernel * conv->kernel *
                                         (*shapes)[input].channels / conv->groups);
  }
  const double expected = 2 * 2 * multiply_adds / (result["median_ms"].get<double>() * 1e6);
  EXPECT_NEAR(result["gflops"].get<double>(), expected, 1e-6 * expected);
  EXPECT_EQ(result["batch"], 2);
  EXPECT_TRUE(result["end_to_end"].is_null());
}

TEST_F(CliTest, BenchWithoutIterationsRunsAtLeastOnce) {
  const json slow = bench({"--device", "reference", "--batch", "2"}, "96x64");
  ASSERT_TRUE(slow.is_object());
  EXPECT_GE(slow["iterations"].get<int64_t>(), 1);
  EXPECT_EQ(slow["size"], "96x64");
}

TEST_F(CliTest, BenchOnTheEmulatedDeviceSaysSo) {
  const ProgramResult probe =
      run_yolocu({"bench", "--device", "emulated", "--size", "32", "--iterations", "2", "--json",
                  file("bench.json"), "--counters", file("counters.json")});
  if (contains(probe.err, "this build")) GTEST_SKIP() << probe.err;
  ASSERT_EQ(probe.exit_code, 0) << probe.err;
  EXPECT_TRUE(contains(probe.out, "says nothing of a GPU")) << probe.out;
  const auto text = [&](const std::string& name) {
    const std::vector<std::byte> bytes = read_bytes(file(name));
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const json result = json::parse(text("bench.json"));
  expect_times(result, 2);
  EXPECT_EQ(result["precision"], "fp16");
  EXPECT_TRUE(contains(result["note"].get<std::string>(), "nothing of a GPU"));
  const json launches = json::parse(text("counters.json"))["launches"];
  ASSERT_GT(launches.size(), 10u);
  EXPECT_TRUE(launches[0].contains("tensor_flops"));
}

TEST_F(CliTest, BenchPrintsTheSameForPeople) {
  const ProgramResult result =
      run_yolocu({"bench", "--device", "reference", "--size", "64", "--iterations", "1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"embedded model", "64x64", "batch 1", "fp32 on reference", "network",
                           "end to end", "GFLOP/s", "1280x960"}) {
    EXPECT_TRUE(contains(result.out, part)) << part << "\n" << result.out;
  }
}

// Decoding comes on top of what as many pixels in memory take.
TEST_F(CliTest, BenchReadsAndDecodesAPictureEveryTime) {
  const Words options = {"--device", "reference", "--iterations", "3"};
  const auto with_image = [&](const std::string& path) {
    Words words = options;
    words.insert(words.end(), {"--image", path});
    return bench(words, "32");
  };
  const json small = with_image(grey_picture("small.png"));
  ASSERT_TRUE(small.is_object());
  EXPECT_EQ(small["end_to_end"]["picture"], "64x48");
  EXPECT_EQ(small["end_to_end"]["image"], file("small.png"));
  expect_times(small["end_to_end"], 3);
  const json large = with_image(sample());
  ASSERT_TRUE(large.is_object());
  EXPECT_EQ(large["end_to_end"]["picture"], "1280x960");
  const json in_memory = bench(options, "32");
  EXPECT_GT(large["end_to_end"]["min_ms"], in_memory["end_to_end"]["min_ms"]);
}

TEST_F(CliTest, BenchOfTheNetworkOnly) {
  const Words words = {"--device", "reference", "--iterations", "2", "--network-only"};
  const json result = bench(words);
  ASSERT_TRUE(result.is_object());
  expect_times(result, 2);
  EXPECT_TRUE(result["end_to_end"].is_null());
}

TEST_F(CliTest, BenchRefusesWhatMakesNoSense) {
  for (const Words& words : std::vector<Words>{{"bench", "a", "b"},
                                               {"bench", ""},
                                               {"bench", "--batch", "0"},
                                               {"bench", "--iterations", "0"},
                                               {"bench", "--warmup", "-1"},
                                               {"bench", "--size", "x"},
                                               {"bench", "--json", ""},
                                               {"bench", "--image", ""},
                                               {"bench", "--image", "x", "--network-only"}}) {
    expect_one_line_error(words, 2, {"--help"});
  }
  expect_one_line_error({"bench", file("absent")}, 1, {"absent", "No such file"});
  expect_one_line_error({"bench", "--image", file("absent.jpg")}, 1,
                        {"yolocu: " + file("absent.jpg"), "No such file"});
  expect_one_line_error({"bench", "--size", "33", "--device", "reference"}, 1,
                        {"embedded model", "multiple of"});
  expect_one_line_error({"bench", "--device", "reference", "--precision", "fp16"}, 1, {"fp16"});
}

}  // namespace
}  // namespace yolocu

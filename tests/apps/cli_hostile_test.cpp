// `convert` as a process, given every hostile checkpoint.
#include "tests/apps/cli_fixture.h"
#include "tests/import/hostile/hostile_corpus.h"

namespace yolocu {
namespace {

using namespace testing;  // NOLINT: the fixture and its helpers

TEST_F(CliTest, ConvertRefusesHostileCheckpoints) {
  const std::string checkpoint = file("hostile.pt"), output = file("out.yolocu");
  for (const HostileFile& hostile : hostile_corpus()) {
    SCOPED_TRACE(hostile.name);
    write_bytes(checkpoint, hostile.make());
    Words words = {"convert", checkpoint, "-o", output};
    if (!hostile.architecture.empty()) {
      words.insert(words.end(), {"--arch", hostile.architecture});
    }
    expect_one_line_error(words, 1, {"yolocu: " + checkpoint + ": "});
    const auto left = std::filesystem::directory_iterator(folder_.path());
    EXPECT_EQ(std::distance(begin(left), end(left)), 1) << "an output was left behind";
  }
}

}  // namespace
}  // namespace yolocu

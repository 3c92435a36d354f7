// The corpus of hostile checkpoints: each is refused, for its own reason, in one line, at once.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <ctime>
#include <set>

#include "tests/import/hostile/hostile_corpus.h"
#include "tests/import/hostile/pickled_tree.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"

namespace yolocu {
namespace {

using testing::HostileFile;

// Sanitizers multiply memory, so that the bound says nothing there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kMostMemory = int64_t{1} << 40;
#else
constexpr int64_t kMostMemory = int64_t{200} << 20;
#endif

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void expect_one_line(const Status& status, const std::string& path) {
  const std::string& message = status.message();
  EXPECT_TRUE(message.starts_with(path + ": ")) << message;
  EXPECT_GT(message.size(), path.size() + 10) << message;
  EXPECT_LE(message.size(), 500u) << message;
  for (const char c : message) {
    if (c >= ' ' && c <= '~') continue;
    ADD_FAILURE() << "character " << static_cast<int>(c) << " in: " << message;
    return;
  }
}

void expect_refused(const HostileFile& file, HeadBranch branch) {
  const testing::TempDir folder;
  const std::string path = folder.file("hostile.pt");
  testing::write_bytes(path, file.make());
  const double begin = processor_seconds();
  const int64_t memory = peak_memory();
  const auto converted =
      convert_checkpoint(path, {.branch = branch, .architecture = file.architecture});
  EXPECT_LT(processor_seconds() - begin, 2.0);
  EXPECT_LT(peak_memory() - memory, kMostMemory);
  ASSERT_FALSE(converted.ok()) << "accepted";
  expect_one_line(converted.status(), path);
  if (branch == HeadBranch::kAuxiliary) return;  // which may be refused for having none
  EXPECT_NE(converted.status().message().find(file.cause), std::string::npos)
      << converted.status().message() << "\nexpected: " << file.cause;
}

class Hostile : public ::testing::TestWithParam<HostileFile> {};

TEST_P(Hostile, IsRefusedInOneLine) {
  expect_refused(GetParam(), HeadBranch::kMain);
  expect_refused(GetParam(), HeadBranch::kAuxiliary);
}

INSTANTIATE_TEST_SUITE_P(Corpus, Hostile, ::testing::ValuesIn(testing::hostile_corpus()),
                         [](const auto& test) { return test.param.name; });

TEST(HostileCorpus, IsLargeAndWithoutDoubles) {
  std::set<std::string> names;
  for (const HostileFile& file : testing::hostile_corpus()) names.insert(file.name);
  EXPECT_EQ(names.size(), testing::hostile_corpus().size());
  EXPECT_GE(names.size(), 200u);
}

// What the corpus is made from converts: its files are refused for what was done to them.
TEST(HostileCorpus, IsMadeFromSoundFiles) {
  const std::pair<std::string, std::vector<std::byte>> sound[] = {
      {"yolov9.pt", zip_file(testing::pickle_tree(testing::sound_yolov9()))},
      {"yolov7.pt", zip_file(testing::pickle_tree(testing::sound_yolov7()))},
      {"legacy.pt", legacy_file(testing::pickle_tree(testing::sound_yolov9()))},
      {"state_dict.pt", zip_file(testing::pickle_tensors(testing::sound_state_dict()))},
      {"state_dict_legacy.pt", legacy_file(testing::pickle_tensors(testing::sound_state_dict()))},
      {"gelan.safetensors", testing::safetensors_file(testing::sound_state_dict())}};
  const testing::TempDir folder;
  for (const auto& [name, bytes] : sound) {
    SCOPED_TRACE(name);
    testing::write_bytes(folder.file(name), bytes);
    EXPECT_OK(convert_checkpoint(folder.file(name), {}));
  }
}

}  // namespace
}  // namespace yolocu

// Real checkpoints whose pickle is damaged inside a container that is sound: every stage of the
// importer meets impossible modules, and answers with an error or a model, never with a crash.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/import/zip_builder.h"
#include "tests/support/golden_case.h"
#include "tests/support/test_support.h"
#include "weights/import/convert.h"
#include "weights/import/zip_archive.h"

namespace yolocu {
namespace {

using testing::GoldenCase;
using Members = std::vector<std::pair<std::string, std::string>>;

// YOLOCU_FUZZ_ROUNDS: damages a file this often (default 4; the full run used 60, with sanitizers).
int fuzz_rounds() {
  const char* rounds = std::getenv("YOLOCU_FUZZ_ROUNDS");
  return rounds == nullptr ? 4 : std::atoi(rounds);
}

Members members_of(const std::string& path) {
  const auto bytes = testing::read_bytes(path);
  const auto archive = ZipArchive::open(bytes);
  EXPECT_TRUE(archive.ok());
  Members members;
  for (const std::string& name : archive->names()) {
    const auto content = archive->read(name, int64_t{1} << 30);
    EXPECT_TRUE(content.ok());
    members.emplace_back(
        name, std::string(reinterpret_cast<const char*>(content->data()), content->size()));
  }
  return members;
}

std::string& pickle_of(Members& members) {
  for (auto& [name, content] : members) {
    if (name.ends_with("/data.pkl")) return content;
  }
  return members.front().second;
}

// One to three bytes that become something else; or small numbers, which hold sizes and indices.
void damage(std::string& pickle, std::mt19937_64& random) {
  const auto count = 1 + random() % 3;
  for (uint64_t i = 0; i < count; ++i) {
    char& byte = pickle[random() % pickle.size()];
    byte = random() % 2 == 0 ? static_cast<char>(random()) : static_cast<char>(random() % 8);
  }
}

class Damaged : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(Damaged, PicklesGiveErrorsOrModels) {
  const Members sound = members_of(GetParam().folder + "/ckpt.pt");
  const testing::TempDir folder;
  const std::string path = folder.file("damaged.pt");
  std::mt19937_64 random(std::hash<std::string>{}(GetParam().name));
  for (int round = 0; round < fuzz_rounds(); ++round) {
    Members members = sound;
    damage(pickle_of(members), random);
    testing::write_bytes(path, testing::build_zip(members));
    const HeadBranch branch = round % 2 == 0 ? HeadBranch::kMain : HeadBranch::kAuxiliary;
    const auto converted = convert_checkpoint(path, {.branch = branch});
    const std::string message = converted.status().message();
    EXPECT_TRUE(converted.ok() || message.starts_with(path)) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

std::vector<GoldenCase> reference_cases() {
  std::vector<GoldenCase> cases = testing::golden_cases();
  std::erase_if(cases, [](const auto& golden) { return golden.device != Device::kReference; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Official, Damaged, ::testing::ValuesIn(reference_cases()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace yolocu

// The tree keeps its rules, and the checkers find planted violations.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/structure/tree_check.h"
#include "tests/support/test_support.h"

namespace yolocu::testing {
namespace {

std::string listed(const Violations& violations) {
  std::string text;
  for (const std::string& line : violations) text += "  " + line + "\n";
  return text;
}

TEST(SourceTree, IncludesFollowTheDirectionOfDependencies) {
  const Violations found = check_includes(source_dir());
  EXPECT_TRUE(found.empty()) << listed(found);
}

TEST(SourceTree, PathsInDocumentsExist) {
  const Violations found = check_documents(source_dir());
  EXPECT_TRUE(found.empty()) << listed(found);
}

TEST(SourceTree, FilesAreShort) {
  const Violations found = check_lengths(source_dir());
  EXPECT_TRUE(found.empty()) << listed(found);
}

TEST(SourceTree, NamesNoPathsOfMachines) {
  const Violations found = check_machine_paths(source_dir());
  EXPECT_TRUE(found.empty()) << listed(found);
}

// A small tree on disk. Its contents are built from pieces so that the checks of the real tree do
// not see them as lines of this file.
class PlantedTree : public ::testing::Test {
 protected:
  void plant(const std::string& path, const std::string& text) {
    const std::filesystem::path full = std::filesystem::path(root_.path()) / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  void plant_include(const std::string& path, const std::string& target) {
    plant(path, "#include \"" + target + "\"\n");
  }
  const std::string& root() const { return root_.path(); }

 private:
  TempDir root_;
};

TEST_F(PlantedTree, AllowedIncludesPass) {
  for (const char* path : {"engine/base/dtype.h", "engine/include/yolocu/status.h",
                           "weights/format/model.h", "weights/import/convert.h", "kernels/launch.h",
                           "engine/executor.h", "apps/npy.h", "apps/draw.h", "bench/x.h"}) {
    plant(path, "#include <vector>\n");
  }
  plant_include("weights/format/a.cpp", "yolocu/status.h");
  plant_include("weights/import/a.cpp", "weights/format/model.h");
  plant_include("kernels/a.cu", "yolocu/status.h");
  plant_include("engine/a.cpp", "kernels/launch.h");
  plant_include("apps/a.cpp", "weights/import/convert.h");
  plant_include("apps/b.cpp", "npy.h");
  plant_include("bench/a.cpp", "apps/npy.h");
  plant_include("tests/engine/a.cpp", "apps/npy.h");
  plant_include("tests/apps/a.cpp", "apps/draw.h");
  plant_include("tests/bench/a.cpp", "bench/x.h");
  EXPECT_EQ(listed(check_includes(root())), "");
}

struct Forbidden {
  const char* includer;
  const char* target;
};

TEST_F(PlantedTree, EveryUpwardIncludeIsFound) {
  const Forbidden cases[] = {
      {"engine/base/a.h", "weights/format/model.h"},
      {"engine/base/b.h", "engine/executor.h"},
      {"engine/base/c.h", "yolocu/detector.h"},
      {"weights/format/a.cpp", "engine/executor.h"},
      {"weights/format/b.cpp", "weights/import/convert.h"},
      {"weights/import/a.cpp", "engine/executor.h"},
      {"weights/import/b.cpp", "kernels/launch.h"},
      {"kernels/a.cu", "engine/executor.h"},
      {"kernels/b.cu", "weights/format/model.h"},
      {"engine/a.cpp", "weights/import/convert.h"},
      {"engine/b.cpp", "apps/npy.h"},
      {"apps/a.cpp", "kernels/launch.h"},
      {"apps/b.cpp", "tests/support/x.h"},
      {"engine/c.cpp", "bench/x.h"},
      {"bench/a.cpp", "apps/draw.h"},
      {"tests/engine/a.cpp", "apps/draw.h"},
      {"tests/engine/b.cpp", "bench/x.h"},
  };
  for (const char* path : {"engine/executor.h", "engine/include/yolocu/detector.h",
                           "weights/format/model.h", "weights/import/convert.h", "kernels/launch.h",
                           "apps/npy.h", "apps/draw.h", "tests/support/x.h", "bench/x.h"}) {
    plant(path, "#pragma once\n");
  }
  for (const Forbidden& forbidden : cases) plant_include(forbidden.includer, forbidden.target);
  const Violations found = check_includes(root());
  EXPECT_EQ(found.size(), std::size(cases)) << listed(found);
  for (const Forbidden& forbidden : cases) {
    EXPECT_NE(listed(found).find(std::string(forbidden.includer) + ":1: "), std::string::npos)
        << forbidden.includer << " including " << forbidden.target << " was not found";
  }
}

TEST_F(PlantedTree, UnknownQuotedFilesAndDeviceHeadersAreFound) {
  plant_include("engine/a.cpp", "engine/gone.h");
  plant("weights/format/a.cpp", "#  include <cuda_runtime.h>\n");
  plant("kernels/a.cu", "#include <cuda_runtime.h>\n");
  EXPECT_EQ(check_includes(root()),
            (Violations{"engine/a.cpp:1: \"engine/gone.h\" is no file of the tree",
                        "weights/format/a.cpp:1: format must not include <cuda_runtime.h>"}));
}

TEST_F(PlantedTree, PathsThatDoNotExistAreFound) {
  plant("engine/executor.h", "\n");
  plant("engine/README.md",
        "`executor.h` `engine/executor.h` [link](executor.h#top) [site](https://a.b/c.md)\n"
        "`gone.h` and [gone](../gone/README.md)\n"
        "`engine/cpu/` `build/x/y.txt` `a/b` `<name>.cpp` `X=1 engine/no`\n"
        "```\n`engine/in_a_block.h`\n```\n");
  EXPECT_EQ(check_documents(root()),
            (Violations{"engine/README.md:2: names gone.h, which does not exist",
                        "engine/README.md:2: names ../gone/README.md, which does not exist",
                        "engine/README.md:3: names engine/cpu/, which does not exist"}));
}

TEST_F(PlantedTree, LongFilesAreFound) {
  std::string lines;
  for (int i = 0; i < 400; ++i) lines += "\n";
  plant("apps/a.cpp", lines);
  plant("apps/README.md", lines + lines);
  EXPECT_EQ(listed(check_lengths(root())), "");
  plant("quickstart", lines + "\n");
  EXPECT_EQ(check_lengths(root()),
            (Violations{"quickstart: has 401 lines, at most 400 are allowed"}));
}

TEST_F(PlantedTree, PathsOfMachinesAreFound) {
  const std::string place = std::string("/ro") + "ot/x", temporary = std::string("/tm") + "p/x";
  plant("apps/a.cpp", "// see " + place + "\n\"$build" + place + "\" ${build}" + place + "\n");
  plant("tests/a.cpp", "\"" + temporary + "\"\n");
  plant("README.md", "`" + temporary + "`\n");
  const Violations found = check_machine_paths(root());
  ASSERT_EQ(found.size(), 2u) << listed(found);
  EXPECT_TRUE(found[0].starts_with("README.md:1: ")) << found[0];
  EXPECT_TRUE(found[1].starts_with("apps/a.cpp:1: ")) << found[1];
}

}  // namespace
}  // namespace yolocu::testing

#include "apps/inputs.h"

#include <filesystem>

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::TempDir;
using Paths = std::vector<std::string>;

class InputsTest : public ::testing::Test {
 protected:
  void touch(const std::string& name) {
    std::filesystem::create_directories(std::filesystem::path(folder_.file(name)).parent_path());
    testing::write_bytes(folder_.file(name), {});
  }

  // Paths below the temporary folder, relative to it.
  Paths expand(const std::string& argument) {
    const auto paths = expand_input(folder_.file(argument));
    EXPECT_TRUE(paths.ok()) << testing::message_of(paths);
    Paths names;
    for (const std::string& path : paths.ok() ? *paths : Paths{}) {
      names.push_back(path.substr(folder_.path().size() + 1));
    }
    return names;
  }

  TempDir folder_;
};

TEST_F(InputsTest, AFileIsItselfWhateverItsName) {
  touch("notes.txt");
  touch("photo[1]*.jpg");
  EXPECT_EQ(expand("notes.txt"), Paths{"notes.txt"});
  EXPECT_EQ(expand("photo[1]*.jpg"), Paths{"photo[1]*.jpg"});
}

TEST_F(InputsTest, AFolderGivesItsPicturesSorted) {
  for (const char* name : {"d/b.PNG", "d/a.jpg", "d/c.jpeg", "d/e.bmp", "d/f.gif", "d/notes.txt",
                           "d/jpg", "d/sub/x.jpg"}) {
    touch(name);
  }
  std::filesystem::create_directory(folder_.file("d/folder.jpg"));
  const Paths expected = {"d/a.jpg", "d/b.PNG", "d/c.jpeg", "d/e.bmp", "d/f.gif"};
  EXPECT_EQ(expand("d"), expected);
}

TEST_F(InputsTest, AGlobGivesTheFilesItMatches) {
  for (const char* name : {"p/1.jpg", "p/2.jpg", "p/3.png", "q/1.jpg"}) touch(name);
  std::filesystem::create_directory(folder_.file("p/4.jpg"));
  EXPECT_EQ(expand("p/*.jpg"), (Paths{"p/1.jpg", "p/2.jpg"}));
  EXPECT_EQ(expand("[pq]/1.jpg"), (Paths{"p/1.jpg", "q/1.jpg"}));
  EXPECT_EQ(expand("p/?.png"), Paths{"p/3.png"});
}

TEST_F(InputsTest, NothingThereIsAnErrorThatNamesTheArgument) {
  touch("empty/notes.txt");
  for (const char* argument : {"absent.jpg", "absent/", "*.jpg", "empty"}) {
    const std::string path = folder_.file(argument);
    const auto paths = expand_input(path);
    ASSERT_FALSE(paths.ok()) << argument;
    EXPECT_EQ(paths.status().code(), StatusCode::kNotFound);
    EXPECT_EQ(paths.status().message().rfind(path + ": ", 0), 0u) << paths.status().message();
  }
}

TEST_F(InputsTest, OutputNamesKeepPngAndTurnTheRestIntoJpeg) {
  OutputNames names(folder_.file("out"), {});
  EXPECT_EQ(names.next("a/one.png"), folder_.file("out/one.png"));
  EXPECT_EQ(names.next("a/two.PNG"), folder_.file("out/two.PNG"));
  EXPECT_EQ(names.next("a/three.jpeg"), folder_.file("out/three.jpg"));
  EXPECT_EQ(names.next("four.tar.gif"), folder_.file("out/four.tar.jpg"));
  EXPECT_EQ(names.next("five"), folder_.file("out/five.jpg"));
}

TEST_F(InputsTest, OutputNamesNeverRepeat) {
  OutputNames names(folder_.file("out"), {});
  EXPECT_EQ(names.next("a/x.jpg"), folder_.file("out/x.jpg"));
  EXPECT_EQ(names.next("b/x.jpg"), folder_.file("out/x_2.jpg"));
  EXPECT_EQ(names.next("b/x_2.bmp"), folder_.file("out/x_2_2.jpg"));
  EXPECT_EQ(names.next("c/x.bmp"), folder_.file("out/x_3.jpg"));
  EXPECT_EQ(names.next("c/x.png"), folder_.file("out/x.png"));
}

TEST_F(InputsTest, OutputNamesNeverReplaceAnInput) {
  touch("x.jpg");
  touch("y.png");
  const Paths inputs = {folder_.file("y.bmp"), folder_.file("sub/../x.jpg"), folder_.file("y.png")};
  OutputNames names(folder_.path(), inputs);
  EXPECT_EQ(names.next(inputs[0]), folder_.file("y.jpg"));
  EXPECT_EQ(names.next(inputs[1]), folder_.file("x_2.jpg"));
  EXPECT_EQ(names.next(inputs[2]), folder_.file("y_2.png"));
}

}  // namespace
}  // namespace yolocu

// Reading and writing of files of every kind; nothing half-written is left behind.
#include "weights/format/file_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <string_view>

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::TempDir;

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string content(const std::string& path) {
  return text_of(testing::read_bytes(path));
}

size_t files_in(const TempDir& folder) {
  const std::filesystem::directory_iterator files(folder.path());
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

mode_t mode_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

TEST(MapFile, ReadsRegularFilesOfAnySize) {
  const TempDir folder;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{4097}, size_t{1} << 20}) {
    const std::string text(size, 'x');
    testing::write_bytes(folder.file("f"), as_bytes(text));
    const auto file = map_file(folder.file("f"));
    ASSERT_OK(file);
    EXPECT_EQ(text_of(file->bytes()), text);
  }
}

TEST(MapFile, BytesLiveAsLongAsAnyCopy) {
  const TempDir folder;
  testing::write_bytes(folder.file("f"), as_bytes("hello"));
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
  {
    const auto file = map_file(folder.file("f"));
    ASSERT_OK(file);
    owner = file->owner();
    bytes = file->bytes();
  }
  std::filesystem::remove(folder.file("f"));
  EXPECT_EQ(text_of(bytes), "hello");
}

TEST(MapFile, ReadsAPipeToItsEnd) {
  const TempDir folder;
  const std::string path = folder.file("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const std::string text(3'000'001, 'p');
  auto writer = std::async(std::launch::async, [&] { return write_file(path, as_bytes(text)); });
  const auto file = map_file(path);
  ASSERT_OK(writer.get());
  ASSERT_OK(file);
  EXPECT_EQ(text_of(file->bytes()), text);
}

TEST(MapFile, ReadsFilesThatClaimToBeEmpty) {
  const auto file = map_file("/proc/self/status");
  ASSERT_OK(file);
  EXPECT_GT(file->bytes().size(), 0u);
}

TEST(MapFile, ErrorsNameThePath) {
  const TempDir folder;
  EXPECT_EQ(map_file(folder.file("none")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(map_file(folder.file("none")).status().message(),
            folder.file("none") + ": No such file or directory");
  EXPECT_EQ(map_file(folder.path()).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(map_file(folder.path()).status().message(), folder.path() + ": Is a directory");
  EXPECT_EQ(map_file("").status().code(), StatusCode::kNotFound);
}

TEST(WriteFile, CreatesAndReplaces) {
  const TempDir folder;
  ASSERT_OK(write_file(folder.file("f"), as_bytes("first, longer")));
  EXPECT_EQ(content(folder.file("f")), "first, longer");
  ASSERT_OK(write_file(folder.file("f"), as_bytes("second")));
  EXPECT_EQ(content(folder.file("f")), "second");
  ASSERT_OK(write_file(folder.file("f"), {}));
  EXPECT_EQ(content(folder.file("f")), "");
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(WriteFile, PiecesFollowEachOther) {
  const testing::TempDir folder;
  const std::span<const std::byte> pieces[] = {as_bytes("one, "), {}, as_bytes("two"), {}};
  ASSERT_OK(write_pieces(folder.file("f"), pieces));
  const auto bytes = testing::read_bytes(folder.file("f"));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "one, two");
  ASSERT_OK(write_pieces(folder.file("g"), {}));
  EXPECT_TRUE(testing::read_bytes(folder.file("g")).empty());
}

TEST(WriteFile, AReaderOfTheOldFileKeepsIt) {
  const TempDir folder;
  ASSERT_OK(write_file(folder.file("f"), as_bytes("old")));
  const auto old = map_file(folder.file("f"));
  ASSERT_OK(old);
  ASSERT_OK(write_file(folder.file("f"), as_bytes("new")));
  EXPECT_EQ(text_of(old->bytes()), "old");
}

TEST(WriteFile, PermissionsFollowTheUmaskOrTheReplacedFile) {
  const TempDir folder;
  const mode_t before = ::umask(027);
  ASSERT_OK(write_file(folder.file("f"), as_bytes("x")));
  EXPECT_EQ(mode_of(folder.file("f")), mode_t{0640});
  ::chmod(folder.file("f").c_str(), 0666);
  ASSERT_OK(write_file(folder.file("f"), as_bytes("y")));
  EXPECT_EQ(mode_of(folder.file("f")), mode_t{0666});
  ::umask(before);
}

TEST(WriteFile, WriteProtectionHolds) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everything";
  const TempDir folder;
  ASSERT_OK(write_file(folder.file("f"), as_bytes("keep")));
  ::chmod(folder.file("f").c_str(), 0444);
  EXPECT_EQ(write_file(folder.file("f"), as_bytes("lose")).message(),
            folder.file("f") + ": Permission denied");
  EXPECT_EQ(content(folder.file("f")), "keep");
}

TEST(WriteFile, WorksInTheCurrentFolderAndWithLongNames) {
  const TempDir folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const Status bare = write_file("bare", as_bytes("x"));
  const Status longest = write_file(std::string(255, 'n'), as_bytes("x"));
  std::filesystem::current_path(before);
  ASSERT_OK(bare);
  ASSERT_OK(longest);
  EXPECT_EQ(files_in(folder), 2u);
}

TEST(WriteFile, DevicesAreWrittenAndStayDevices) {
  ASSERT_OK(write_file("/dev/null", as_bytes("gone")));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  const Status full = write_file("/dev/full", as_bytes("no room"));
  EXPECT_EQ(full.code(), StatusCode::kUnavailable);
  EXPECT_EQ(full.message(), "/dev/full: No space left on device");
}

TEST(WriteFile, PipesAreWrittenAndStayPipes) {
  const TempDir folder;
  const std::string path = folder.file("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  auto reader = std::async(std::launch::async, [&] { return content(path); });
  ASSERT_OK(write_file(path, as_bytes("through")));
  EXPECT_EQ(reader.get(), "through");
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(WriteFile, SymbolicLinksAreFollowedAndStay) {
  const TempDir folder;
  std::filesystem::create_directory(folder.file("sub"));
  std::filesystem::create_symlink("sub/target", folder.file("relative"));
  std::filesystem::create_symlink(folder.file("relative"), folder.file("chain"));
  for (const char* text : {"created through a dangling link", "replaced"}) {
    ASSERT_OK(write_file(folder.file("chain"), as_bytes(text)));
    EXPECT_EQ(content(folder.file("sub/target")), text);
    EXPECT_TRUE(std::filesystem::is_symlink(folder.file("chain")));
    EXPECT_TRUE(std::filesystem::is_symlink(folder.file("relative")));
    EXPECT_FALSE(std::filesystem::is_symlink(folder.file("sub/target")));
  }
  EXPECT_EQ(files_in(folder), 3u);
}

TEST(WriteFile, ALoopOfLinksIsAnError) {
  const TempDir folder;
  std::filesystem::create_symlink("b", folder.file("a"));
  std::filesystem::create_symlink("a", folder.file("b"));
  const Status status = write_file(folder.file("a"), as_bytes("x"));
  EXPECT_EQ(status.message(), folder.file("a") + ": Too many levels of symbolic links");
}

TEST(WriteFile, ErrorsNameThePath) {
  const TempDir folder;
  const std::string missing = folder.file("none/f");
  EXPECT_EQ(write_file(missing, as_bytes("x")).code(), StatusCode::kNotFound);
  EXPECT_EQ(write_file(missing, as_bytes("x")).message(), missing + ": No such file or directory");
  EXPECT_EQ(write_file(folder.path(), as_bytes("x")).message(), folder.path() + ": Is a directory");
  EXPECT_FALSE(write_file("", as_bytes("x")).ok());
  EXPECT_FALSE(write_file(folder.file("f/"), as_bytes("x")).ok());
  testing::write_bytes(folder.file("file"), as_bytes("x"));
  EXPECT_EQ(write_file(folder.file("file/f"), as_bytes("x")).code(), StatusCode::kNotFound);
  EXPECT_EQ(files_in(folder), 1u);
}

TEST(WriteFile, AFailedWriteLeavesTheOldFileAndNothingElse) {
  const TempDir folder;
  ASSERT_OK(write_file(folder.file("f"), as_bytes("old")));
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);  // write then fails with EFBIG
  struct rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = write_file(folder.file("f"), as_bytes(std::string(2000, 'x')));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), folder.file("f") + ": File too large");
  EXPECT_EQ(content(folder.file("f")), "old");
  EXPECT_EQ(files_in(folder), 1u);
}

}  // namespace
}  // namespace yolocu

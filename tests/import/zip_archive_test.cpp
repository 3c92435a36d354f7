#include "weights/import/zip_archive.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "tests/import/zip_builder.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using testing::build_zip;
using testing::message_of;
using testing::replace_bytes;
using testing::ZipMethod;

constexpr int64_t kNoLimit = int64_t{1} << 40;

std::string read_text(const ZipArchive& archive, const std::string& name) {
  const auto bytes = archive.read(name, kNoLimit);
  EXPECT_TRUE(bytes.ok()) << message_of(bytes);
  if (!bytes.ok()) return {};
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

TEST(ZipArchive, ReadsStoredMembers) {
  const auto bytes =
      build_zip({{"b/data.pkl", "pickle"}, {"a", std::string("\0\xFF\n", 3)}, {"empty", ""}});
  const auto archive = ZipArchive::open(bytes);
  ASSERT_OK(archive);
  EXPECT_EQ(archive->names(), (std::vector<std::string>{"b/data.pkl", "a", "empty"}));
  EXPECT_EQ(read_text(*archive, "b/data.pkl"), "pickle");
  EXPECT_EQ(read_text(*archive, "a"), std::string("\0\xFF\n", 3));
  EXPECT_EQ(read_text(*archive, "empty"), "");
  EXPECT_EQ(archive->size_bytes("a"), 3);
  EXPECT_EQ(archive->size_bytes("A"), std::nullopt);
  EXPECT_TRUE(archive->contains("empty"));
  EXPECT_FALSE(archive->contains("data.pkl"));
  EXPECT_EQ(archive->read("data.pkl", kNoLimit).status().code(), StatusCode::kNotFound);
}

TEST(ZipArchive, ReadsDeflatedMembers) {
  const std::string content(100'000, 'x');
  const auto bytes = build_zip({{"x", content}}, ZipMethod::kDeflated);
  ASSERT_LT(bytes.size(), 2000u);
  const auto archive = ZipArchive::open(bytes);
  ASSERT_OK(archive);
  EXPECT_EQ(read_text(*archive, "x"), content);
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Stored members are seen where they lie, others are decompressed into memory of their own.
TEST(ZipArchive, ViewsStoredMembersInPlace) {
  const std::vector<std::pair<std::string, std::string>> members = {
      {"first", "pickle"}, {"second", std::string(5000, 's')}, {"empty", ""}};
  for (const ZipMethod method : {ZipMethod::kStored, ZipMethod::kDeflated}) {
    const auto bytes = build_zip(members, method);
    const auto archive = ZipArchive::open(bytes);
    ASSERT_OK(archive);
    for (const auto& [name, content] : members) {
      const auto view = archive->view(name, kNoLimit);
      ASSERT_OK(view);
      EXPECT_EQ(text_of(view->bytes), content);
      if (content.empty() || method == ZipMethod::kDeflated) {
        EXPECT_NE(view->owner, nullptr);
      } else {
        EXPECT_EQ(view->owner, nullptr);
        EXPECT_GE(view->bytes.data(), bytes.data());
        EXPECT_LE(view->bytes.data() + view->bytes.size(), bytes.data() + bytes.size());
      }
    }
    EXPECT_EQ(archive->view("second", 4999).status().code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(archive->view("third", kNoLimit).status().code(), StatusCode::kNotFound);
  }
}

TEST(ZipArchive, ViewsAreChecked) {
  auto bytes = build_zip({{"a", "healthy content"}});
  replace_bytes(&bytes, "healthy", "damaged");
  const auto archive = ZipArchive::open(bytes);
  ASSERT_OK(archive);
  EXPECT_EQ(archive->view("a", kNoLimit).status().code(), StatusCode::kCorrupt);
}

// Names are keys and never paths; those that would harm as paths are refused all the same.
TEST(ZipArchive, RefusesNamesThatWouldBeDangerousPaths) {
  for (const char* name : {"../../etc/passwd", "a/../b", "/absolute", "c:x", "a\\b", "a\nb"}) {
    const auto bytes = build_zip({{name, "root"}});
    const Status status = ZipArchive::open(bytes).status();
    EXPECT_EQ(status.code(), StatusCode::kCorrupt) << name;
    EXPECT_NE(status.message().find("is no plain name"), std::string::npos) << status.message();
  }
  for (const char* name : {"best/data/0", "..best/data..pkl", "a/..b"}) {
    const auto bytes = build_zip({{name, "root"}});
    EXPECT_OK(ZipArchive::open(bytes));
  }
}

TEST(ZipArchive, RefusesMembersOverTheLimit) {
  const auto bytes = build_zip({{"zeros", std::string(1 << 20, '\0')}}, ZipMethod::kDeflated);
  const auto archive = ZipArchive::open(bytes);
  ASSERT_OK(archive);
  const Status status = archive->read("zeros", (1 << 20) - 1).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("'zeros' has 1048576 bytes"), std::string::npos)
      << status.message();
  EXPECT_TRUE(archive->read("zeros", 1 << 20).ok());
}

// A bomb that lies: the directory claims 2 GB for a member whose few bytes cannot hold it.
TEST(ZipArchive, RefusesSizesTheArchiveCannotHold) {
  for (const ZipMethod method : {ZipMethod::kStored, ZipMethod::kDeflated}) {
    auto bytes = build_zip({{"bomb", std::string(300, 'z')}}, method);
    replace_bytes(&bytes, std::string("\x2c\x01\0\0\4\0", 6), std::string("\0\0\0\x7f\4\0", 6));
    const auto archive = ZipArchive::open(bytes);
    ASSERT_FALSE(archive.ok());
    EXPECT_EQ(archive.status().code(), StatusCode::kCorrupt);
    EXPECT_NE(archive.status().message().find("'bomb' claims 2130706432"), std::string::npos)
        << archive.status().message();
  }
}

TEST(ZipArchive, RefusesDuplicateNames) {
  auto bytes = build_zip({{"data/0", "first"}, {"data/1", "other"}});
  replace_bytes(&bytes, "data/1", "data/0");
  const auto archive = ZipArchive::open(bytes);
  ASSERT_FALSE(archive.ok());
  EXPECT_EQ(archive.status().code(), StatusCode::kCorrupt);
  EXPECT_NE(archive.status().message().find("'data/0' twice"), std::string::npos);
}

TEST(ZipArchive, RefusesEncryptedMembers) {
  auto bytes = build_zip({{"secret", "content"}});
  // Bit 0 of the general purpose flags, in the local header and in the central directory.
  for (size_t i = 0; i + 10 < bytes.size(); ++i) {
    const bool signature = bytes[i] == std::byte{'P'} && bytes[i + 1] == std::byte{'K'};
    if (signature && bytes[i + 2] == std::byte{1}) bytes[i + 8] |= std::byte{1};
    if (signature && bytes[i + 2] == std::byte{3}) bytes[i + 6] |= std::byte{1};
  }
  const auto archive = ZipArchive::open(bytes);
  ASSERT_FALSE(archive.ok());
  EXPECT_EQ(archive.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(archive.status().message().find("'secret' is encrypted"), std::string::npos);
}

TEST(ZipArchive, NoticesDamagedContent) {
  auto bytes = build_zip({{"a", "some content"}});
  replace_bytes(&bytes, "some content", "some c0ntent");
  const auto archive = ZipArchive::open(bytes);
  ASSERT_OK(archive);
  const Status status = archive->read("a", kNoLimit).status();
  EXPECT_EQ(status.code(), StatusCode::kCorrupt);
  EXPECT_NE(status.message().find("'a': damaged"), std::string::npos) << status.message();
}

TEST(ZipArchive, RefusesWhatIsNoArchive) {
  for (const std::string& content : {std::string(), std::string("PK"), std::string(5000, 'P')}) {
    const auto archive = ZipArchive::open(std::as_bytes(std::span(content)));
    ASSERT_FALSE(archive.ok());
    EXPECT_EQ(archive.status().code(), StatusCode::kCorrupt);
  }
}

TEST(ZipArchive, RefusesEveryTruncation) {
  const auto bytes = build_zip({{"a/data.pkl", "0123456789"}, {"a/data/0", std::string(64, '7')}},
                               ZipMethod::kDeflated);
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_FALSE(ZipArchive::open(cut).ok()) << length << " of " << bytes.size() << " bytes";
  }
}

// Any single damaged byte: an error, or the very content that was put in.
TEST(ZipArchive, SurvivesEveryDamagedByte) {
  const auto bytes =
      build_zip({{"a", "0123456789"}, {"b", std::string(64, '7')}}, ZipMethod::kDeflated);
  size_t readable = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    auto damaged = bytes;
    damaged[at] ^= std::byte{0x41};
    const auto archive = ZipArchive::open(damaged);
    if (!archive.ok()) continue;
    for (const std::string& name : archive->names()) {
      const auto content = archive->read(name, 1000);
      if (!content.ok()) continue;
      ++readable;
      const std::string text(reinterpret_cast<const char*>(content->data()), content->size());
      EXPECT_TRUE(text == "0123456789" || text == std::string(64, '7')) << "byte " << at;
    }
  }
  EXPECT_GT(readable, 0u);
}

}  // namespace
}  // namespace yolocu

// torch.save's form before PyTorch 1.6, written by hand.
#include "weights/import/torch_legacy.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/import/torch_builder.h"
#include "tests/support/test_support.h"
#include "weights/import/torch_file.h"

namespace yolocu {
namespace {

using namespace testing;           // NOLINT: builders of files
using namespace testing::pickled;  // NOLINT: a vocabulary made for this
using testing::expect_refused;

const std::string kMagic("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20j\xa8P\x19.", 15);

struct LegacyParts {
  int64_t version = 1001;
  std::string little_endian = kTrue;
  std::string view = kNone;  // last item of the persistent id
  std::string keys = list({text("7")});
  int64_t elements = 3;  // as written before the storage
  std::string tail = raw_elements<float>({4, 5, 6});
};

// A tensor of the last two of three floats.
std::string legacy_file(const LegacyParts& parts) {
  const std::string id = tuple({text("storage"), global("torch", "FloatStorage"), text("7"),
                                text("cpu"), integer(3), parts.view}) +
                         "Q";
  return kMagic + whole(integer(parts.version)) +
         whole(record({{"little_endian", parts.little_endian}})) +
         whole(pickled_tensor(id, 1, {2}, {1})) + whole(parts.keys) +
         little_endian(static_cast<uint64_t>(parts.elements), 8) + parts.tail;
}

Result<std::vector<float>> read(const std::string& file) {
  const auto bytes = as_bytes(file);
  YOLOCU_ASSIGN_OR_RETURN(TorchFile torch, TorchFile::open(bytes));
  YOLOCU_ASSIGN_OR_RETURN(const auto tensor, torch.tensor(torch.root()));
  return tensor->values();
}

Status refusal(const LegacyParts& parts) {
  return read(legacy_file(parts)).status();
}

TEST(TorchLegacy, ReadsStoragesBehindThePickles) {
  const auto values = read(legacy_file({}));
  ASSERT_OK(values);
  EXPECT_EQ(*values, (std::vector<float>{5, 6}));
}

TEST(TorchLegacy, TruncatedAnywhereIsRefused) {
  const std::string file = legacy_file({});
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(read(file.substr(0, size)).ok()) << size;
  }
}

TEST(TorchLegacy, FlippedBitsDoNotCrash) {
  const std::string file = legacy_file({});
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto values = read(flipped);
    EXPECT_TRUE(!values.ok() || values->size() <= 3) << bit;
  }
}

TEST(TorchLegacy, RefusesWhatItDoesNotKnow) {
  expect_refused(refusal({.version = 1000}), StatusCode::kUnsupported, "version is not 1001");
  expect_refused(refusal({.little_endian = kFalse}), StatusCode::kUnsupported, "byte order");
  expect_refused(refusal({.view = tuple({text("8"), integer(0), integer(3)})}),
                 StatusCode::kUnsupported, "storage '7' is a view of another one");
  expect_refused(refusal({.keys = kNone}), StatusCode::kCorrupt, "no list of storages");
  expect_refused(refusal({.keys = list({text("8")})}), StatusCode::kCorrupt,
                 "storage '8' is not used");
  expect_refused(refusal({.keys = list({text("7"), text("7")}), .elements = 0}),
                 StatusCode::kCorrupt, "storage '7'");
  expect_refused(refusal({.elements = 4}), StatusCode::kCorrupt,
                 "storage '7': truncated, 16 bytes expected and 12 left");
  expect_refused(refusal({.elements = -1}), StatusCode::kCorrupt, "storage '7': truncated");
  expect_refused(refusal({.elements = int64_t{1} << 62}), StatusCode::kCorrupt, "storage '7'");
  expect_refused(refusal({.elements = 2}), StatusCode::kCorrupt,
                 "expected 12 bytes for 3 elements of 'torch FloatStorage', got 8");
  expect_refused(refusal({.keys = list({})}), StatusCode::kCorrupt, "no such member");
}

}  // namespace
}  // namespace yolocu

// Zip archives made in memory, for readers to be tried on.
#pragma once

#include <gtest/gtest.h>
#include <zip.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace yolocu::testing {

enum class ZipMethod { kStored, kDeflated };

// An archive with these members, in order.
inline std::vector<std::byte> build_zip(
    const std::vector<std::pair<std::string, std::string>>& members,
    ZipMethod method = ZipMethod::kStored) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* target = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(target);  // it outlives the archive, to be read below
  zip_t* archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
  const zip_int32_t code = method == ZipMethod::kStored ? ZIP_CM_STORE : ZIP_CM_DEFLATE;
  for (const auto& [name, content] : members) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    EXPECT_GE(index, 0) << name;
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), code, 0);
  }
  EXPECT_EQ(zip_close(archive), 0);
  zip_stat_t stat;
  zip_source_stat(target, &stat);
  std::vector<std::byte> bytes(stat.size);
  zip_source_open(target);
  EXPECT_EQ(zip_source_read(target, bytes.data(), bytes.size()),
            static_cast<zip_int64_t>(bytes.size()));
  zip_source_close(target);
  zip_source_free(target);
  return bytes;
}

// Replaces every occurrence of `from` by `to`, of the same length: how a name is made to occur
// twice, which a zip writer refuses to do.
inline void replace_bytes(std::vector<std::byte>* bytes, const std::string& from,
                          const std::string& to) {
  ASSERT_EQ(from.size(), to.size());
  size_t replaced = 0;
  for (size_t i = 0; i + from.size() <= bytes->size(); ++i) {
    if (std::memcmp(bytes->data() + i, from.data(), from.size()) != 0) continue;
    std::memcpy(bytes->data() + i, to.data(), to.size());
    ++replaced;
  }
  ASSERT_GT(replaced, 0u) << from;
}

}  // namespace yolocu::testing

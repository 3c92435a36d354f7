#include "weights/import/zip_archive.h"

#include <zip.h>

#include <map>
#include <utility>

#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr int64_t kMaxMembers = 1'000'000;
constexpr int64_t kMaxTotalBytes = int64_t{64} << 30;
// Deflate's best case: 258 bytes from two bits, thus never more than 1032 to 1.
constexpr int64_t kMaxDeflateRatio = 1032;

struct ArchiveDiscarder {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using ArchivePtr = std::unique_ptr<zip_t, ArchiveDiscarder>;

struct FileCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using FilePtr = std::unique_ptr<zip_file_t, FileCloser>;

struct Member {
  zip_uint64_t index = 0;
  int64_t size_bytes = 0;
};

std::string take_error_text(zip_error_t* error) {
  std::string text = zip_error_strerror(error);
  zip_error_fini(error);
  return printable(text);
}

Result<ArchivePtr> open_archive(std::span<const std::byte> bytes) {
  // libzip takes no bytes at all for an archive without members.
  if (bytes.empty()) return corrupt("not a PyTorch checkpoint: no bytes");
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (source == nullptr) return corrupt(str_cat("zip archive: ", take_error_text(&error)));
  zip_t* archive = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (archive == nullptr) {
    zip_source_free(source);
    return corrupt(
        str_cat("not a PyTorch checkpoint, or an incomplete one: ", take_error_text(&error)));
  }
  zip_error_fini(&error);
  return ArchivePtr(archive);
}

// Checks what the central directory says about one member, before any of it is believed.
Result<Member> check_member(const zip_stat_t& stat, const std::string& shown,
                            size_t archive_bytes) {
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if ((stat.valid & kNeeded) != kNeeded) {
    return corrupt(str_cat("zip member '", shown, "': incomplete directory entry"));
  }
  if (stat.encryption_method != ZIP_EM_NONE) {
    return unsupported(str_cat("zip member '", shown, "' is encrypted"));
  }
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
    return unsupported(str_cat("zip member '", shown, "': compression method ", stat.comp_method,
                               ", expected 0 (stored) or 8 (deflated)"));
  }
  if (stat.size > static_cast<zip_uint64_t>(kMaxTotalBytes)) {
    return resource_exhausted(str_cat("zip member '", shown, "' claims ", stat.size,
                                      " bytes, more than the limit of ", kMaxTotalBytes));
  }
  const auto size = static_cast<int64_t>(stat.size);
  const int64_t growth = stat.comp_method == ZIP_CM_STORE ? 1 : kMaxDeflateRatio;
  if (stat.comp_size > archive_bytes || size / growth > static_cast<int64_t>(stat.comp_size)) {
    return corrupt(str_cat("zip member '", shown, "' claims ", size, " bytes from ", stat.comp_size,
                           " in an archive of ", archive_bytes));
  }
  return Member{.index = stat.index, .size_bytes = size};
}

}  // namespace

struct ZipArchive::State {
  ArchivePtr archive;
  std::vector<std::string> names;
  std::map<std::string, Member, std::less<>> members;

  Status add_member(zip_uint64_t index, size_t archive_bytes);
};

Status ZipArchive::State::add_member(zip_uint64_t index, size_t archive_bytes) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  const char* name = zip_get_name(archive.get(), index, ZIP_FL_ENC_RAW);
  if (name == nullptr || zip_stat_index(archive.get(), index, 0, &stat) != 0) {
    return corrupt(str_cat("zip archive: member ", index, " has no readable directory entry"));
  }
  const std::string shown = printable(name);
  YOLOCU_ASSIGN_OR_RETURN(const Member member, check_member(stat, shown, archive_bytes));
  if (!members.emplace(name, member).second) {
    return corrupt(str_cat("zip archive names the member '", shown, "' twice"));
  }
  names.emplace_back(name);
  return {};
}

ZipArchive::ZipArchive(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZipArchive::ZipArchive(ZipArchive&&) noexcept = default;
ZipArchive& ZipArchive::operator=(ZipArchive&&) noexcept = default;
ZipArchive::~ZipArchive() = default;

Result<ZipArchive> ZipArchive::open(std::span<const std::byte> bytes) {
  auto state = std::make_unique<State>();
  YOLOCU_ASSIGN_OR_RETURN(state->archive, open_archive(bytes));
  const int64_t count = zip_get_num_entries(state->archive.get(), 0);
  if (count > kMaxMembers) {
    return resource_exhausted(
        str_cat("zip archive has ", count, " members, more than the limit of ", kMaxMembers));
  }
  for (int64_t i = 0; i < count; ++i) {
    YOLOCU_RETURN_IF_ERROR(state->add_member(static_cast<zip_uint64_t>(i), bytes.size()));
  }
  int64_t total = 0;
  for (const auto& [name, member] : state->members) {
    total += member.size_bytes;  // cannot overflow: 1e6 members of at most 2^36 bytes
  }
  if (total > kMaxTotalBytes) {
    return resource_exhausted(str_cat("zip members claim ", total,
                                      " bytes together, more than the limit of ", kMaxTotalBytes));
  }
  return ZipArchive(std::move(state));
}

const std::vector<std::string>& ZipArchive::names() const {
  return state_->names;
}

bool ZipArchive::contains(std::string_view name) const {
  return state_->members.contains(name);
}

std::optional<int64_t> ZipArchive::size_bytes(std::string_view name) const {
  const auto found = state_->members.find(name);
  if (found == state_->members.end()) return std::nullopt;
  return found->second.size_bytes;
}

Result<std::vector<std::byte>> ZipArchive::read(std::string_view name, int64_t limit_bytes) const {
  const std::string shown = printable(name);
  const auto found = state_->members.find(name);
  if (found == state_->members.end()) {
    return not_found(str_cat("zip archive has no member '", shown, "'"));
  }
  const Member& member = found->second;
  if (member.size_bytes > limit_bytes) {
    return resource_exhausted(str_cat("zip member '", shown, "' has ", member.size_bytes,
                                      " bytes, more than the limit of ", limit_bytes));
  }
  zip_t* archive = state_->archive.get();
  const FilePtr file(zip_fopen_index(archive, member.index, 0));
  if (!file) {
    return corrupt(str_cat("zip member '", shown,
                           "': ", printable(zip_error_strerror(zip_get_error(archive)))));
  }
  std::vector<std::byte> bytes(static_cast<size_t>(member.size_bytes));
  const zip_int64_t got = zip_fread(file.get(), bytes.data(), bytes.size());
  // libzip compares the CRC when it meets the end, which only a read past it makes sure of.
  std::byte past_end{};
  const zip_int64_t rest = got == member.size_bytes ? zip_fread(file.get(), &past_end, 1) : -1;
  if (got != member.size_bytes || rest != 0) {
    return corrupt(str_cat("zip member '", shown, "': damaged, expected ", member.size_bytes,
                           " bytes with a matching checksum"));
  }
  return bytes;
}

}  // namespace yolocu

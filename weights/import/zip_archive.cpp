#include "weights/import/zip_archive.h"

#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
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
  int64_t stored_bytes = 0;  // in the archive
  bool is_stored = false;    // not compressed
  uint32_t crc = 0;
};

// The archive's bytes as libzip reads them. Unlike libzip's own source it tells where a read was,
// which is how view() learns where a stored member lies.
struct MemorySource {
  std::span<const std::byte> bytes;
  size_t position = 0;
  size_t last_read = 0;
  zip_error_t error{};

  zip_int64_t read(void* out, zip_uint64_t length) {
    const size_t count = std::min<size_t>(length, bytes.size() - position);
    if (count > 0) std::memcpy(out, bytes.data() + position, count);
    last_read = position;
    position += count;
    return static_cast<zip_int64_t>(count);
  }
  zip_int64_t seek(void* target, zip_uint64_t length) {
    const zip_int64_t to =
        zip_source_seek_compute_offset(position, bytes.size(), target, length, &error);
    if (to < 0) return -1;
    position = static_cast<size_t>(to);
    return 0;
  }
  zip_int64_t stat(void* out) const {
    auto* info = static_cast<zip_stat_t*>(out);
    zip_stat_init(info);
    info->size = bytes.size();
    info->valid |= ZIP_STAT_SIZE;
    return sizeof(*info);
  }
};

zip_int64_t serve_source(void* user, void* data, zip_uint64_t length, zip_source_cmd_t command) {
  auto& source = *static_cast<MemorySource*>(user);
  switch (command) {
    case ZIP_SOURCE_OPEN: source.position = 0; return 0;
    case ZIP_SOURCE_READ: return source.read(data, length);
    case ZIP_SOURCE_SEEK: return source.seek(data, length);
    case ZIP_SOURCE_TELL: return static_cast<zip_int64_t>(source.position);
    case ZIP_SOURCE_STAT: return source.stat(data);
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&source.error, data, length);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(
          ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_STAT,
          ZIP_SOURCE_ERROR, ZIP_SOURCE_CLOSE, ZIP_SOURCE_FREE, ZIP_SOURCE_SUPPORTS, -1);
    default: zip_error_set(&source.error, ZIP_ER_OPNOTSUPP, 0); return -1;
  }
}

std::string take_error_text(zip_error_t* error) {
  std::string text = zip_error_strerror(error);
  zip_error_fini(error);
  return printable(text);
}

Result<ArchivePtr> open_archive(MemorySource* memory) {
  // libzip takes no bytes at all for an archive without members.
  if (memory->bytes.empty()) return corrupt("not a PyTorch checkpoint: no bytes");
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_function_create(serve_source, memory, &error);
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
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                   ZIP_STAT_ENCRYPTION_METHOD | ZIP_STAT_CRC;
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
  return Member{.index = stat.index,
                .size_bytes = size,
                .stored_bytes = static_cast<int64_t>(stat.comp_size),
                .is_stored = stat.comp_method == ZIP_CM_STORE,
                .crc = stat.crc};
}

// Names are keys and never paths; one that would be dangerous as a path has no place in a
// checkpoint.
bool is_plain_name(std::string_view name) {
  const bool is_drive = name.size() > 1 && name[1] == ':';
  return !name.empty() && name.front() != '/' && !is_drive && !name.starts_with("../") &&
         name.find("/../") == std::string_view::npos && name.find('\\') == std::string_view::npos &&
         std::ranges::none_of(name, [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

}  // namespace

struct ZipArchive::State {
  MemorySource source;  // outlives the archive
  ArchivePtr archive;
  std::vector<std::string> names;
  std::map<std::string, Member, std::less<>> members;

  Status add_member(zip_uint64_t index, size_t archive_bytes);
  Result<Member> find(std::string_view name, int64_t limit_bytes) const;
  Result<FilePtr> open_member(const Member& member, std::string_view name) const;
};

Status ZipArchive::State::add_member(zip_uint64_t index, size_t archive_bytes) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  const char* name = zip_get_name(archive.get(), index, ZIP_FL_ENC_RAW);
  if (name == nullptr || zip_stat_index(archive.get(), index, 0, &stat) != 0) {
    return corrupt(str_cat("zip archive: member ", index, " has no readable directory entry"));
  }
  const std::string shown = printable(name);
  if (!is_plain_name(name)) return corrupt(str_cat("zip member '", shown, "' is no plain name"));
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
  state->source.bytes = bytes;
  YOLOCU_ASSIGN_OR_RETURN(state->archive, open_archive(&state->source));
  const int64_t count = zip_get_num_entries(state->archive.get(), 0);
  if (count > kMaxMembers) {
    return resource_exhausted(
        str_cat("zip archive has ", count, " members, more than the limit of ", kMaxMembers));
  }
  for (int64_t i = 0; i < count; ++i) {
    YOLOCU_RETURN_IF_ERROR(state->add_member(static_cast<zip_uint64_t>(i), bytes.size()));
  }
  int64_t total = 0, stored = 0;
  for (const auto& [name, member] : state->members) {
    total += member.size_bytes;  // cannot overflow: 1e6 members of at most 2^36 bytes
    stored += member.stored_bytes;
  }
  if (stored > static_cast<int64_t>(bytes.size())) {
    return corrupt(
        str_cat("zip members overlap: ", stored, " bytes in an archive of ", bytes.size()));
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

Result<Member> ZipArchive::State::find(std::string_view name, int64_t limit_bytes) const {
  const auto found = members.find(name);
  if (found == members.end()) {
    return not_found(str_cat("zip archive has no member '", printable(name), "'"));
  }
  if (found->second.size_bytes > limit_bytes) {
    return resource_exhausted(str_cat("zip member '", printable(name), "' has ",
                                      found->second.size_bytes, " bytes, more than the limit of ",
                                      limit_bytes));
  }
  return found->second;
}

Result<FilePtr> ZipArchive::State::open_member(const Member& member, std::string_view name) const {
  FilePtr file(zip_fopen_index(archive.get(), member.index, 0));
  if (file) return file;
  return corrupt(str_cat("zip member '", printable(name),
                         "': ", printable(zip_error_strerror(zip_get_error(archive.get())))));
}

Result<std::vector<std::byte>> ZipArchive::read(std::string_view name, int64_t limit_bytes) const {
  YOLOCU_ASSIGN_OR_RETURN(const Member member, state_->find(name, limit_bytes));
  YOLOCU_ASSIGN_OR_RETURN(const FilePtr file, state_->open_member(member, name));
  std::vector<std::byte> bytes(static_cast<size_t>(member.size_bytes));
  const zip_int64_t got = zip_fread(file.get(), bytes.data(), bytes.size());
  // libzip compares the CRC when it meets the end, which only a read past it makes sure of.
  std::byte past_end{};
  const zip_int64_t rest = got == member.size_bytes ? zip_fread(file.get(), &past_end, 1) : -1;
  if (got != member.size_bytes || rest != 0) {
    return corrupt(str_cat("zip member '", printable(name), "': damaged, expected ",
                           member.size_bytes, " bytes with a matching checksum"));
  }
  return bytes;
}

Result<MemberBytes> ZipArchive::view(std::string_view name, int64_t limit_bytes) const {
  YOLOCU_ASSIGN_OR_RETURN(const Member member, state_->find(name, limit_bytes));
  const auto size = static_cast<size_t>(member.size_bytes);
  if (member.is_stored && size > 0) {
    YOLOCU_ASSIGN_OR_RETURN(const FilePtr file, state_->open_member(member, name));
    const std::span<const std::byte> archive = state_->source.bytes;
    std::byte first{};
    const bool is_read = zip_fread(file.get(), &first, 1) == 1;
    const size_t begin = state_->source.last_read;
    // Whatever libzip did to read that byte: only the member itself has its checksum.
    if (is_read && begin <= archive.size() && size <= archive.size() - begin) {
      const auto bytes = archive.subspan(begin, size);
      const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
      if (crc == member.crc) return MemberBytes{.bytes = bytes};
    }
  }
  YOLOCU_ASSIGN_OR_RETURN(std::vector<std::byte> copy, read(name, limit_bytes));
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(copy));
  return MemberBytes{.bytes = *owner, .owner = owner};
}

}  // namespace yolocu

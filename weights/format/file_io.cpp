#include "weights/format/file_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <new>
#include <optional>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
// A stream has no size to check first; nothing we read this way is near this.
constexpr size_t kMaxStreamBytes = size_t{4} << 30;

// "path: No such file or directory", from errno.
Status system_error(const std::string& path, int error) {
  const std::string message = str_cat(path, ": ", std::generic_category().message(error));
  return error == ENOENT || error == ENOTDIR ? not_found(message) : unavailable(message);
}

// Owns a file descriptor; negative if open failed.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return descriptor_; }
  bool ok() const { return descriptor_ >= 0; }
  // errno of close, which reports delayed write errors on some file systems; 0 if fine.
  int close_now() { return ::close(std::exchange(descriptor_, -1)) == 0 ? 0 : errno; }

 private:
  int descriptor_;
};

// Removes a file at the end of the scope unless release() was called.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }
  void release() { path_.clear(); }

 private:
  std::string path_;
};

Result<std::vector<std::byte>> read_stream(const std::string& path, int descriptor) try {
  std::vector<std::byte> bytes;
  size_t used = 0;
  for (;;) {
    if (used == kMaxStreamBytes) {
      return resource_exhausted(str_cat(path, ": more than ", kMaxStreamBytes, " bytes"));
    }
    if (bytes.size() == used) bytes.resize(std::min(kMaxStreamBytes, 2 * used + kChunkBytes));
    const ssize_t got = ::read(descriptor, bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno != EINTR) return system_error(path, errno);
    if (got == 0) break;
    if (got > 0) used += static_cast<size_t>(got);
  }
  bytes.resize(used);
  return bytes;
} catch (const std::bad_alloc&) {
  return resource_exhausted(path + ": out of memory");
}

Status write_all(const std::string& path, int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return system_error(path, errno);
    if (written > 0) bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

using Pieces = std::span<const std::span<const std::byte>>;

Status write_all(const std::string& path, int descriptor, Pieces pieces) {
  for (const auto piece : pieces) YOLOCU_RETURN_IF_ERROR(write_all(path, descriptor, piece));
  return {};
}

// Writes into what is already there: a device, a pipe.
Status write_directly(const std::string& path, Pieces pieces) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.ok()) return system_error(path, errno);
  YOLOCU_RETURN_IF_ERROR(write_all(path, file.get(), pieces));
  const int error = file.close_now();
  return error == 0 ? Status() : system_error(path, error);
}

// The file that a chain of symbolic links names, whether it exists or not.
Result<std::string> follow_links(const std::string& path) {
  constexpr int kMaxLinks = 40;  // as Linux
  std::filesystem::path target = path;
  for (int i = 0; i < kMaxLinks; ++i) {
    std::error_code error;
    if (!std::filesystem::is_symlink(target, error)) return target.string();
    const std::filesystem::path next = std::filesystem::read_symlink(target, error);
    if (error) return system_error(path, error.value());
    target = target.parent_path() / next;  // an absolute `next` replaces all
  }
  return system_error(path, ELOOP);
}

// Creates an empty file beside `target` with the given permissions, less the umask. O_EXCL instead
// of mkstemp, which would make it 0600 and leave us to find out the umask.
Result<std::string> create_beside(const std::string& target, mode_t mode) {
  std::random_device random;
  for (;;) {
    const std::string name = str_cat(".yolocu-", std::hex, random(), random());
    const std::string path = (std::filesystem::path(target).parent_path() / name).string();
    const Descriptor file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (file.ok()) return path;
    if (errno != EEXIST) return system_error(target, errno);
  }
}

// `existing`: permissions of the file that is replaced, which the new one takes over.
Status replace_file(const std::string& target, std::optional<mode_t> existing, Pieces pieces) {
  YOLOCU_ASSIGN_OR_RETURN(std::string path, create_beside(target, existing.value_or(0666)));
  TemporaryFile temporary(std::move(path));
  Descriptor file(::open(temporary.path().c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.ok()) return system_error(target, errno);
  if (existing && ::fchmod(file.get(), *existing) != 0) return system_error(target, errno);
  YOLOCU_RETURN_IF_ERROR(write_all(target, file.get(), pieces));
  if (const int error = file.close_now(); error != 0) return system_error(target, error);
  if (::rename(temporary.path().c_str(), target.c_str()) != 0) return system_error(target, errno);
  temporary.release();
  return {};
}

}  // namespace

Result<MappedFile> map_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) return system_error(path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return system_error(path, errno);
  if (S_ISDIR(info.st_mode)) return system_error(path, EISDIR);
  MappedFile mapped;
  // Files of /proc claim to be empty and are not: those are read like a pipe.
  if (S_ISREG(info.st_mode) && info.st_size > 0) {
    const auto size = static_cast<size_t>(info.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (memory == MAP_FAILED) return system_error(path, errno);
    mapped.owner_ = std::shared_ptr<void>(memory, [size](void* m) { ::munmap(m, size); });
    mapped.bytes_ = {static_cast<const std::byte*>(memory), size};
    return mapped;
  }
  YOLOCU_ASSIGN_OR_RETURN(auto bytes, read_stream(path, file.get()));
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  mapped.bytes_ = *owner;
  mapped.owner_ = owner;
  return mapped;
}

Status write_file(const std::string& path, std::span<const std::byte> bytes) {
  return write_pieces(path, std::span(&bytes, 1));
}

Status write_pieces(const std::string& path, Pieces pieces) {
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (!exists && errno != ENOENT) return system_error(path, errno);
  if (exists && !S_ISREG(info.st_mode)) return write_directly(path, pieces);
  if (path.empty() || path.back() == '/') return system_error(path, ENOENT);
  YOLOCU_ASSIGN_OR_RETURN(const std::string target, follow_links(path));
  if (!exists) return replace_file(target, std::nullopt, pieces);
  // A rename would get past a write protection that is meant for everyone.
  if (::access(target.c_str(), W_OK) != 0) return system_error(path, errno);
  return replace_file(target, info.st_mode & 0777, pieces);
}

}  // namespace yolocu

// Memory that starts as zeros and costs nothing where it is never touched.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

namespace yolocu::emulation {

class ZeroPages {
 public:
  ZeroPages() = default;
  // No data() if the system has no room for it.
  explicit ZeroPages(size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    data_ = pages == MAP_FAILED ? nullptr : pages;
  }
  ~ZeroPages() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }
  ZeroPages(ZeroPages&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  ZeroPages& operator=(ZeroPages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // All zeros again; false, and contents as before, if the system refuses.
  bool clear() { return data_ == nullptr || madvise(data_, bytes_, MADV_DONTNEED) == 0; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace yolocu::emulation

// Zeroed memory for activations and weights.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "engine/base/str_cat.h"
#include "yolocu/status.h"

namespace yolocu::cpu {

// Owns pages of its own, zeros at first. The system provides each page when it is first touched,
// so what is never used costs nothing.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AlignedBuffer() {
    if (data_ != nullptr) munmap(data_, static_cast<size_t>(size_));
  }

  // kResourceExhausted if the system refuses. Aligned to a page; size_bytes is a multiple of 4.
  static Result<AlignedBuffer> create(int64_t size_bytes) {
    AlignedBuffer buffer;
    buffer.size_ = std::max<int64_t>(size_bytes, 4);
    void* const pages = mmap(nullptr, static_cast<size_t>(buffer.size_), PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
      return resource_exhausted(str_cat("no memory for ", size_bytes, " bytes"));
    }
    buffer.data_ = pages;
    return buffer;
  }

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  std::span<float> floats() const {
    return {static_cast<float*>(data_), static_cast<size_t>(size_) / sizeof(float)};
  }
  int64_t size_bytes() const { return size_; }

 private:
  void* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace yolocu::cpu

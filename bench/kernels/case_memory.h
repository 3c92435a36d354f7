// A case on a device, in several copies.
#pragma once

#include <cstddef>
#include <vector>

#include "bench/kernels/kernel_case.h"
#include "engine/gpu/enqueue.h"
#include "engine/gpu/gpu_model.h"

namespace yolocu::bench {

// So much memory a case goes through before it comes back to the same bytes, so that operands come
// from DRAM: 268 MB, twice the L2 of any card (H100: 50 MB, B200: 126 MB).
constexpr int64_t kRotatedBytes = int64_t{256} << 20;

// Copies that take kRotatedBytes together, at least 2 and at most 1024.
int64_t rotated_copies(const KernelCase& one);

// Owns the memory; refers to the case and the device, which outlive it.
class CaseMemory {
 public:
  // Waits until the data are there. kResourceExhausted without room.
  static Result<CaseMemory> create(const gpu::GpuDevice& device, const KernelCase& one,
                                   int64_t copies);

  int64_t copies() const { return static_cast<int64_t>(arenas_.size()); }
  // Enqueues the launches of one copy.
  Status enqueue(int64_t copy, Stream stream) const;
  // Device address of a buffer of the case in one copy; nullptr for kNoBuffer.
  template <typename T = void>
  T* at(int64_t copy, int buffer) const {
    if (buffer == gpu::kNoBuffer) return nullptr;
    std::byte* const address =
        arenas_[static_cast<size_t>(copy)] + case_->step.arena.offsets[static_cast<size_t>(buffer)];
    return static_cast<T*>(static_cast<void*>(address));
  }

 private:
  Status upload(int64_t copy, std::span<const std::byte> data, Stream stream);

  const gpu::GpuDevice* device_ = nullptr;
  const KernelCase* case_ = nullptr;
  DeviceMemory memory_, workspace_;
  std::vector<std::byte*> arenas_;
};

}  // namespace yolocu::bench

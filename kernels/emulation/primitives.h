// What the emulated primitives of kernels/device call: the model of one CUDA thread. Each function
// acts for the thread that runs now, and only inside a launch. On an error it reports and leaves
// the kernel by an exception that never passes launch().
//
// Sizes are bytes. Pointers that come back are good for one access.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/device/target.h"

namespace yolocu::emulation {

Index3 thread_index();
Index3 block_index();
Index3 block_extent();
Index3 grid_extent();
uint32_t thread_rank();

// The number of threads whose predicate is not 0.
int sync_block(int predicate, CallSite site);
void sync_barrier(int id, int threads, CallSite site);
void arrive_barrier(int id, int threads, CallSite site);

enum class ShuffleKind : uint8_t { kIndex, kUp, kDown, kXor };

struct Shuffle {
  ShuffleKind kind;
  uint32_t operand, mask, width;
};

struct Vote {
  uint32_t votes;   // lanes with a predicate that is not 0
  uint32_t voters;  // lanes that took part
};

void sync_warp(uint32_t mask, CallSite site);
uint64_t shuffle(uint64_t bits, const Shuffle& shuffle, CallSite site);
Vote vote(int predicate, uint32_t mask, CallSite site);

const std::byte* read_global(const void* address, size_t size, CallSite site);
std::byte* write_global(void* address, size_t size, CallSite site);
std::byte* atomic_global(void* address, size_t size, CallSite site);
const std::byte* read_shared(uint32_t address, size_t size, CallSite site);
std::byte* write_shared(uint32_t address, size_t size, CallSite site);
std::byte* atomic_shared(uint32_t address, size_t size, CallSite site);

struct AsyncCopy {
  uint32_t dst;
  const void* src;
  int bytes, source_bytes;
};

void copy_async(const AsyncCopy& copy, CallSite site);
void commit_copies(CallSite site);
void wait_copies(int pending, CallSite site);
void wait_all_copies(CallSite site);

}  // namespace yolocu::emulation

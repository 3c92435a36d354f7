// What the emulated primitives of kernels/device call: the model of one CUDA thread. Each function
// acts for the thread that runs now, and only inside a launch. On an error it reports and leaves
// the kernel by an exception that never passes launch().
//
// Sizes are bytes. Pointers that come back are good for one access.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "kernels/device/target.h"
#include "kernels/emulation/matrix_registers.h"
#include "kernels/tensor_map_spec.h"

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
const std::byte* read_shared(uint32_t address, size_t size, CallSite site);
std::byte* write_shared(uint32_t address, size_t size, CallSite site);
std::byte* atomic_shared(uint32_t address, size_t size, CallSite site);

// Atomics on aligned words of global memory. As device::Order.
enum class SyncOrder : uint8_t { kRelaxed, kAcquire, kRelease, kAcquireRelease };
// The new value of a word, if it gets one.
using WordOperation = std::function<std::optional<uint32_t>(uint32_t old)>;

uint32_t load_word(const void* address, SyncOrder order, CallSite site);
void store_word(void* address, uint32_t value, SyncOrder order, CallSite site);
// The old value.
uint32_t update_word(void* address, SyncOrder order, const WordOperation& operation, CallSite site);
void fence_device(CallSite site);

void wait_for_prior_grids(CallSite site);
void allow_next_grid(CallSite site);

struct AsyncCopy {
  uint32_t dst;
  const void* src;
  int bytes, source_bytes;
};

void copy_async(const AsyncCopy& copy, CallSite site);
// Matrix instructions on registers in PTX's layout; all 32 lanes.
struct MatrixOperands {
  uint32_t address = 0;  // of this lane's row
  int count = 0;         // matrices of a load or store
  bool transpose = false;
  MatrixElement element = {};
  std::array<uint32_t, 4> a = {};  // also what a load returns and a store writes
  std::array<uint32_t, 2> b = {};
  std::array<uint32_t, 4> c = {};  // also what a product returns
};

void load_matrix(MatrixOperands& operands, CallSite site);
void store_matrix(const MatrixOperands& operands, CallSite site);
void multiply_registers(MatrixOperands& operands, CallSite site);

// Matrix instructions on the warp's registers. post: as if this lane had executed its part.
struct WarpOp;
struct WgmmaOperands;
uint32_t take_matrix_registers(uint32_t words);  // rounded up to whole lines of 16
void return_matrix_registers(uint32_t words);
// wgmma: of kWgmma only.
void post_warp_op(const WarpOp& op, uint32_t address, const WgmmaOperands* wgmma = nullptr);
// The word at `offset` of the object at `first`, once all that was posted is done.
uint32_t read_matrix_register(uint32_t first, uint32_t offset, CallSite site);

void mbarrier_init(uint32_t address, int arrivals, CallSite site);
void fence_mbarrier_init(CallSite site);
void mbarrier_invalidate(uint32_t address, CallSite site);
// expected_bytes: how many more to expect first.
void mbarrier_arrive(uint32_t address, uint32_t expected_bytes, CallSite site);
void mbarrier_expect(uint32_t address, uint32_t bytes, CallSite site);
void mbarrier_arrive_remote(uint32_t address, uint32_t block_rank, CallSite site);
void mbarrier_wait(uint32_t address, uint32_t parity, CallSite site);
int mbarrier_test(uint32_t address, uint32_t parity, CallSite site);

Index3 cluster_extent();
uint32_t cluster_block_rank();
void arrive_cluster(CallSite site);
void wait_cluster(CallSite site);
const std::byte* read_remote(uint32_t address, uint32_t block_rank, size_t size, CallSite site);
std::byte* write_remote(uint32_t address, uint32_t block_rank, size_t size, CallSite site);

struct BoxAccess;
constexpr uint32_t kOwnBlock = UINT32_MAX;  // as a block_mask: no multicast
void load_box(const BoxAccess& access, uint32_t mbarrier, MapMode mode, int rank,
              uint32_t block_mask, CallSite site);
void store_box(const BoxAccess& access, int rank, CallSite site);
void commit_stores(CallSite site);
void wait_stores_read(int pending, CallSite site);
void wait_stores(int pending, CallSite site);

void fence_async_proxy(CallSite site);

void commit_copies(CallSite site);
void wait_copies(int pending, CallSite site);
void wait_all_copies(CallSite site);

}  // namespace yolocu::emulation

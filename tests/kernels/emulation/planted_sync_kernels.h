// Kernels with one planted error each in how blocks or grids are ordered, and the same without it.
//
// data: 256 int, not initialised unless a kernel before wrote it. flags: 16 words, 0. out: 256 int,
// all 5. 4 blocks of 64 threads.
#pragma once

#include "tests/kernels/emulation/sync_kernels.h"

namespace yolocu::testing {

enum class SyncVersion { kWrong, kRight };

using SyncKernel = void (*)(Ints out, Ints data, Words flags);

inline uint32_t thread_of_block() {
  return device::thread_rank();
}

template <SyncVersion kVersion>
constexpr Order order_or_relaxed(Order right) {
  return kVersion == SyncVersion::kRight ? right : Order::kRelaxed;
}

// ---- messages from block 0 to the others --------------------------------------------------------

// Whose order or fence is missing.
enum class Missing {
  kRelease,
  kAcquire,
  kReleaseFence,
  kAcquireFence,
  kFenceAfterRead,  // the fence comes before the read of the flag
  kRmwAcquire       // a read-modify-write that only releases
};

template <SyncVersion kVersion, Missing kMissing>
void send(Words flags) {
  constexpr bool kIsRight = kVersion == SyncVersion::kRight;
  if constexpr (kMissing == Missing::kRelease) {
    device::atomic_exchange<order_or_relaxed<kVersion>(Order::kRelease)>(flags, 0, 1u);
  } else if constexpr (kMissing == Missing::kReleaseFence) {
    if constexpr (kIsRight) device::fence_device();
    device::atomic_add(flags, 0, 1u);
  } else {
    device::store_release(flags, 0, 1);
  }
}

template <SyncVersion kVersion, Missing kMissing>
void receive(Words flags) {
  constexpr bool kIsRight = kVersion == SyncVersion::kRight;
  if constexpr (kMissing == Missing::kAcquire) {
    while (device::atomic_or<order_or_relaxed<kVersion>(Order::kAcquire)>(flags, 0, 0u) == 0) {
    }
  } else if constexpr (kMissing == Missing::kRmwAcquire) {
    constexpr Order kOrder = kIsRight ? Order::kAcquireRelease : Order::kRelease;
    while (device::atomic_max<kOrder>(flags, 0, 0u) == 0) {
    }
  } else if constexpr (kMissing == Missing::kAcquireFence || kMissing == Missing::kFenceAfterRead) {
    if constexpr (kMissing == Missing::kFenceAfterRead) device::fence_device();
    while (device::atomic_compare_exchange(flags, 0, 1u, 1u) == 0) {
    }
    if constexpr (kIsRight) device::fence_device();
  } else {
    wait_for_flag(flags, 0, 1);
  }
}

template <SyncVersion kVersion, Missing kMissing>
YOLOCU_KERNEL message(Ints out, Ints data, Words flags) {
  const uint32_t rank = thread_of_block();
  if (block_rank() == 0) {
    data.store(rank, 1);
    device::sync_block();
    if (rank == 0) send<kVersion, kMissing>(flags);
  } else {
    if (rank == 0) receive<kVersion, kMissing>(flags);
    device::sync_block();
    out.store(block_rank() * 64 + rank, data.load(rank));
  }
}

// One thread releases before the others of its block have written.
template <SyncVersion kVersion>
YOLOCU_KERNEL release_before_block_barrier(Ints out, Ints data, Words flags) {
  const uint32_t rank = thread_of_block();
  if (block_rank() == 0) {
    data.store(rank, 1);
    if constexpr (kVersion == SyncVersion::kRight) device::sync_block();
    if (rank == 0) device::store_release(flags, 0, 1);
  } else {
    if (rank == 0) wait_for_flag(flags, 0, 1);
    device::sync_block();
    out.store(block_rank() * 64 + rank, data.load(rank));
  }
}

// One thread acquires, and the others of its block do not wait for it.
template <SyncVersion kVersion>
YOLOCU_KERNEL acquire_without_block_barrier(Ints out, Ints data, Words flags) {
  const uint32_t rank = thread_of_block();
  if (block_rank() == 0) {
    data.store(rank, 1);
    device::sync_block();
    if (rank == 0) device::store_release(flags, 0, 1);
  } else {
    if (rank == 0) wait_for_flag(flags, 0, 1);
    if constexpr (kVersion == SyncVersion::kRight) device::sync_block();
    out.store(block_rank() * 64 + rank, data.load(rank));
  }
}

template <SyncVersion kVersion>
YOLOCU_KERNEL write_after_release(Ints out, Ints data, Words flags) {
  if (thread_of_block() != 0) return;
  if (block_rank() == 0) {
    data.store(0, 1);
    if constexpr (kVersion == SyncVersion::kRight) data.store(0, 2);
    device::store_release(flags, 0, 1);
    if constexpr (kVersion == SyncVersion::kWrong) data.store(0, 2);
  } else {
    wait_for_flag(flags, 0, 1);
    out.store(block_rank(), data.load(0));
  }
}

template <SyncVersion kVersion>
YOLOCU_KERNEL flag_by_plain_store(Ints out, Ints, Words flags) {
  if (thread_of_block() != 0) return;
  if (block_rank() != 0) return wait_for_flag(flags, 0, 1);
  if constexpr (kVersion == SyncVersion::kRight) {
    device::store_release(flags, 0, 1);
  } else {
    flags.store(0, 1);
  }
  out.store(0, 1);
}

// ---- all blocks alike ---------------------------------------------------------------------------

template <SyncVersion kVersion>
YOLOCU_KERNEL blocks_write_one_word(Ints out, Ints, Words) {
  const uint32_t offset = kVersion == SyncVersion::kRight ? block_rank() * 64 : 0;
  out.store(offset + thread_of_block(), static_cast<int>(block_rank()));
}

template <SyncVersion kVersion>
YOLOCU_KERNEL read_of_the_next_block(Ints out, Ints data, Words) {
  const uint32_t rank = thread_of_block(), blocks = block_count();
  const uint32_t next =
      kVersion == SyncVersion::kRight ? block_rank() : (block_rank() + 1) % blocks;
  data.store(block_rank() * 64 + rank, out.load(next * 64 + rank));
  out.store(block_rank() * 64 + rank, 1);
}

template <SyncVersion kVersion>
YOLOCU_KERNEL plain_sum_beside_atomics(Ints out, Ints, Words flags) {
  if constexpr (kVersion == SyncVersion::kRight) {
    device::atomic_add(flags, 0, 1u);
  } else if (block_rank() == 2) {
    flags.store(0, flags.load(0) + 1);
  } else {
    device::atomic_add(flags, 0, 1u);
  }
  out.store(block_rank() * 64 + thread_of_block(), 0);
}

// The last of the blocks adds up what all have written; counter of the order `kRight` or `kWrong`.
template <SyncVersion kVersion, Order kWrong>
YOLOCU_KERNEL split_sum(Ints out, Ints data, Words flags) {
  const uint32_t rank = thread_of_block();
  constexpr Order kOrder = kVersion == SyncVersion::kRight ? Order::kAcquireRelease : kWrong;
  data.store(block_rank() * 64 + rank, 1);
  device::sync_block();
  const auto is_last = device::shared_memory<int>();
  if (rank == 0) {
    const uint32_t before = device::atomic_add<kOrder>(flags, 0, 1u);
    is_last.store(0, before + 1 == block_count() ? 1 : 0);
  }
  device::sync_block();
  if (is_last.load(0) == 0) return;
  int sum = 0;
  for (uint32_t block = 0; block < block_count(); ++block) sum += data.load(block * 64 + rank);
  out.store(rank, sum);
}

template <SyncVersion kVersion, Order kAcquiring, Order kReleasing>
YOLOCU_KERNEL sum_under_lock(Ints out, Ints, Words flags) {
  constexpr bool kIsRight = kVersion == SyncVersion::kRight;
  if (thread_of_block() % 16 != 0) return;
  lock<kIsRight ? Order::kAcquire : kAcquiring>(flags);
  out.store(0, out.load(0) + 1);
  unlock<kIsRight ? Order::kRelease : kReleasing>(flags);
}

// A barrier of the grid that thread 0 comes to before the others of its block have read.
template <SyncVersion kVersion>
YOLOCU_KERNEL grid_barrier_without_block_barrier(Ints out, Ints data, Words flags) {
  const uint32_t rank = thread_of_block(), next = (block_rank() + 1) % block_count();
  data.store(block_rank() * 64 + rank, 1);
  if constexpr (kVersion == SyncVersion::kRight) {
    sync_grid(flags, 0);
  } else {
    if (rank == 0) {
      device::atomic_add<Order::kRelease>(flags, 0, 1u);
      while (device::load_acquire(flags, 0) < block_count()) {
      }
    }
    device::sync_block();
  }
  out.store(block_rank() * 64 + rank, data.load(next * 64 + rank));
}

template <SyncVersion kVersion>
YOLOCU_KERNEL flag_never_set(Ints out, Ints, Words flags) {
  constexpr int kFlag = kVersion == SyncVersion::kRight ? 0 : 1;
  if (thread_of_block() != 0) return;
  if (block_rank() == 0) device::store_release(flags, 0, 1);
  if (block_rank() == 3) wait_for_flag(flags, kFlag, 1);
  out.store(block_rank(), 1);
}

// ---- dependent launches: the kernel before wrote data and read out ------------------------------

template <SyncVersion kVersion>
YOLOCU_KERNEL read_before_prior_grids(Ints out, Ints data, Words) {
  const uint32_t i = block_rank() * 64 + thread_of_block();
  if constexpr (kVersion == SyncVersion::kRight) device::wait_for_prior_grids();
  const int value = data.load(i);
  if constexpr (kVersion == SyncVersion::kWrong) device::wait_for_prior_grids();
  out.store(i, value);
}

template <SyncVersion kVersion>
YOLOCU_KERNEL write_before_prior_grids(Ints out, Ints, Words) {
  const uint32_t i = block_rank() * 64 + thread_of_block();
  if constexpr (kVersion == SyncVersion::kRight) device::wait_for_prior_grids();
  out.store(i, 0);
  if constexpr (kVersion == SyncVersion::kWrong) device::wait_for_prior_grids();
}

template <SyncVersion kVersion>
YOLOCU_KERNEL atomic_before_prior_grids(Ints, Ints data, Words) {
  if constexpr (kVersion == SyncVersion::kRight) device::wait_for_prior_grids();
  device::atomic_add(data, thread_of_block(), 1);
  if constexpr (kVersion == SyncVersion::kWrong) device::wait_for_prior_grids();
}

// A copy that begins before the wait and ends after it.
template <SyncVersion kVersion>
YOLOCU_KERNEL async_copy_before_prior_grids(Ints out, Ints data, Words) {
  const auto staged = device::shared_memory<int>();
  const uint32_t rank = thread_of_block(), i = block_rank() * 64 + rank;
  if constexpr (kVersion == SyncVersion::kRight) device::wait_for_prior_grids();
  device::copy_async<4>(staged, rank, data, i, 4);
  if constexpr (kVersion == SyncVersion::kWrong) device::wait_for_prior_grids();
  device::commit_copies();
  device::wait_copies<0>();
  out.store(i, staged.load(rank));
}

template <SyncVersion kVersion>
YOLOCU_KERNEL no_wait_for_prior_grids(Ints, Ints, Words flags) {
  device::allow_next_grid();
  if constexpr (kVersion == SyncVersion::kRight) device::wait_for_prior_grids();
  if (thread_of_block() == 0) flags.store(block_rank(), 1);
}

// One warp waits; the other is not ordered behind it.
template <SyncVersion kVersion>
YOLOCU_KERNEL prior_grids_for_one_warp(Ints out, Ints data, Words) {
  const uint32_t i = block_rank() * 64 + thread_of_block();
  if (thread_of_block() < 32) device::wait_for_prior_grids();
  if constexpr (kVersion == SyncVersion::kRight) device::sync_block();
  out.store(i, data.load(i));
}

}  // namespace yolocu::testing

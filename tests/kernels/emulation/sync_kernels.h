// Device functions with which blocks of one grid synchronise, as a user would write them.
#pragma once

#include "tests/kernels/emulation/emulation_support.h"

namespace yolocu::testing {

using device::Order;
using Words = device::GlobalPtr<uint32_t>;
using Ints = device::GlobalPtr<int>;

inline uint32_t block_rank() {
  return device::block_index().x;
}
inline uint32_t block_count() {
  return device::grid_extent().x;
}

// By one thread.
inline void wait_for_flag(Words flags, int64_t index, uint32_t value) {
  while (device::load_acquire(flags, index) != value) {
  }
}

// All threads of all blocks: what they did before is visible after. `counts` starts as 0; `round`
// counts the barriers before this one.
inline void sync_grid(Words counts, uint32_t round) {
  device::sync_block();
  if (device::thread_rank() == 0) {
    device::atomic_add<Order::kRelease>(counts, 0, 1u);
    const uint32_t all = block_count() * (round + 1);
    while (device::load_acquire(counts, 0) < all) {
    }
  }
  device::sync_block();
}

template <Order kOrder = Order::kAcquire>
void lock(Words word) {
  while (device::atomic_compare_exchange<kOrder>(word, 0, 0u, 1u) != 0) {
  }
}

template <Order kOrder = Order::kRelease>
void unlock(Words word) {
  device::atomic_exchange<kOrder>(word, 0, 0u);
}

// Calls run(device, seed) for seeds and numbers of workers.
template <typename Run>
void for_each_order(uint64_t seeds, Run run) {
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    for (const int workers : {1, 2}) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", workers " << workers);
      emulation::EmulatedDevice device({.seed = seed, .workers = workers});
      run(device);
    }
  }
}

inline emulation::EmulatedBuffer<uint32_t> zero_words(emulation::EmulatedDevice& device,
                                                      int64_t count, const std::string& name) {
  return filled_buffer(device, std::vector<uint32_t>(static_cast<size_t>(count)), name);
}

}  // namespace yolocu::testing

// What orders accesses of different clusters: acquires and releases through 4-byte words of global
// memory, and the fence of the device. Source: PTX ISA 9.0, chapter 8 (release and acquire
// patterns, causality order).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "kernels/emulation/clocks.h"
#include "kernels/emulation/foreign_knowledge.h"
#include "kernels/emulation/primitives.h"

namespace yolocu::emulation {

// The knowledge that a release left at a word stays there for later acquires. Read-modify-writes
// of any order keep it and add what they release; a store puts what it releases, maybe nothing, in
// its place. So does a plain store, which is noticed by the value it leaves.
//
// The word and what is known of it change together, under a lock: any host thread may call.
class SyncVariables {
 public:
  struct Outcome {
    uint32_t old = 0;        // value
    ForeignKnowledge found;  // there before
  };

  // word = operation(old), which returns std::optional<uint32_t>; without a value nothing is
  // stored and this is a load. `word` is aligned to 4 bytes.
  template <typename Operation>
  Outcome update(uint32_t* word, const ForeignKnowledge& released, Operation operation) {
    Stripe& stripe = stripe_of(word);
    const std::scoped_lock lock(stripe.mutex);
    std::atomic_ref<uint32_t> memory(*word);
    Outcome outcome{memory.load(std::memory_order_relaxed), {}};
    Variable* variable = stripe.find(word, outcome.old);
    if (variable != nullptr) outcome.found = variable->knowledge;
    const std::optional<uint32_t> next = operation(outcome.old);
    if (!next) return outcome;
    memory.store(*next, std::memory_order_relaxed);
    if (variable != nullptr) {
      *variable = {merge(variable->knowledge, released), *next};
    } else if (!released.empty()) {
      stripe.variables.insert_or_assign(word, Variable{released, *next});
    }
    return outcome;
  }
  Outcome load(uint32_t* word);
  void store(uint32_t* word, uint32_t value, const ForeignKnowledge& released);

 private:
  struct Variable {
    ForeignKnowledge knowledge;
    uint32_t value = 0;  // left by the last operation
  };
  struct alignas(64) Stripe {
    std::mutex mutex;
    std::unordered_map<const uint32_t*, Variable> variables;

    // nullptr without knowledge of a word that has this value.
    Variable* find(const uint32_t* word, uint32_t value);
  };

  Stripe& stripe_of(const uint32_t* word) {
    return stripes_[reinterpret_cast<uintptr_t>(word) / 4 % stripes_.size()];
  }

  std::array<Stripe, 64> stripes_;
};

// What the fences of one thread make of its relaxed atomics.
struct FenceKnowledge {
  ForeignKnowledge released;  // at its last fence: its relaxed atomics release this
  ForeignKnowledge pending;   // read by its relaxed atomics: its next fence acquires this

  void clear() { *this = {}; }
};

// The thread that synchronises.
struct SyncThread {
  uint32_t cluster = 0, thread = 0;  // number in the grid, rank in the cluster
  uint32_t& clock;                   // grows at every release
  uint32_t fenced = 0;               // its own accesses that it fenced for the asynchronous proxy
  Clock*& known;                     // what it is ordered after
  ClockPool& clocks;                 // where known comes from
  FenceKnowledge& fences;
};

// All that the thread did and knows. What it does from now on is not part of it.
ForeignKnowledge release_all(const SyncThread& by);
// Its accesses from now on are ordered after all of `found`.
void acquire(const SyncThread& by, const ForeignKnowledge& found);

// What an atomic of this order leaves at its word.
ForeignKnowledge released_by(const SyncThread& by, SyncOrder order);
// An atomic of this order found `found` at its word.
void observe(const SyncThread& by, SyncOrder order, const ForeignKnowledge& found);
// fence.acq_rel.gpu.
void fence(const SyncThread& by);

// The operations of kernels/device/atomics.h, on bits. The old value.
template <typename Operation>
uint32_t atomic_update(SyncVariables& variables, const SyncThread& by, SyncOrder order,
                       uint32_t* word, Operation operation) {
  const auto outcome = variables.update(word, released_by(by, order), operation);
  observe(by, order, outcome.found);
  return outcome.old;
}
uint32_t atomic_load(SyncVariables& variables, const SyncThread& by, SyncOrder order,
                     uint32_t* word);
void atomic_store(SyncVariables& variables, const SyncThread& by, SyncOrder order, uint32_t* word,
                  uint32_t value);

}  // namespace yolocu::emulation

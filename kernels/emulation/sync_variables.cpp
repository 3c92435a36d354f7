#include "kernels/emulation/sync_variables.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace yolocu::emulation {
namespace {

bool releases(SyncOrder order) {
  return order == SyncOrder::kRelease || order == SyncOrder::kAcquireRelease;
}

bool acquires(SyncOrder order) {
  return order == SyncOrder::kAcquire || order == SyncOrder::kAcquireRelease;
}

}  // namespace

SyncVariables::Variable* SyncVariables::Stripe::find(const uint32_t* word, uint32_t value) {
  if (variables.empty()) return nullptr;
  const auto found = variables.find(word);
  if (found == variables.end()) return nullptr;
  if (found->second.value == value) return &found->second;
  variables.erase(found);  // somebody stored without an atomic
  return nullptr;
}

SyncVariables::Outcome SyncVariables::load(uint32_t* word) {
  return update(word, {}, [](uint32_t) { return std::optional<uint32_t>(); });
}

void SyncVariables::store(uint32_t* word, uint32_t value, const ForeignKnowledge& released) {
  Stripe& stripe = stripe_of(word);
  const std::scoped_lock lock(stripe.mutex);
  std::atomic_ref<uint32_t>(*word).store(value, std::memory_order_relaxed);
  if (released.empty()) {
    if (!stripe.variables.empty()) stripe.variables.erase(word);
  } else {
    stripe.variables.insert_or_assign(word, Variable{released, value});
  }
}

ForeignKnowledge release_all(const SyncThread& by) {
  std::vector<uint32_t> clocks = by.known->known;
  uint32_t& fenced = clocks[clocks.size() / 2 + by.thread];
  fenced = std::max(fenced, by.fenced);
  clocks[by.thread] = by.clock++;
  return merge(by.known->foreign, ForeignKnowledge(by.cluster, std::move(clocks)));
}

// Others share the thread's vector: it gets a new one, unless there is nothing new. What came back
// about the own cluster belongs into the vector itself.
void acquire(const SyncThread& by, const ForeignKnowledge& found) {
  const ForeignKnowledge foreign = merge(by.known->foreign, found);
  if (foreign.is_same(by.known->foreign)) return;
  Clock* joined = by.clocks.copy(*by.known);
  if (const std::vector<uint32_t>* own = found.find(by.cluster)) {
    for (size_t i = 0; i < joined->known.size(); ++i) {
      joined->known[i] = std::max(joined->known[i], (*own)[i]);
    }
  }
  joined->foreign = foreign;
  by.clocks.share(by.known, joined);
  by.clocks.release(joined);
}

ForeignKnowledge released_by(const SyncThread& by, SyncOrder order) {
  return releases(order) ? release_all(by) : by.fences.released;
}

void observe(const SyncThread& by, SyncOrder order, const ForeignKnowledge& found) {
  if (acquires(order)) {
    acquire(by, found);
  } else {
    by.fences.pending = merge(by.fences.pending, found);
  }
}

void fence(const SyncThread& by) {
  acquire(by, std::exchange(by.fences.pending, {}));
  by.fences.released = release_all(by);
}

uint32_t atomic_load(SyncVariables& variables, const SyncThread& by, SyncOrder order,
                     uint32_t* word) {
  auto outcome = variables.load(word);
  observe(by, order, outcome.found);
  return outcome.old;
}

void atomic_store(SyncVariables& variables, const SyncThread& by, SyncOrder order, uint32_t* word,
                  uint32_t value) {
  variables.store(word, value, released_by(by, order));
}

}  // namespace yolocu::emulation

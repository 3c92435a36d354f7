// Atomics on words of global memory and the fence of the device; loops of them that wait.
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/memory_access.h"
#include "kernels/emulation/sync_variables.h"
#include "kernels/emulation/warp_ops.h"

namespace yolocu::emulation {
namespace {

// A thread gives way after this many polls, even if each is of another word: it may wait for many.
constexpr uint32_t kMostPollsInARow = 64;
constexpr size_t kWordBytes = sizeof(uint32_t);

SyncThread sync_thread(Thread& thread) {
  return {.cluster = thread.cluster->number,
          .thread = thread.id,
          .clock = thread.clock,
          .fenced = thread.fenced,
          .known = thread.known,
          .clocks = thread.cluster->clocks,
          .fences = thread.fences};
}

SyncVariables& variables_of(const Thread& thread) {
  return thread.cluster->launch.state->variables;
}

bool checks_races(const Thread& thread) {
  return thread.cluster->launch.options.races == RaceCheck::kOn;
}

// Nobody asks what is known where races are not checked.
SyncOrder order_for(const Thread& thread, SyncOrder order) {
  return checks_races(thread) ? order : SyncOrder::kRelaxed;
}

bool is_same_place(CallSite a, CallSite b) {
  return a.line == b.line && a.file == b.file;
}

// The access would find what the last one found, and that was in vain: others go first.
void give_way(Thread& thread, const uint32_t* word, CallSite site) {
  Poll& poll = thread.poll;
  if (poll.word != word || !is_same_place(poll.site, site)) return;
  const std::atomic_ref<uint32_t> value(*const_cast<uint32_t*>(word));
  if (value.load(std::memory_order_relaxed) != poll.value) return;
  poll.count = 0;
  thread.cluster->poll(thread, site);
}

// The word, good for one access.
uint32_t* begin_atomic(Thread& thread, GlobalAccess kind, const void* address, CallSite site) {
  wait_for_warp_ops(thread);
  give_way(thread, static_cast<const uint32_t*>(address), site);
  return reinterpret_cast<uint32_t*>(access_global(kind, address, kWordBytes, site));
}

void note_change(Thread& thread) {
  thread.poll = {};
  thread.cluster->note_change();
}

void note_poll(Thread& thread, const uint32_t* word, uint32_t value, CallSite site) {
  thread.cluster->polled_read_bytes += static_cast<int64_t>(kWordBytes);
  thread.poll = {word, value, site, thread.poll.count + 1};
  if (thread.poll.count < kMostPollsInARow) return;
  thread.poll.count = 0;
  thread.cluster->poll(thread, site);
}

}  // namespace

uint32_t load_word(const void* address, SyncOrder order, CallSite site) {
  Thread& thread = *running_thread;
  uint32_t* word = begin_atomic(thread, GlobalAccess::kAtomicRead, address, site);
  const uint32_t value =
      atomic_load(variables_of(thread), sync_thread(thread), order_for(thread, order), word);
  note_poll(thread, word, value, site);
  return value;
}

void store_word(void* address, uint32_t value, SyncOrder order, CallSite site) {
  Thread& thread = *running_thread;
  uint32_t* word = begin_atomic(thread, GlobalAccess::kAtomicWrite, address, site);
  atomic_store(variables_of(thread), sync_thread(thread), order_for(thread, order), word, value);
  note_change(thread);
}

uint32_t update_word(void* address, SyncOrder order, const WordOperation& operation,
                     CallSite site) {
  Thread& thread = *running_thread;
  uint32_t* word = begin_atomic(thread, GlobalAccess::kAtomicUpdate, address, site);
  std::optional<uint32_t> next;
  const uint32_t old =
      atomic_update(variables_of(thread), sync_thread(thread), order_for(thread, order), word,
                    [&](uint32_t value) { return next = operation(value); });
  if (next.value_or(old) != old) {
    note_change(thread);
  } else {
    thread.cluster->polled_written_bytes += static_cast<int64_t>(kWordBytes);
    note_poll(thread, word, old, site);
  }
  return old;
}

void fence_device(CallSite) {
  Thread& thread = *running_thread;
  wait_for_warp_ops(thread);
  if (checks_races(thread)) fence(sync_thread(thread));
}

}  // namespace yolocu::emulation

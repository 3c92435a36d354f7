#include "kernels/emulation/shadow.h"

#include <algorithm>

#include "engine/base/str_cat.h"
#include "kernels/emulation/report.h"

namespace yolocu::emulation {
namespace {

// The bytes of word `index` that [address, address + size) covers.
uint8_t bytes_of_word(size_t index, uint32_t address, size_t size) {
  uint8_t bytes = 0;
  for (size_t i = 0; i < 4; ++i) {
    const size_t at = index * 4 + i;
    if (at >= address && at < address + size) bytes = static_cast<uint8_t>(bytes | (1u << i));
  }
  return bytes;
}

bool is_ordered(const Accessor& by, uint32_t thread, uint32_t clock) {
  return thread == by.thread || clock <= by.known->known[thread];
}

}  // namespace

SharedShadow::Word& SharedShadow::fresh(size_t index) {
  Word& word = words_[index];
  if (word.generation != generation_) {
    word = Word{};
    word.generation = generation_;
  }
  return word;
}

std::string SharedShadow::conflict(const Word& word, const Accessor& by, AccessKind kind,
                                   uint8_t bytes) {
  const auto race = [&](const Access& other) {
    const bool both_atomic = other.atomic && kind == AccessKind::kAtomic;
    return (other.bytes & bytes) != 0 && !both_atomic && !is_ordered(by, other.thread, other.clock);
  };
  const auto text = [](std::string_view did, const Access& other) {
    return str_cat("race: thread ", other.thread, " ", did, " the same bytes at ",
                   place_text(other.site), " and no barrier lies between");
  };
  if ((word.in_flight & bytes) != 0) {
    return str_cat("bytes of an asynchronous copy that is still in flight, issued at ",
                   place_text(word.writers[0].site), " by thread ", word.writers[0].thread);
  }
  const bool reads = kind == AccessKind::kRead || kind == AccessKind::kAtomic;
  if (reads && (word.written & bytes) != bytes) return "uninitialised shared memory is read";
  for (const Access& writer : word.writers) {
    if (race(writer)) return text("wrote", writer);
  }
  if (kind == AccessKind::kRead) return {};
  for (const Access& reader : word.readers) {
    if (race(reader)) return text("read", reader);
  }
  return {};
}

// Keeps what a later access could still race with. An access that this one is ordered after, to
// bytes that this one covers, can go: who races with it races with this one too.
void SharedShadow::record(Word& word, const Accessor& by, const Access& access, AccessKind kind) {
  const auto covers = [&](const Access& old) {
    return (old.bytes & ~access.bytes) == 0 && is_ordered(by, old.thread, old.clock);
  };
  if (kind == AccessKind::kRead) {
    auto& readers = word.readers;
    // If neither may go, the older one does, and a race with it may be missed.
    const size_t older = readers[0].clock <= readers[1].clock ? 0 : 1;
    readers[covers(readers[0]) ? 0 : covers(readers[1]) ? 1 : older] = access;
    return;
  }
  for (Access& reader : word.readers) {
    if (covers(reader)) reader = Access{};
  }
  if (!covers(word.writers[0])) word.writers[1] = word.writers[0];
  word.writers[0] = access;
  word.written |= access.bytes;
  if (kind == AccessKind::kAsyncWrite) word.in_flight |= access.bytes;
}

std::string SharedShadow::access(const Accessor& by, AccessKind kind, uint32_t address, size_t size,
                                 CallSite site) {
  const size_t last = (address + size - 1) / 4;
  for (size_t i = address / 4; i <= last; ++i) {
    Word& word = fresh(i);
    const uint8_t bytes = bytes_of_word(i, address, size);
    if (std::string what = conflict(word, by, kind, bytes); !what.empty()) return what;
    record(word, by,
           {by.clock, static_cast<uint16_t>(by.thread), bytes, kind == AccessKind::kAtomic, site},
           kind);
  }
  return {};
}

void SharedShadow::finish_async_write(const Accessor& by, uint32_t address, size_t size) {
  const size_t last = (address + size - 1) / 4;
  for (size_t i = address / 4; i <= last; ++i) {
    Word& word = fresh(i);
    const uint8_t bytes = bytes_of_word(i, address, size);
    word.in_flight = static_cast<uint8_t>(word.in_flight & ~bytes);
    word.writers[0].clock = by.clock;  // in flight, nobody else could have become the writer
  }
}

}  // namespace yolocu::emulation

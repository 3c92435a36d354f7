#include "kernels/emulation/shadow.h"

#include "engine/base/str_cat.h"
#include "kernels/emulation/report.h"

namespace yolocu::emulation {
namespace {

constexpr uint8_t kAllBytes = 15;

// The bytes of word `index` that [address, address + size) covers.
uint8_t bytes_of_word(size_t index, uint32_t address, size_t size) {
  if (size >= 4) return kAllBytes;  // aligned
  return static_cast<uint8_t>(((1u << size) - 1) << (address - index * 4));
}

}  // namespace

// The granule's state becomes that of each of its words.
void SharedShadow::split(size_t index) {
  Granule& granule = fresh(index);
  if (granule.is_split) return;
  if (words_.empty()) words_.resize(granules_.size() * kWordsPerGranule);
  for (size_t i = 0; i < kWordsPerGranule; ++i) {
    Word& word = words_[index * kWordsPerGranule + i];
    word.written = granule.is_written ? kAllBytes : 0;
    word.in_flight = granule.is_in_flight ? kAllBytes : 0;
    word.writers = {granule.writer, Access{}};
    word.readers = granule.readers;
  }
  granule.is_split = true;
}

bool SharedShadow::has_conflict(const Word& word, const Accessor& by, AccessKind kind,
                                uint8_t bytes) {
  if ((word.in_flight & bytes) != 0) return true;
  const bool reads = kind == AccessKind::kRead || kind == AccessKind::kAtomic;
  if (reads && (word.written & bytes) != bytes) return true;
  const auto race = [&](const Access& other) {
    const bool both_atomic = other.atomic && kind == AccessKind::kAtomic;
    return (other.bytes & bytes) != 0 && !both_atomic && !is_after(by, other);
  };
  if (race(word.writers[0]) || race(word.writers[1])) return true;
  return kind != AccessKind::kRead && (race(word.readers[0]) || race(word.readers[1]));
}

std::string SharedShadow::conflict(const Word& word, const Accessor& by, AccessKind kind,
                                   uint8_t bytes) const {
  const auto race = [&](const Access& other) {
    const bool both_atomic = other.atomic && kind == AccessKind::kAtomic;
    return (other.bytes & bytes) != 0 && !both_atomic && !is_after(by, other);
  };
  const auto text = [this](std::string_view did, const Access& other) {
    return str_cat("race: thread ", other.thread, " ", did, " the same bytes at ", place_of(other),
                   " and no barrier lies between");
  };
  if ((word.in_flight & bytes) != 0) {
    return str_cat("bytes of an asynchronous copy that is still in flight, issued at ",
                   place_of(word.writers[0]), " by thread ", word.writers[0].thread);
  }
  const bool reads = kind == AccessKind::kRead || kind == AccessKind::kAtomic;
  if (reads && (word.written & bytes) != bytes) return "uninitialised shared memory is read";
  for (const Access& writer : word.writers) {
    if (race(writer)) return text("wrote", writer);
  }
  for (const Access& reader : word.readers) {
    if (kind != AccessKind::kRead && race(reader)) return text("read", reader);
  }
  return {};
}

// Keeps what a later access could still race with. An access that this one is ordered after, to
// bytes that this one covers, can go: who races with it races with this one too.
void SharedShadow::record(Word& word, const Accessor& by, const Access& access, AccessKind kind) {
  const auto covers = [&](const Access& old) {
    return (old.bytes & ~access.bytes) == 0 && is_after(by, old);
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
  word.written = static_cast<uint8_t>(word.written | access.bytes);
  if (kind == AccessKind::kAsyncWrite)
    word.in_flight = static_cast<uint8_t>(word.in_flight | access.bytes);
}

bool SharedShadow::access_words(const Accessor& by, AccessKind kind, uint32_t address,
                                size_t size) {
  split(address / kGranule);
  const size_t last = (address + size - 1) / 4;
  for (size_t i = address / 4; i <= last; ++i) {
    const uint8_t bytes = bytes_of_word(i, address, size);
    if (has_conflict(words_[i], by, kind, bytes)) return false;
    record(words_[i], by, access_of(by, kind, bytes), kind);
  }
  return true;
}

bool SharedShadow::access_split(const Accessor& by, AccessKind kind, size_t index) {
  const auto address = static_cast<uint32_t>(index * kGranule);
  if (!access_words(by, kind, address, kGranule)) return false;
  if (kind == AccessKind::kRead) return true;
  // A write of all bytes that is ordered after all before: the granule is whole again.
  for (size_t i = 0; i < kWordsPerGranule; ++i) {
    const Word& word = words_[index * kWordsPerGranule + i];
    if (word.writers[1].bytes != 0 && !is_after(by, word.writers[1])) return true;
    if (word.readers[0].bytes != 0 || word.readers[1].bytes != 0) return true;
  }
  Granule whole;
  whole.generation = generation_;
  whole.is_written = true;
  whole.is_in_flight = kind == AccessKind::kAsyncWrite;
  whole.writer = access_of(by, kind, kAllBytes);
  granules_[index] = whole;
  return true;
}

std::string SharedShadow::place_of(const Access& access) const {
  return place_text(sites_->site(access.site));
}

std::string SharedShadow::unfenced_text(const Access& writer) const {
  return str_cat("the asynchronous proxy touches what thread ", writer.thread, " wrote at ",
                 place_of(writer), ", and no fence_async_proxy of that thread lies between");
}

std::string SharedShadow::explain(const Accessor& by, AccessKind kind, uint32_t address,
                                  size_t size) {
  for (size_t i = address / kGranule; i <= (address + size - 1) / kGranule; ++i) split(i);
  for (size_t i = address / 4; i <= (address + size - 1) / 4; ++i) {
    std::string what = conflict(words_[i], by, kind, bytes_of_word(i, address, size));
    if (!what.empty()) return what;
  }
  return "an access that was refused for no reason";
}

void SharedShadow::finish_async_write(const Accessor& by, uint32_t address, size_t size) {
  const auto finish = [&](auto& memory, auto& writer, auto finished) {
    memory = finished;
    writer.clock = by.clock & kMostClock;  // in flight, nobody else could have become the writer
  };
  for (size_t i = address / kGranule; i <= (address + size - 1) / kGranule; ++i) {
    Granule& granule = fresh(i);
    if (!granule.is_split) {
      finish(granule.is_in_flight, granule.writer, false);
      continue;
    }
    for (size_t w = i * kWordsPerGranule; w < (i + 1) * kWordsPerGranule; ++w) {
      if (w * 4 + 4 <= address || w * 4 >= address + size) continue;
      const uint8_t bytes = bytes_of_word(w, address, size);
      finish(words_[w].in_flight, words_[w].writers[0],
             static_cast<uint8_t>(words_[w].in_flight & ~bytes));
    }
  }
}

}  // namespace yolocu::emulation

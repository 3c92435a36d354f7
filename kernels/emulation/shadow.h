// What is known of every byte of a block's shared memory: whether it was written, whether an
// asynchronous copy is on its way to it, and who touched it last and when.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/emulation/call_sites.h"
#include "kernels/emulation/clocks.h"

namespace yolocu::emulation {

enum class AccessKind : uint8_t { kRead, kWrite, kAtomic, kAsyncWrite };

// Who accesses, and what it is ordered after.
struct Accessor {
  uint32_t thread = 0;
  uint32_t clock = 0;
  const Clock* known = nullptr;
  uint16_t site = 0;  // where: a number of the SiteTable
  // Its own accesses since then are in order: of a thread all, of an agent only those of one
  // operation.
  uint32_t in_order_since = 0;

  bool is_after(uint32_t other, uint32_t other_clock) const {
    return (other == thread && other_clock >= in_order_since) || other_clock <= known->known[other];
  }
};

// Two accesses race if one writes, they share a byte, they are not both atomic, and neither is
// ordered before the other.
//
// Memory is watched by granules of 16 bytes as long as all accesses cover whole ones, which is what
// fast kernels do; a smaller access splits its granule into words of 4 bytes with a mask each. A
// granule remembers one writer and two readers, a word two of each: with more at once a race can be
// missed, but none is invented.
class SharedShadow {
 public:
  // sites names places in messages, and outlives this.
  SharedShadow(size_t bytes, const SiteTable& sites)
      : granules_((bytes + kGranule - 1) / kGranule), sites_(&sites) {}

  // All bytes unwritten again, for the next block.
  void reset() { ++generation_; }

  // Records the access and returns true, or returns false if it is an error. The range lies inside
  // the memory and is aligned to its size, if that is at most 16; else to 16 bytes.
  bool access(const Accessor& by, AccessKind kind, uint32_t address, size_t size) {
    if (size < kGranule) return access_words(by, kind, address, size);
    for (size_t i = address / kGranule; i < (address + size) / kGranule; ++i) {
      if (!access_granule(by, kind, i)) return false;
    }
    return true;
  }
  // Names the last ordinary write in the range for which is_fenced(thread, clock) is false; empty
  // if there is none.
  template <typename Fenced>
  std::string unfenced_write(const Fenced& is_fenced, uint32_t address, size_t size) const {
    for (size_t i = address / kGranule; i <= (address + size - 1) / kGranule; ++i) {
      const Granule& granule = granules_[i];
      if (granule.generation != generation_) continue;
      const auto unfenced = [&](const Access& writer) {
        return writer.bytes != 0 && !is_fenced(writer.thread, writer.clock);
      };
      if (!granule.is_split && unfenced(granule.writer)) return unfenced_text(granule.writer);
      for (size_t w = 0; granule.is_split && w < kWordsPerGranule; ++w) {
        for (const Access& writer : words_[i * kWordsPerGranule + w].writers) {
          if (unfenced(writer)) return unfenced_text(writer);
        }
      }
    }
    return {};
  }
  // What is wrong with the access that was refused just now.
  std::string explain(const Accessor& by, AccessKind kind, uint32_t address, size_t size);

  // The copy whose kAsyncWrite was recorded by the same thread has arrived for it.
  void finish_async_write(const Accessor& by, uint32_t address, size_t size);

 private:
  static constexpr size_t kGranule = 16;
  static constexpr size_t kWordsPerGranule = 4;
  static constexpr uint32_t kMostClock = (1u << 27) - 1;  // a block releases less often than this

  // 8 bytes, so that the shadow of a block stays in the cache.
  struct Access {
    uint32_t clock : 27 = 0;
    uint32_t bytes : 4 = 0;  // of the word, a bit each; 0: none. Of a granule: 0 or 15
    uint32_t atomic : 1 = 0;
    uint16_t thread = 0;
    uint16_t site = 0;
  };
  static_assert(sizeof(Access) == 8);
  struct Granule {
    uint32_t generation = 0;
    bool is_written = false, is_in_flight = false, is_split = false;
    Access writer = {};
    std::array<Access, 2> readers = {};
  };
  struct Word {
    uint8_t written = 0, in_flight = 0;
    std::array<Access, 2> writers = {}, readers = {};
  };

  std::string unfenced_text(const Access& writer) const;
  static bool is_after(const Accessor& by, const Access& other) {
    return by.is_after(other.thread, other.clock);
  }
  // A later access that races with `old` races with one of all its bytes that is ordered after it.
  static bool may_go(const Accessor& by, const Access& old) {
    return old.bytes == 0 || is_after(by, old);
  }

  Granule& fresh(size_t index) {
    Granule& granule = granules_[index];
    if (granule.generation != generation_) {
      granule = Granule{};
      granule.generation = generation_;
    }
    return granule;
  }

  bool access_granule(const Accessor& by, AccessKind kind, size_t index) {
    Granule& granule = fresh(index);
    if (granule.is_split) return access_split(by, kind, index);
    if (granule.is_in_flight || !may_go(by, granule.writer)) return false;
    if (kind == AccessKind::kRead) {
      if (!granule.is_written) return false;
      auto& readers = granule.readers;
      // If neither may go, the older one does, and a race with it may be missed.
      const size_t older = readers[0].clock <= readers[1].clock ? 0 : 1;
      const size_t place = may_go(by, readers[0]) ? 0 : may_go(by, readers[1]) ? 1 : older;
      readers[place] = access_of(by, kind, 15);
      return true;
    }
    for (Access& reader : granule.readers) {
      if (!may_go(by, reader)) return false;
      reader.bytes = 0;
    }
    granule.writer = access_of(by, kind, 15);
    granule.is_written = true;
    granule.is_in_flight = kind == AccessKind::kAsyncWrite;
    return true;
  }

  static Access access_of(const Accessor& by, AccessKind kind, uint32_t bytes) {
    Access access;
    access.clock = by.clock & kMostClock;
    access.bytes = bytes & 15u;
    access.atomic = kind == AccessKind::kAtomic ? 1 : 0;
    access.thread = static_cast<uint16_t>(by.thread);
    access.site = by.site;
    return access;
  }

  void split(size_t index);
  bool access_split(const Accessor& by, AccessKind kind, size_t index);
  bool access_words(const Accessor& by, AccessKind kind, uint32_t address, size_t size);
  std::string place_of(const Access& access) const;
  std::string conflict(const Word& word, const Accessor& by, AccessKind kind, uint8_t bytes) const;
  static bool has_conflict(const Word& word, const Accessor& by, AccessKind kind, uint8_t bytes);
  static void record(Word& word, const Accessor& by, const Access& access, AccessKind kind);

  std::vector<Granule> granules_;
  std::vector<Word> words_;  // empty until a granule is split
  const SiteTable* sites_;
  uint32_t generation_ = 1;
};

}  // namespace yolocu::emulation

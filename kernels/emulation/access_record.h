// What the shadow of global memory remembers of one access, and when two accesses conflict.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/emulation/call_sites.h"
#include "kernels/emulation/clocks.h"
#include "kernels/emulation/foreign_knowledge.h"

namespace yolocu::emulation {

// kAtomicUpdate: a read-modify-write.
enum class GlobalAccess : uint8_t { kRead, kWrite, kAtomicRead, kAtomicWrite, kAtomicUpdate };

inline bool reads(GlobalAccess kind) {
  return kind != GlobalAccess::kWrite && kind != GlobalAccess::kAtomicWrite;
}

inline bool writes(GlobalAccess kind) {
  return kind != GlobalAccess::kRead && kind != GlobalAccess::kAtomicRead;
}

// Who accesses, and what it is ordered after.
//
// Within a launch: accesses of its own cluster by `known`, those of other clusters by `foreign`.
// Of earlier launches, `first_unfinished` and later may still run for all this thread knows; it is
// `epoch` unless the thread is one of a dependent launch before wait_for_prior_grids.
// `first_in_chain` is what first_unfinished is for threads of this launch that have not waited yet:
// `epoch` unless the launch is dependent.
struct GlobalAccessor {
  uint32_t epoch = 0;    // of the launch: 1..AccessRecord::kMostEpochs, growing
  uint32_t cluster = 0;  // number in the grid
  uint32_t thread = 0;   // rank in the cluster, its place in clocks; below kMostThreads
  uint32_t clock = 0;
  // Own accesses from this clock on come in order; earlier ones only if `known` says so: those of
  // asynchronous operations that share a number.
  uint32_t in_order_since = 0;
  uint32_t first_unfinished = 0, first_in_chain = 0;
  const Clock* known = nullptr;
  const ForeignKnowledge* foreign = nullptr;  // nullptr: of nothing
  SiteCache* sites = nullptr;                 // the host thread's
};

// One access to some bytes of one granule of 16.
struct GranuleAccess {
  const GlobalAccessor& by;
  const CallSite& site;
  uint32_t bytes;  // a bit each
  bool writes, atomic;
};

// 16 bytes. All zeros: none. No bytes, but an epoch: a mark of the shadow, whose `pointer` it has.
struct AccessRecord {
  static constexpr uint32_t kMostEpochs = (1u << 16) - 1;
  static constexpr uint32_t kMostThreads = 1u << 14;  // 8 blocks of 1024, and agents
  static constexpr int kThreadBit = 16, kBytesBit = 30, kWritesBit = 46, kAtomicBit = 47,
                       kSiteBit = 48, kLockBit = 63;
  static_assert(SiteTable::kMost < 1u << (kLockBit - kSiteBit), "a site has 15 bits");

  uint64_t who = 0;   // cluster, then clock; or a pointer
  uint64_t what = 0;  // the rest; the top bit belongs to the shadow

  uint32_t cluster() const { return static_cast<uint32_t>(who); }
  uint32_t clock() const { return static_cast<uint32_t>(who >> 32); }
  uint32_t epoch() const { return static_cast<uint32_t>(what) & kMostEpochs; }
  uint32_t thread() const { return static_cast<uint32_t>(what >> kThreadBit) & (kMostThreads - 1); }
  uint32_t bytes() const { return static_cast<uint32_t>(what >> kBytesBit) & 0xFFFF; }
  bool writes() const { return (what >> kWritesBit & 1) != 0; }
  bool atomic() const { return (what >> kAtomicBit & 1) != 0; }
  uint32_t site() const { return static_cast<uint32_t>(what >> kSiteBit) & SiteTable::kMost; }
  bool is_mark() const { return epoch() != 0 && bytes() == 0; }

  void add_bytes(uint32_t bytes) { what |= uint64_t{bytes} << kBytesBit; }
  void remove_bytes(uint32_t bytes) { what &= ~(uint64_t{bytes} << kBytesBit); }
  void set_epoch(uint32_t epoch) { what = (what & ~uint64_t{kMostEpochs}) | epoch; }
};

inline AccessRecord make_record(const GranuleAccess& access) {
  const GlobalAccessor& by = access.by;
  const uint64_t site = by.sites == nullptr ? 0 : by.sites->number(access.site);
  return {by.cluster | uint64_t{by.clock} << 32,
          by.epoch | uint64_t{by.thread} << AccessRecord::kThreadBit |
              uint64_t{access.bytes} << AccessRecord::kBytesBit |
              uint64_t{access.writes} << AccessRecord::kWritesBit |
              uint64_t{access.atomic} << AccessRecord::kAtomicBit | site << AccessRecord::kSiteBit};
}

// Of two accesses of one launch.
inline bool is_ordered(const GlobalAccessor& by, const AccessRecord& earlier) {
  if (earlier.cluster() == by.cluster) {
    return (earlier.thread() == by.thread && earlier.clock() >= by.in_order_since) ||
           earlier.clock() <= by.known->known[earlier.thread()];
  }
  return by.foreign != nullptr &&
         by.foreign->knows(earlier.cluster(), earlier.thread(), earlier.clock());
}

inline bool is_conflict(const GranuleAccess& access, const AccessRecord& earlier) {
  if ((earlier.bytes() & access.bytes) == 0) return false;
  if (!earlier.writes() && !access.writes) return false;
  if (earlier.atomic() && access.atomic) return false;
  if (earlier.epoch() != access.by.epoch) return earlier.epoch() >= access.by.first_unfinished;
  return !is_ordered(access.by, earlier);
}

inline bool is_same_kind(const GranuleAccess& access, const AccessRecord& earlier) {
  return earlier.writes() == access.writes && earlier.atomic() == access.atomic;
}

// Whether all kinds of access that conflict with `earlier` conflict with this one too.
inline bool covers_kind(const GranuleAccess& access, const AccessRecord& earlier) {
  return (access.writes || !earlier.writes()) && (!access.atomic || earlier.atomic());
}

// But for the bytes and the place.
inline bool is_same_access(const GranuleAccess& access, const AccessRecord& earlier) {
  const GlobalAccessor& by = access.by;
  return earlier.who == (by.cluster | uint64_t{by.clock} << 32) && earlier.epoch() == by.epoch &&
         earlier.thread() == by.thread && is_same_kind(access, earlier);
}

}  // namespace yolocu::emulation

// Who accessed each byte of one allocation of emulated global memory last: finds races between the
// threads of a launch, and accesses that a dependent launch may not make yet.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "kernels/emulation/access_record.h"
#include "kernels/emulation/zero_pages.h"

namespace yolocu::emulation {

// The earlier access that nothing orders before this one.
struct GlobalConflict {
  size_t byte = 0;  // offset of the first byte that both touch
  uint32_t epoch = 0, cluster = 0, thread = 0;
  bool writes = false, atomic = false;
  uint32_t site = 0;  // in the SiteTable
};

// Two accesses race if one writes, they share a byte, they are not both atomic, and neither is
// ordered before the other. Each byte remembers its last write and, of each kind (reads, atomic
// reads, atomic writes), two accesses, of distinct clusters where there were some: of three or more
// that nothing orders, one can be forgotten and a race with it missed. None is invented.
//
// How: a cell for each 16 bytes (granule) has room for four records: launch, cluster, thread,
// clock, bytes of the granule, kind, place. Records of launches that are over count as empty, so
// a launch begins without clearing anything. A cell that needs more records gets a list, until the
// next launch comes by.
//
// Several host threads: a cell is changed under a lock of its own, a bit in it. A read that would
// change nothing (two clusters have read the same bytes already) takes no lock.
class GlobalShadow {
 public:
  static constexpr size_t kGranule = 16;

  enum class Sharing : uint8_t { kOneHostThread, kManyHostThreads };

  // Of no bytes.
  GlobalShadow() = default;
  // valid() is false if the system has no room.
  explicit GlobalShadow(size_t bytes)
      : cells_((bytes + kGranule - 1) / kGranule * sizeof(Cell)),
        lists_(std::make_unique<Lists>()) {}
  bool valid() const { return cells_.bytes() == 0 || cells_.data() != nullptr; }

  // Before a launch.
  void set_sharing(Sharing sharing) { sharing_ = sharing; }
  // Forgets all accesses, so that epochs can start from 1 again.
  bool clear();

  void prefetch(size_t granule) const {
    __builtin_prefetch(static_cast<const Cell*>(cells_.data()) + granule, 1);
  }
  // access() of bytes of one granule. False: nothing was done, access() has to look closer.
  bool try_access(const GlobalAccessor& by, GlobalAccess kind, size_t granule, uint32_t bytes,
                  const CallSite& site);
  // Records the access to [offset, offset + size), which lies inside the allocation, or says what
  // it conflicts with.
  std::optional<GlobalConflict> access(const GlobalAccessor& by, GlobalAccess kind, size_t offset,
                                       size_t size, const CallSite& site);

 private:
  static constexpr size_t kRecords = 4;
  struct alignas(64) Cell {
    std::array<AccessRecord, kRecords> records;
  };
  using List = std::vector<AccessRecord>;
  // Reused; owns all of them.
  struct Lists {
    std::mutex mutex;
    std::deque<List> all;
    std::vector<List*> free;
  };

  Cell& cell(size_t index) { return static_cast<Cell*>(cells_.data())[index]; }
  void store(Cell& cell, size_t slot, AccessRecord record) const;
  void lock(Cell& cell) const;
  void unlock(Cell& cell) const;

  // False: the access needs access_records.
  bool access_quickly(Cell& cell, const GranuleAccess& access) const;
  std::optional<AccessRecord> access_records(Cell& cell, const GranuleAccess& access);
  void store_records(Cell& cell, std::span<const AccessRecord> records, List* list);
  List* take_list();
  void return_list(List* list);

  ZeroPages cells_;
  std::unique_ptr<Lists> lists_;
  Sharing sharing_ = Sharing::kManyHostThreads;
};

}  // namespace yolocu::emulation

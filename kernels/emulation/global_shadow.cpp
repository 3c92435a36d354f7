#include "kernels/emulation/global_shadow.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <thread>

namespace yolocu::emulation {
namespace {

constexpr uint64_t kLocked = uint64_t{1} << AccessRecord::kLockBit;
constexpr int kSpinsBeforeYield = 64;

AccessRecord load(const AccessRecord& record) {
  auto& words = const_cast<AccessRecord&>(record);
  return {std::atomic_ref<uint64_t>(words.who).load(std::memory_order_relaxed),
          std::atomic_ref<uint64_t>(words.what).load(std::memory_order_relaxed)};
}

bool is_write(GlobalAccess kind) {
  return kind != GlobalAccess::kRead && kind != GlobalAccess::kAtomicRead;
}

bool is_atomic(GlobalAccess kind) {
  return kind != GlobalAccess::kRead && kind != GlobalAccess::kWrite;
}

// --- the quick way: nearly every access changes one record of its cell, or none ---

constexpr int kNothingToDo = -1, kSlow = -2;

// What record_access would do, if that is simple: the slot of the cell that the access's record
// goes to, or one of the above. Records that count come before those that do not.
template <size_t kSlots>
inline int quick_slot(const std::array<AccessRecord, kSlots>& cell, const GranuleAccess& access) {
  const GlobalAccessor& by = access.by;
  int superseded = kSlow, others = 0;
  uint32_t other_cluster = 0;
  bool is_recorded = false, are_distinct = false;
  size_t slot = 0;
  for (; slot < kSlots; ++slot) {
    const AccessRecord record = load(cell[slot]);
    if (record.is_mark()) return kSlow;
    if (record.epoch() != by.epoch) {
      if (record.epoch() < by.first_in_chain) break;
      if (is_conflict(access, record)) return kSlow;
      continue;
    }
    if ((record.bytes() & access.bytes) == 0) {
      if (is_same_access(access, record)) return kSlow;
      continue;
    }
    const bool has_all = (access.bytes & ~record.bytes()) == 0;
    if (is_ordered(by, record)) {
      if (has_all && is_same_access(access, record)) {
        is_recorded = true;
        continue;
      }
      const bool is_gone = (record.bytes() & ~access.bytes) == 0 && covers_kind(access, record);
      if (superseded != kSlow || !is_gone) return kSlow;
      superseded = static_cast<int>(slot);
      continue;
    }
    if (access.writes || !is_same_kind(access, record) || !has_all) return kSlow;
    are_distinct |= others > 0 && record.cluster() != other_cluster;
    other_cluster = record.cluster();
    ++others;
  }
  if (is_recorded) return kNothingToDo;
  if (superseded != kSlow) return superseded;
  if (others >= 2) return are_distinct || other_cluster == by.cluster ? kNothingToDo : kSlow;
  return slot == kSlots ? kSlow : static_cast<int>(slot);
}

// --- the full way ---

// An access to bytes that this one covers, and that it is ordered after, can go: who races with
// that one races with this one too.
void trim_superseded(std::span<AccessRecord> records, const GranuleAccess& access) {
  for (AccessRecord& record : records) {
    if ((record.bytes() & access.bytes) != 0 && record.epoch() == access.by.epoch &&
        covers_kind(access, record) && is_ordered(access.by, record)) {
      record.remove_bytes(access.bytes);
    }
  }
}

// Whether two others of the same kind speak for this one. If those are of one cluster and this is
// of another, it takes the place of one of them instead.
bool is_dispensable(std::span<AccessRecord> records, const GranuleAccess& access) {
  if (access.writes && !access.atomic) return false;
  AccessRecord* first = nullptr;
  AccessRecord* second = nullptr;
  for (AccessRecord& record : records) {
    const bool speaks = record.epoch() == access.by.epoch &&
                        (access.bytes & ~record.bytes()) == 0 && is_same_kind(access, record);
    if (!speaks) continue;
    if (first != nullptr && record.cluster() != first->cluster()) return true;
    second = first;
    first = &record;
  }
  if (second == nullptr) return false;
  if (first->cluster() == access.by.cluster) return true;
  second->remove_bytes(access.bytes);
  return false;
}

// The same thread at the same place, of which only the bytes differ: one record for both.
bool extend_same(std::span<AccessRecord> records, const GranuleAccess& access) {
  const uint32_t site = make_record(access).site();
  for (AccessRecord& record : records) {
    if (record.bytes() != 0 && is_same_access(access, record) && record.site() == site) {
      record.add_bytes(access.bytes);
      return true;
    }
  }
  return false;
}

// How many there are without those that have no bytes.
size_t remove_empty(std::span<AccessRecord> records) {
  const auto end = std::remove_if(records.begin(), records.end(),
                                  [](const AccessRecord& record) { return record.bytes() == 0; });
  return static_cast<size_t>(end - records.begin());
}

// Launches that may still run are all alike to those that have not waited: one record a kind.
size_t merge_earlier_launches(std::span<AccessRecord> records, uint32_t epoch) {
  for (size_t i = 0; i < records.size(); ++i) {
    AccessRecord& into = records[i];
    for (size_t j = i + 1; j < records.size() && into.epoch() != epoch; ++j) {
      AccessRecord& from = records[j];
      if (from.epoch() == epoch || from.writes() != into.writes() ||
          from.atomic() != into.atomic()) {
        continue;
      }
      into.add_bytes(from.bytes());
      into.set_epoch(std::max(into.epoch(), from.epoch()));
      from.remove_bytes(from.bytes());
    }
  }
  return remove_empty(records);
}

// records has room for one more, at its end. How many there are then; `most` should do.
size_t record_access(std::span<AccessRecord> records, const GranuleAccess& access, size_t most) {
  const auto old = records.first(records.size() - 1);
  for (AccessRecord& record : old) {
    if (record.epoch() < access.by.first_in_chain) record = {};
  }
  trim_superseded(old, access);
  records.back() = {};
  if (!is_dispensable(old, access) && !extend_same(old, access)) {
    records.back() = make_record(access);
  }
  const size_t count = remove_empty(records);
  return count <= most ? count : merge_earlier_launches(records.first(count), access.by.epoch);
}

}  // namespace

// --- cells ---

void GlobalShadow::store(Cell& cell, size_t slot, AccessRecord record) const {
  if (slot == 0 && sharing_ == Sharing::kManyHostThreads) record.what |= kLocked;
  AccessRecord& words = cell.records[slot];
  std::atomic_ref<uint64_t>(words.who).store(record.who, std::memory_order_relaxed);
  std::atomic_ref<uint64_t>(words.what).store(record.what, std::memory_order_relaxed);
}

void GlobalShadow::lock(Cell& cell) const {
  std::atomic_ref<uint64_t> word(cell.records[0].what);
  for (int spins = 0; (word.fetch_or(kLocked, std::memory_order_acquire) & kLocked) != 0;) {
    if (++spins % kSpinsBeforeYield == 0) std::this_thread::yield();
  }
}

void GlobalShadow::unlock(Cell& cell) const {
  std::atomic_ref<uint64_t> word(cell.records[0].what);  // nobody else changes it meanwhile
  word.store(word.load(std::memory_order_relaxed) & ~kLocked, std::memory_order_release);
}

bool GlobalShadow::clear() {
  lists_ = std::make_unique<Lists>();
  return cells_.clear();
}

GlobalShadow::List* GlobalShadow::take_list() {
  const std::scoped_lock lock(lists_->mutex);
  if (lists_->free.empty()) return &lists_->all.emplace_back();
  List* list = lists_->free.back();
  lists_->free.pop_back();
  return list;
}

void GlobalShadow::return_list(List* list) {
  if (list == nullptr) return;
  const std::scoped_lock lock(lists_->mutex);
  lists_->free.push_back(list);
}

// Into the cell itself if they fit, else into `list`, or a new one without it.
void GlobalShadow::store_records(Cell& cell, std::span<const AccessRecord> records, List* list) {
  if (records.size() <= kRecords) {
    for (size_t slot = 0; slot < kRecords; ++slot) {
      store(cell, slot, slot < records.size() ? records[slot] : AccessRecord{});
    }
    return return_list(list);
  }
  AccessRecord mark;
  for (const AccessRecord& record : records) {
    mark.set_epoch(std::max(mark.epoch(), record.epoch()));
  }
  if (list == nullptr) {
    list = take_list();
    list->assign(records.begin(), records.end());
  } else {
    list->resize(records.size());  // it has them
  }
  mark.who = reinterpret_cast<uintptr_t>(list);
  store(cell, 0, mark);
}

// --- accesses ---

bool GlobalShadow::access_quickly(Cell& cell, const GranuleAccess& access) const {
  bool is_locked = sharing_ == Sharing::kOneHostThread;
  for (;;) {
    const int slot = quick_slot(cell.records, access);
    // Without the lock, torn records at worst forget this access beside two others.
    if (slot >= 0 && !is_locked) {
      lock(cell);
      is_locked = true;
      continue;
    }
    if (slot >= 0) store(cell, static_cast<size_t>(slot), make_record(access));
    if (is_locked && sharing_ == Sharing::kManyHostThreads) unlock(cell);
    return slot != kSlow;
  }
}

std::optional<AccessRecord> GlobalShadow::access_records(Cell& cell, const GranuleAccess& access) {
  std::array<AccessRecord, kRecords + 1> copies;
  std::span<AccessRecord> records = copies;
  List* list = nullptr;
  if (load(cell.records[0]).is_mark()) {
    list = reinterpret_cast<List*>(load(cell.records[0]).who);
    list->emplace_back();
    records = *list;
  } else {
    for (size_t slot = 0; slot < kRecords; ++slot) {
      copies[slot] = load(cell.records[slot]);
      copies[slot].what &= ~kLocked;
    }
  }
  for (const AccessRecord& record : records.first(records.size() - 1)) {
    if (!is_conflict(access, record)) continue;
    const AccessRecord conflict = record;
    if (list != nullptr) list->pop_back();
    return conflict;
  }
  store_records(cell, records.first(record_access(records, access, kRecords)), list);
  return {};
}

bool GlobalShadow::try_access(const GlobalAccessor& by, GlobalAccess kind, size_t granule,
                              uint32_t bytes, const CallSite& site) {
  return access_quickly(cell(granule), {by, site, bytes, is_write(kind), is_atomic(kind)});
}

std::optional<GlobalConflict> GlobalShadow::access(const GlobalAccessor& by, GlobalAccess kind,
                                                   size_t offset, size_t size,
                                                   const CallSite& site) {
  for (const size_t end = offset + size; offset < end;) {
    const size_t granule = offset / kGranule;
    const size_t next = std::min(end, (granule + 1) * kGranule);
    const uint32_t bytes = ((1u << (next - offset)) - 1) << (offset % kGranule);
    const GranuleAccess access = {by, site, bytes, is_write(kind), is_atomic(kind)};
    offset = next;
    if (access_quickly(cell(granule), access)) continue;
    if (sharing_ == Sharing::kManyHostThreads) lock(cell(granule));
    const auto other = access_records(cell(granule), access);
    if (sharing_ == Sharing::kManyHostThreads) unlock(cell(granule));
    if (!other) continue;
    const auto first = static_cast<size_t>(std::countr_zero(other->bytes() & bytes));
    return GlobalConflict{granule * kGranule + first,
                          other->epoch(),
                          other->cluster(),
                          other->thread(),
                          other->writes(),
                          other->atomic(),
                          other->site()};
  }
  return {};
}

}  // namespace yolocu::emulation

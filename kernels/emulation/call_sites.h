// Places in the source as small numbers, so that a record of an access has room for one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/launch.h"

namespace yolocu::emulation {

// Number 0 is "unknown"; so is every place beyond kMost. Any host thread may call it.
class SiteTable {
 public:
  static constexpr uint32_t kMost = (1u << 15) - 1;

  uint32_t number(CallSite site);
  CallSite site(uint32_t number) const;  // {nullptr, 0} for 0

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<const char*, int>, uint32_t> numbers_;
  std::vector<CallSite> sites_;
};

// The numbers that one host thread asked for last.
class SiteCache {
 public:
  explicit SiteCache(SiteTable& table) : table_(&table) {}

  uint32_t number(const CallSite& site) {
    const auto address = reinterpret_cast<uintptr_t>(site.file);
    Entry& entry = entries_[(address ^ static_cast<uintptr_t>(site.line)) % kEntries];
    if (entry.site.file != site.file || entry.site.line != site.line) {
      entry = {site, table_->number(site)};
    }
    return entry.number;
  }

 private:
  static constexpr size_t kEntries = 64;
  struct Entry {
    CallSite site = {};
    uint32_t number = 0;
  };
  SiteTable* table_;
  std::array<Entry, kEntries> entries_ = {};
};

}  // namespace yolocu::emulation

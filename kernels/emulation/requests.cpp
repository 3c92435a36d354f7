#include "kernels/emulation/requests.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <tuple>

namespace yolocu::emulation {
namespace {

constexpr uint64_t kSectorBytes = 32;
constexpr uint64_t kBankBytes = 4;
constexpr uint64_t kBanks = 32;

using Entry = RequestLog::Entry;

auto place_of(const Entry& entry) {
  return std::tuple(entry.space, entry.site.file, entry.site.line, entry.size);
}

// Numbers the accesses of each lane at each place, in the order they were made.
void number_turns(std::vector<Entry>& entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(place_of(a), a.lane) < std::tuple(place_of(b), b.lane);
  });
  for (size_t i = 1; i < entries.size(); ++i) {
    const bool same =
        place_of(entries[i]) == place_of(entries[i - 1]) && entries[i].lane == entries[i - 1].lane;
    entries[i].turn = same ? entries[i - 1].turn + 1 : 0;
  }
}

int64_t sectors_of(std::span<const Entry> request) {
  std::set<uint64_t> sectors;
  for (const Entry& entry : request) {
    for (uint64_t at = 0; at < entry.size; at += std::min<uint64_t>(entry.size, kSectorBytes)) {
      sectors.insert((entry.address + at) / kSectorBytes);
    }
  }
  return static_cast<int64_t>(sectors.size());
}

// Passes over the banks for lanes that the hardware serves together: a bank gives one word a pass,
// to all who want it.
int64_t passes_of(std::span<const Entry> lanes) {
  std::array<std::set<uint64_t>, kBanks> words;
  for (const Entry& entry : lanes) {
    const uint64_t last = (entry.address + entry.size - 1) / kBankBytes;
    for (uint64_t word = entry.address / kBankBytes; word <= last; ++word) {
      words[word % kBanks].insert(word);
    }
  }
  size_t passes = 0;
  for (const auto& bank : words) passes = std::max(passes, bank.size());
  return static_cast<int64_t>(passes);
}

// 32 lanes at a time for up to 4 bytes each, 16 for 8 bytes, 8 for 16: 128 bytes.
void count_shared(std::span<const Entry> request, Counters& counters) {
  const uint32_t together = std::min(32u, 128u / std::max(request[0].size, 4u));
  ++counters.shared_requests;
  for (size_t first = 0; first < request.size();) {
    size_t end = first;
    while (end < request.size() && request[end].lane / together == request[first].lane / together) {
      ++end;
    }
    counters.shared_passes += passes_of(request.subspan(first, end - first));
    ++counters.shared_ideal_passes;
    first = end;
  }
}

}  // namespace

void Counters::add(const Counters& other) {
  blocks += other.blocks;
  block_barriers += other.block_barriers;
  warp_collectives += other.warp_collectives;
  global_read_bytes += other.global_read_bytes;
  global_written_bytes += other.global_written_bytes;
  async_copied_bytes += other.async_copied_bytes;
  cluster_barriers += other.cluster_barriers;
  mbarrier_phases += other.mbarrier_phases;
  bulk_copied_bytes += other.bulk_copied_bytes;
  tensor_flops += other.tensor_flops;
  global_requests += other.global_requests;
  global_sectors += other.global_sectors;
  shared_requests += other.shared_requests;
  shared_passes += other.shared_passes;
  shared_ideal_passes += other.shared_ideal_passes;
}

void RequestLog::count(Counters& counters) {
  number_turns(entries_);
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(place_of(a), a.turn, a.lane) < std::tuple(place_of(b), b.turn, b.lane);
  });
  for (size_t first = 0; first < entries_.size();) {
    size_t end = first;
    while (end < entries_.size() && place_of(entries_[end]) == place_of(entries_[first]) &&
           entries_[end].turn == entries_[first].turn) {
      ++end;
    }
    const auto request = std::span(entries_).subspan(first, end - first);
    if (request[0].space == Space::kGlobal) {
      ++counters.global_requests;
      counters.global_sectors += sectors_of(request);
    } else {
      count_shared(request, counters);
    }
    first = end;
  }
  entries_.clear();
}

}  // namespace yolocu::emulation

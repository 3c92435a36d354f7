#include "engine/plan/memory_planner.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <numeric>

#include "engine/base/checked.h"

namespace yolocu {
namespace {

bool live_together(const BufferRequest& a, const BufferRequest& b) {
  return a.first <= b.last && b.first <= a.last;
}

// The live set only grows where a buffer begins, so its peak is at one of the first steps.
int64_t peak_live_bytes(std::span<const BufferRequest> requests) {
  int64_t peak = 0;
  for (const BufferRequest& start : requests) {
    int64_t live = 0;
    for (const BufferRequest& other : requests) {
      if (other.first <= start.first && start.first <= other.last) live += other.size_bytes;
    }
    peak = std::max(peak, live);
  }
  return peak;
}

// Numbers of the requests, largest first, equal sizes in their given order.
std::vector<size_t> by_descending_size(std::span<const BufferRequest> requests) {
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return requests[a].size_bytes > requests[b].size_bytes;
  });
  return order;
}

}  // namespace

ArenaPlan plan_arena(std::span<const BufferRequest> requests, int64_t alignment) {
  assert(alignment >= 1);
  ArenaPlan plan;
  plan.offsets.assign(requests.size(), 0);
  plan.lower_bound_bytes = peak_live_bytes(requests);
  std::vector<size_t> placed;  // by ascending offset
  placed.reserve(requests.size());
  for (const size_t i : by_descending_size(requests)) {
    const BufferRequest& request = requests[i];
    assert(request.size_bytes >= 0 && request.first <= request.last);
    if (request.size_bytes == 0) continue;
    int64_t offset = 0;  // no conflicting buffer seen so far reaches beyond it
    for (const size_t j : placed) {
      if (!live_together(request, requests[j])) continue;
      if (plan.offsets[j] - offset >= request.size_bytes) break;  // fits in the gap before j
      offset = std::max(offset, round_up(plan.offsets[j] + requests[j].size_bytes, alignment));
    }
    plan.offsets[i] = offset;
    plan.size_bytes = std::max(plan.size_bytes, offset + request.size_bytes);
    const auto by_offset = [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i, by_offset), i);
  }
  return plan;
}

}  // namespace yolocu

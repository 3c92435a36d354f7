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

// Numbers of the requests by falling key, equal ones in their given order.
template <typename Key>
std::vector<size_t> by_falling(std::span<const BufferRequest> requests, const Key& key) {
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return key(requests[a]) > key(requests[b]); });
  return order;
}

// The offsets that come of placing the requests in this order, and the size.
ArenaPlan place_in_order(std::span<const BufferRequest> requests, const std::vector<size_t>& order,
                         int64_t alignment) {
  ArenaPlan plan;
  plan.offsets.assign(requests.size(), 0);
  std::vector<size_t> placed;  // by ascending offset
  placed.reserve(requests.size());
  for (const size_t i : order) {
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

}  // namespace

ArenaPlan plan_arena(std::span<const BufferRequest> requests, int64_t alignment) {
  assert(alignment >= 1);
  // Doubles: sizes of absurd requests times lifetimes do not overflow.
  const auto size = [](const BufferRequest& r) { return static_cast<double>(r.size_bytes); };
  const std::vector<size_t> orders[] = {
      by_falling(requests, size),
      by_falling(requests,
                 [&](const BufferRequest& r) { return size(r) * (r.last - r.first + 1); }),
      by_falling(requests, [](const BufferRequest& r) { return -r.first; })};
  ArenaPlan best = place_in_order(requests, orders[0], alignment);
  for (const std::vector<size_t>& order : std::span(orders).subspan(1)) {
    ArenaPlan plan = place_in_order(requests, order, alignment);
    if (plan.size_bytes < best.size_bytes) best = std::move(plan);
  }
  best.lower_bound_bytes = peak_live_bytes(requests);
  return best;
}

}  // namespace yolocu

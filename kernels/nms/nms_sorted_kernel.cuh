// Suppression by sorting: three kernels, launched one after the other. Formula and tensors: nms.h.
#pragma once

#include "kernels/device/warp.h"
#include "kernels/nms/nms_arguments.cuh"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// A tile in shared memory: slots go where their keys go.
struct NmsTile {
  device::SharedPtr<uint64_t> keys;   // [kNmsTile]
  device::SharedPtr<uint32_t> slots;  // [kNmsTile]
};

// The smaller of two keys to the lower place. What lies beyond `count` counts as largest, and so
// stays where it is.
YOLOCU_DEVICE void order_pair(const NmsTile& tile, int low, int high, int count) {
  if (high >= count) return;
  const uint64_t a = tile.keys.load(low), b = tile.keys.load(high);
  if (a <= b) return;
  tile.keys.store(low, b);
  tile.keys.store(high, a);
  const uint32_t slot = tile.slots.load(low);
  tile.slots.store(low, tile.slots.load(high));
  tile.slots.store(high, slot);
}

// Sorts the first `count` by ascending key: a bitonic network in the form in which every comparison
// points the same way. All threads of the block; the tile is ready after a barrier before and one
// within. Source: Batcher 1968.
YOLOCU_DEVICE void sort_tile(const NmsTile& tile, int count) {
  const auto t = static_cast<int>(device::thread_rank());
  for (int run = 2; run / 2 < count; run *= 2) {
    // Two sorted runs, one read backwards, become two halves, each of which is bitonic.
    const int within = t & (run / 2 - 1);
    const int first = 2 * (t - within);
    order_pair(tile, first + within, first + run - 1 - within, count);
    device::sync_block();
    for (int distance = run / 4; distance > 0; distance /= 2) {
      const int low = 2 * t - (t & (distance - 1));
      order_pair(tile, low, low + distance, count);
      device::sync_block();
    }
  }
}

// sorted_keys, sorted_slots: each tile of kNmsTile candidates sorted. One tile a block.
// grid (nms_tiles, batch), kNmsThreads threads, kNmsSortBytes shared.
YOLOCU_KERNEL nms_sort_kernel(YOLOCU_KERNEL_PARAM NmsArguments arguments) {
  const NmsArguments picture = picture_of(arguments, device::block_index().y);
  const auto first = static_cast<int>(device::block_index().x) * kNmsTile;
  const int rest = listed_candidates(picture) - first;
  if (rest <= 0) return;
  const int count = rest < kNmsTile ? rest : kNmsTile;
  const NmsTile tile = {device::shared_memory<uint64_t>(),
                        device::shared_memory<uint32_t>(kNmsTile * 8)};
  const auto rank = static_cast<int>(device::thread_rank());
  for (int i = rank; i < count; i += kNmsThreads) {
    tile.keys.store(i, picture.keys.load(first + i));
    tile.slots.store(i, static_cast<uint32_t>(first + i));
  }
  device::sync_block();
  sort_tile(tile, count);
  for (int i = rank; i < count; i += kNmsThreads) {
    picture.sorted_keys.store(first + i, tile.keys.load(i));
    picture.sorted_slots.store(first + i, tile.slots.load(i));
  }
}

// How many of the `count` ascending keys are below `key`.
YOLOCU_DEVICE int keys_below(device::GlobalPtr<const uint64_t> keys, int count, uint64_t key) {
  int low = 0, high = count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (keys.load(middle) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// order [max_candidates]: slots by ascending key. A candidate's place is its place in its own tile
// plus, by binary search, the keys before it in each other tile; all candidates at once. Nothing
// happens where one tile holds them all.
// grid (nms_tiles, batch), kNmsThreads threads, no shared memory.
YOLOCU_KERNEL nms_merge_kernel(YOLOCU_KERNEL_PARAM NmsArguments arguments) {
  const NmsArguments picture = picture_of(arguments, device::block_index().y);
  const auto own_tile = static_cast<int>(device::block_index().x);
  const int listed = listed_candidates(picture);
  if (listed <= kNmsTile) return;
  const device::GlobalPtr<const uint64_t> keys(picture.sorted_keys.get());
  for (int i = static_cast<int>(device::thread_rank()); i < kNmsTile; i += kNmsThreads) {
    const int at = own_tile * kNmsTile + i;
    if (at >= listed) break;
    const uint64_t key = keys.load(at);
    int place = i;
    for (int tile = 0; tile * kNmsTile < listed; ++tile) {
      const int first = tile * kNmsTile;
      const int count = listed - first < kNmsTile ? listed - first : kNmsTile;
      if (tile != own_tile) place += keys_below(keys + first, count, key);
    }
    if (place < picture.max_candidates) picture.order.store(place, picture.sorted_slots.load(at));
  }
}

// Of the lanes in `alive`, bit by bit, those that are kept: in order, each that no lane kept before
// overlaps, and no more than `room`. overlapping: the lanes before this one whose boxes overlap
// this one's. Whole warps; every lane returns the same.
YOLOCU_DEVICE uint32_t keep_in_order(uint32_t alive, uint32_t overlapping, int room) {
  uint32_t kept = 0;
  YOLOCU_UNROLL
  for (uint32_t l = 0; l < device::kWarpSize; ++l) {
    const uint32_t before = device::shuffle(overlapping, l);
    if ((alive >> l & 1) == 0 || (before & kept) != 0 || room <= 0) continue;
    kept |= 1u << l;
    --room;
  }
  return kept;
}

// Calls body(l) for each bit l that is set.
template <typename Body>
YOLOCU_DEVICE void for_each_bit(uint32_t bits, const Body& body) {
  for (; bits != 0; bits &= bits - 1) body(device::lowest_bit(bits));
}

// The detections of one picture a block. Candidates come in order, one a thread, a chunk at a time:
// first each is compared with all boxes kept before its chunk. Then it is the turn of one warp
// after the other, which finds out which of its candidates are kept; those that come later are
// compared with these. That takes one barrier for every 32 candidates.
// grid (batch), kNmsThreads threads, kNmsSelectBytes shared.
YOLOCU_KERNEL nms_select_kernel(YOLOCU_KERNEL_PARAM NmsArguments arguments) {
  constexpr int kLanes = device::kWarpSize;
  const NmsArguments picture = picture_of(arguments, device::block_index().x);
  const auto chunk = device::shared_memory<CandidateBox>();              // [kNmsThreads]
  const auto words = device::shared_memory<uint32_t>(kNmsThreads * 16);  // [warps]: lanes kept
  const int listed = listed_candidates(picture);
  const auto order = listed <= kNmsTile ? picture.sorted_slots : picture.order;
  const int count = listed < picture.max_candidates ? listed : picture.max_candidates;
  const auto rank = static_cast<int>(device::thread_rank());
  const auto warp = static_cast<int>(device::warp_rank());
  const uint32_t lanes_before = (1u << device::lane()) - 1;

  int kept = 0;
  for (int first = 0; first < count && kept < picture.max_detections; first += kNmsThreads) {
    // This thread's candidate, if it has one.
    bool alive = first + rank < count;
    uint64_t key = kNoCandidate;
    CandidateBox box = {}, shifted = {};
    if (alive) {
      const uint32_t slot = order.load(first + rank);
      key = picture.keys.load(slot);
      box = picture.boxes.load(slot);
      shifted = offset_by_class(box, key, picture);
    }
    for (int i = 0; i < kept && alive; ++i) {
      alive = !is_overlapped(picture.kept.load(i), shifted, picture.iou);
    }
    device::sync_block();  // the chunk before has been read
    chunk.store(rank, shifted);
    const int listed_here = count - first < kNmsThreads ? count - first : kNmsThreads;
    for (int turn = 0; turn * kLanes < listed_here && kept < picture.max_detections; ++turn) {
      if (turn == warp) {
        device::sync_warp();
        const uint32_t votes = device::ballot(alive ? 1 : 0);
        uint32_t overlapping = 0;
        for_each_bit(alive ? votes & lanes_before : 0, [&](uint32_t l) {
          const CandidateBox earlier = chunk.load(turn * kLanes + static_cast<int>(l));
          if (is_overlapped(earlier, shifted, picture.iou)) overlapping |= 1u << l;
        });
        const uint32_t keeping = keep_in_order(votes, overlapping, picture.max_detections - kept);
        if (device::lane() == 0) words.store(turn, keeping);
        if ((keeping >> device::lane() & 1) != 0) {
          const int row = kept + static_cast<int>(device::bit_count(keeping & lanes_before));
          store_detection(picture, row, box, key);
          picture.kept.store(row, shifted);
        }
      }
      device::sync_block();
      const uint32_t keeping = words.load(turn);
      kept += static_cast<int>(device::bit_count(keeping));
      for_each_bit(alive && warp > turn ? keeping : 0, [&](uint32_t l) {
        const CandidateBox earlier = chunk.load(turn * kLanes + static_cast<int>(l));
        if (is_overlapped(earlier, shifted, picture.iou)) alive = false;
      });
    }
  }
  finish_detections(picture, kept);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

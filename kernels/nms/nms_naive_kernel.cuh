// The suppression that the other is judged by. Formula and tensors: nms.h.
#pragma once

#include "kernels/device/warp.h"
#include "kernels/nms/nms_arguments.cuh"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// The smallest key of the block. warp_keys [kNmsThreads / 32] in shared memory, free for all.
YOLOCU_DEVICE uint64_t block_min(uint64_t key, device::SharedPtr<uint64_t> warp_keys) {
  const uint64_t best = ~device::warp_max(~key);
  if (device::lane() == 0) warp_keys.store(device::warp_rank(), best);
  device::sync_block();
  const bool has_word = device::lane() < kNmsThreads / device::kWarpSize;
  const uint64_t other = has_word ? warp_keys.load(device::lane()) : kNoCandidate;
  return ~device::warp_max(~other);
}

// One picture a block. Each round goes through all that remains, drops what the box kept last
// overlaps, and keeps the best of the rest.
// grid (batch), kNmsThreads threads, kNmsNaiveBytes shared.
YOLOCU_KERNEL nms_naive_kernel(YOLOCU_KERNEL_PARAM NmsArguments arguments) {
  const NmsArguments picture = picture_of(arguments, device::block_index().x);
  const auto kept_box = device::shared_memory<CandidateBox>();                   // [1]
  const auto warp_keys = device::shared_memory<uint64_t>(sizeof(CandidateBox));  // [warps]
  const auto remaining = picture.sorted_keys;  // [count]; each thread has its own elements
  const int count = listed_candidates(picture);
  const auto rank = static_cast<int>(device::thread_rank());
  for (int i = rank; i < count; i += kNmsThreads) remaining.store(i, picture.keys.load(i));

  const uint64_t none = kNoCandidate;  // a store takes a reference
  int kept = 0;
  CandidateBox last = {};
  while (kept < picture.max_detections) {
    uint64_t best = kNoCandidate;
    int best_slot = 0;
    for (int i = rank; i < count; i += kNmsThreads) {
      const uint64_t key = remaining.load(i);
      if (key == kNoCandidate) continue;
      const CandidateBox box = offset_by_class(picture.boxes.load(i), key, picture);
      if (kept > 0 && is_overlapped(last, box, picture.iou)) {
        remaining.store(i, none);
      } else if (key < best) {
        best = key;
        best_slot = i;
      }
    }
    const uint64_t block_best = block_min(best, warp_keys);
    if (block_best == kNoCandidate) break;
    if (best == block_best) {  // one thread: keys are unique
      remaining.store(best_slot, none);
      const CandidateBox box = picture.boxes.load(best_slot);
      store_detection(picture, kept, box, best);
      kept_box.store(0, offset_by_class(box, best, picture));
    }
    device::sync_block();  // also: warp_keys has been read
    last = kept_box.load(0);
    ++kept;
  }
  finish_detections(picture, kept);
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

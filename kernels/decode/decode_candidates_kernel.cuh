// Candidates of all pictures: three kernels, launched one after the other. Rule and tensors:
// decode.h.
#pragma once

#include "kernels/decode/decode_row.cuh"
#include "kernels/device/atomics.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

// counts [batch] = 0. A thread a picture, grid (ceil(batch / threads)).
YOLOCU_KERNEL decode_clear_kernel(device::GlobalPtr<int32_t> counts, int32_t batch) {
  const int64_t i =
      int64_t{device::block_index().x} * device::thread_count() + device::thread_rank();
  if (i < batch) counts.store(i, 0);
}

// Takes candidates into the list of a picture, as far as their keys are at most last_key.
// Counter: GlobalPtr<int32_t> or SharedPtr<int32_t>; element 0 counts all that were taken.
template <typename Counter>
struct ListSink {
  static constexpr bool kNeedsBox = true;
  device::GlobalPtr<CandidateBox> boxes;  // [capacity]
  device::GlobalPtr<uint64_t> keys;       // [capacity]
  int32_t capacity;
  Counter counter;
  uint64_t last_key;

  // One candidate of each lane that has one. All 32 lanes.
  YOLOCU_DEVICE void take(bool has_one, uint64_t key, const CandidateBox& box) const {
    has_one = has_one && key <= last_key;
    const uint32_t takers = device::ballot(has_one ? 1 : 0);
    if (takers == 0) return;
    int32_t slot = 0;
    if (device::lane() == 0) {
      slot = device::atomic_add(counter, 0, static_cast<int32_t>(device::bit_count(takers)));
    }
    slot = device::shuffle(slot, 0);
    const uint32_t lower_lanes = (1u << device::lane()) - 1;
    slot += static_cast<int32_t>(device::bit_count(takers & lower_lanes));
    if (!has_one || slot >= capacity) return;
    keys.store(slot, key);
    boxes.store(slot, box);
  }
};

// Counts candidates by 8 bits of their keys, those whose higher bits are the same as prefix's.
struct HistogramSink {
  static constexpr bool kNeedsBox = false;
  device::SharedPtr<uint32_t> histogram;  // [256]
  uint64_t prefix;
  int shift;  // of the 8 bits: 56, 48, ... 0

  YOLOCU_DEVICE void take(bool has_one, uint64_t key, const CandidateBox&) const {
    if (!has_one || (key ^ prefix) >> shift >> 8 != 0) return;
    device::atomic_add(histogram, static_cast<int64_t>(key >> shift & 255), 1);
  }
};

// The score of class c: NaN if a logit is, something at most `confidence` if it does not pass.
template <typename Row>
YOLOCU_DEVICE float score_of(const Row& row, int c, float objectness, int classes,
                             float least_logit) {
  if constexpr (Row::kHasObjectness) {
    if (classes == 1) return objectness;
  }
  const float logit = row.class_logit(c);
  if (logit <= least_logit) return 0.0f;
  return sigmoid(logit) * objectness;
}

YOLOCU_DEVICE bool is_wanted(const CandidateArguments& target, uint32_t class_id) {
  if (target.wanted_classes.get() == nullptr) return true;
  return (target.wanted_classes.load(class_id / 32) >> class_id % 32 & 1) != 0;
}

// Gives `sink` the candidates of anchor `number`. All 32 lanes; most anchors have none.
template <typename Row, typename Sink>
YOLOCU_DEVICE void visit_candidates(const Row& row, int number, int classes,
                                    const CandidateArguments& target, const Sink& sink) {
  float objectness = 1.0f;
  if constexpr (Row::kHasObjectness) {
    const float logit = row.objectness_logit();  // the same in all lanes
    if (!(logit > target.least_logit)) return;
    objectness = sigmoid(logit);
    if (!(objectness > target.confidence)) return;
  }
  const uint32_t first_index = static_cast<uint32_t>(number) * static_cast<uint32_t>(classes);
  const auto lane = static_cast<int>(device::lane());
  uint64_t best = kNoCandidate;
  bool has_nan = false;
  for (int c = lane; c < classes; c += device::kWarpSize) {
    const float score = score_of(row, c, objectness, classes, target.least_logit);
    has_nan = has_nan || score != score;
    if (!(score > target.confidence)) continue;
    const uint64_t key =
        candidate_key(device::float_bits(score), first_index + static_cast<uint32_t>(c));
    best = key < best ? key : best;
  }
  if (device::any_lane(best != kNoCandidate ? 1 : 0) == 0) return;
  const bool is_best_only = target.labels == CandidateLabels::kBestClass;
  if ((!Row::kHasObjectness || is_best_only) && device::any_lane(has_nan ? 1 : 0) != 0) return;

  CandidateBox box = {};
  if constexpr (Sink::kNeedsBox) box = corners_of(box_of(row));
  if (is_best_only) {
    best = ~device::warp_max(~best);
    const uint32_t class_id = candidate_index(best) - first_index;
    sink.take(lane == 0 && is_wanted(target, class_id), best, box);
    return;
  }
  for (int first = 0; first < classes; first += device::kWarpSize) {
    const int c = first + lane;
    const float score =
        c < classes ? score_of(row, c, objectness, classes, target.least_logit) : 0.0f;
    const bool passes = score > target.confidence && is_wanted(target, static_cast<uint32_t>(c));
    sink.take(passes,
              candidate_key(device::float_bits(score), first_index + static_cast<uint32_t>(c)),
              box);
  }
}

// All candidates into the lists, as far as there is room; counts has them all. A warp an anchor.
// grid and block of decode_launch, no shared memory. counts starts at 0.
template <typename T, DecodeHead kHead>
YOLOCU_KERNEL decode_candidates_kernel(YOLOCU_KERNEL_PARAM DecodeArguments<T> arguments,
                                       YOLOCU_KERNEL_PARAM CandidateArguments target) {
  device::wait_for_prior_grids();
  device::allow_next_grid();
  const int64_t count = int64_t{arguments.batch} * arguments.anchors;
  const WarpOfGrid warp = warp_of_grid();
  for (int64_t i = warp.number; i < count; i += warp.count) {
    const int64_t picture = i / arguments.anchors;
    const auto number = static_cast<int>(i % arguments.anchors);
    const int64_t slots = picture * target.capacity;
    const ListSink<device::GlobalPtr<int32_t>> list = {target.boxes + slots, target.keys + slots,
                                                       target.capacity, target.counts + picture,
                                                       kNoCandidate};
    visit_candidates(row_of<kHead>(arguments, picture, number), number, arguments.classes, target,
                     list);
  }
}

// Gives `sink` all candidates of a picture. All threads of the block.
template <DecodeHead kHead, typename T, typename Sink>
YOLOCU_DEVICE void visit_picture(const DecodeArguments<T>& arguments, int64_t picture,
                                 const CandidateArguments& target, const Sink& sink) {
  const auto warps = static_cast<int>(device::thread_count() / device::kWarpSize);
  for (auto i = static_cast<int>(device::warp_rank()); i < arguments.anchors; i += warps) {
    visit_candidates(row_of<kHead>(arguments, picture, i), i, arguments.classes, target, sink);
  }
}

// A picture with more candidates than its list has room for: finds the capacity-th key by its bits,
// 8 at a time from the top, and lists anew the candidates up to it. A picture a block, nine passes
// over its logits; nothing happens where the list has room.
// grid (batch), kDecodeExcessThreads threads, kDecodeExcessBytes shared.
template <typename T, DecodeHead kHead>
YOLOCU_KERNEL decode_excess_kernel(YOLOCU_KERNEL_PARAM DecodeArguments<T> arguments,
                                   YOLOCU_KERNEL_PARAM CandidateArguments target) {
  const int64_t picture = device::block_index().x;
  if (target.counts.load(picture) <= target.capacity) return;
  constexpr int kDigits = 256;
  const auto histogram = device::shared_memory<uint32_t>();          // [kDigits]
  const auto counter = device::shared_memory<int32_t>(kDigits * 4);  // [1]
  const auto rank = static_cast<int>(device::thread_rank());
  uint64_t last_key = 0;
  auto wanted = static_cast<uint32_t>(target.capacity);  // keys up to it with last_key's bits
  for (int shift = 56; shift >= 0; shift -= 8) {
    if (rank < kDigits) histogram.store(rank, 0);
    device::sync_block();
    visit_picture<kHead>(arguments, picture, target, HistogramSink{histogram, last_key, shift});
    device::sync_block();
    int digit = 0;
    for (uint32_t here = histogram.load(0); here < wanted; here = histogram.load(++digit)) {
      wanted -= here;
    }
    last_key |= static_cast<uint64_t>(digit) << shift;
    device::sync_block();  // before the histogram is cleared
  }
  if (rank == 0) counter.store(0, 0);
  device::sync_block();
  const int64_t slots = picture * target.capacity;
  visit_picture<kHead>(
      arguments, picture, target,
      ListSink<device::SharedPtr<int32_t>>{target.boxes + slots, target.keys + slots,
                                           target.capacity, counter, last_key});
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

// TMA loads to several blocks of a cluster at once.
#include "kernels/device/cluster.h"
#include "kernels/device/fence.h"
#include "kernels/device/tensor_map.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/pixels.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::BoxCoordinates;
using device::GlobalPtr;
using device::TensorMap;

constexpr int64_t kCastBlocks = 4, kSlotBytes = 1024;
constexpr int64_t kCastBytes = kCastBlocks * kSlotBytes;

// Which blocks get what block i loads, and how many loads each block gets.
struct Destinations {
  uint16_t mask[kCastBlocks];
  uint32_t loads[kCastBlocks];
};

// Before and after the loads: barriers that all blocks of the cluster know, and out [blocks, slots]
// from the slots of each. Barriers lie behind the slots.
YOLOCU_DEVICE device::MBarrier begin_loads(uint32_t expected_bytes) {
  const auto barrier = device::shared_memory<uint64_t>(kCastBytes);
  fill_shared(kCastBytes / 4, kStaleWord);
  device::fence_async_proxy();
  if (device::thread_rank() == 0) {
    device::mbarrier_init(barrier, 1);
    device::fence_mbarrier_init();
  }
  device::sync_cluster();
  if (device::thread_rank() == 0) device::mbarrier_arrive_expect(barrier, expected_bytes);
  return barrier;
}

YOLOCU_DEVICE void end_loads(GlobalPtr<uint32_t> out, device::MBarrier barrier, uint32_t rank) {
  device::mbarrier_wait(barrier, 0);
  write_from_shared(out + rank * kCastBytes / 4, kCastBytes / 4);
  device::sync_cluster();
}

// Block i loads the box at row 4 * i into slot i of the blocks of mask[i].
YOLOCU_KERNEL cast_boxes(GlobalPtr<uint32_t> out, YOLOCU_KERNEL_PARAM TensorMap map,
                         YOLOCU_KERNEL_PARAM Destinations destinations, uint32_t box_bytes) {
  const uint32_t rank = device::cluster_block_rank();
  const auto barrier = begin_loads(destinations.loads[rank] * box_bytes);
  if (device::thread_rank() == 0) {
    device::load_box_multicast(device::shared_memory<uint8_t>(rank * kSlotBytes), map, barrier,
                               BoxCoordinates<2>{{0, static_cast<int32_t>(4 * rank)}},
                               destinations.mask[rank]);
  }
  end_loads(out, barrier, rank);
}

// Block i loads pixels from row i of the image on, with tap (2, i % 2).
YOLOCU_KERNEL cast_pixels(GlobalPtr<uint32_t> out, YOLOCU_KERNEL_PARAM TensorMap map,
                          YOLOCU_KERNEL_PARAM Destinations destinations, uint32_t box_bytes) {
  const uint32_t rank = device::cluster_block_rank();
  const auto barrier = begin_loads(destinations.loads[rank] * box_bytes);
  if (device::thread_rank() == 0) {
    const auto row = static_cast<int32_t>(rank);
    device::load_im2col_multicast(device::shared_memory<uint8_t>(rank * kSlotBytes), map, barrier,
                                  BoxCoordinates<4>{{0, -1, row, 0}},
                                  BoxCoordinates<2>{{2, row % 2}}, destinations.mask[rank]);
  }
  end_loads(out, barrier, rank);
}

BoxProblem cast_box(size_t rank) {
  return {.swizzle = Swizzle::k128B,
          .rank = 2,
          .size = {72, 15, 1, 1, 1},
          .box = {64, 4, 1, 1, 1},
          .at = {0, static_cast<int32_t>(4 * rank)}};
}

PixelProblem cast_pixel(size_t rank) {
  const auto row = static_cast<int32_t>(rank);
  return {.tensor = {.swizzle = Swizzle::k128B,
                     .rank = 4,
                     .size = {64, 6, 5, 2, 1},
                     .box = {64, 1, 1, 1, 1},
                     .at = {0, -1, row, 0}},
          .pixels = 8,
          .lower = {-1, -1},
          .upper = {-1, -1},
          .tap = {2, row % 2}};
}

Destinations destinations_of(const std::vector<uint16_t>& masks) {
  Destinations destinations = {};
  for (size_t i = 0; i < kCastBlocks; ++i) {
    destinations.mask[i] = masks[i];
    for (size_t to = 0; to < kCastBlocks; ++to) destinations.loads[to] += masks[i] >> to & 1;
  }
  return destinations;
}

// Slots of all blocks; slot_of(rank): what block `rank` loads, kSlotBytes.
template <typename F>
Expectation expect_cast(const Destinations& destinations, F slot_of) {
  Expectation expected;
  for (size_t block = 0; block < kCastBlocks; ++block) {
    for (size_t rank = 0; rank < kCastBlocks; ++rank) {
      const bool gets = (destinations.mask[rank] >> block & 1) != 0;
      const Bytes slot = gets ? slot_of(rank) : Bytes(kSlotBytes, kStale);
      expected.bytes = concatenated(expected.bytes, slot);
    }
  }
  return expected;
}

template <typename Problem>
Status launch_cast(
    const NamedKernel<GlobalPtr<uint32_t>, TensorMap, Destinations, uint32_t>& kernel,
    const Problem& problem, const Destinations& destinations, const CaseMemory& memory) {
  YOLOCU_ASSIGN_OR_RETURN(const TensorMap map, device::make_tensor_map(problem.spec(memory.in)));
  return launch(kernel,
                {.grid = {kCastBlocks},
                 .block = {32},
                 .cluster = {kCastBlocks},
                 .shared_bytes = kCastBytes + 8,
                 .stream = memory.stream},
                output_of<uint32_t>(memory), map, destinations,
                static_cast<uint32_t>(problem.copied_bytes()));
}

Case box_case(const std::string& name, const std::vector<uint16_t>& masks) {
  const Destinations destinations = destinations_of(masks);
  return {.name = "multicast/box_" + name,
          .needs = Needs::kMulticast,
          .output_bytes = kCastBlocks * kCastBytes,
          .input = random_input(static_cast<size_t>(cast_box(0).tensor_bytes())),
          .run =
              [destinations](const CaseMemory& memory) {
                return launch_cast(named_kernel("cast_boxes", cast_boxes), cast_box(0),
                                   destinations, memory);
              },
          .expect =
              [destinations](std::span<const uint8_t> input) {
                return expect_cast(destinations,
                                   [&](size_t rank) { return loaded_box(cast_box(rank), input); });
              }};
}

Case pixel_case(const std::string& name, const std::vector<uint16_t>& masks) {
  const Destinations destinations = destinations_of(masks);
  return {.name = "multicast/im2col_" + name,
          .needs = Needs::kMulticast,
          .output_bytes = kCastBlocks * kCastBytes,
          .input = random_input(static_cast<size_t>(cast_pixel(0).tensor.tensor_bytes())),
          .run =
              [destinations](const CaseMemory& memory) {
                return launch_cast(named_kernel("cast_pixels", cast_pixels), cast_pixel(0),
                                   destinations, memory);
              },
          .expect =
              [destinations](std::span<const uint8_t> input) {
                return expect_cast(destinations, [&](size_t rank) {
                  return loaded_pixels(cast_pixel(rank), input);
                });
              }};
}

void add_multicast_cases(Cases& cases) {
  cases.push_back(box_case("to_all", {15, 15, 15, 15}));
  cases.push_back(box_case("to_some", {1, 6, 9, 12}));
  cases.push_back(pixel_case("to_all", {15, 15, 15, 15}));
  cases.push_back(pixel_case("to_some", {10, 5, 8, 3}));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance

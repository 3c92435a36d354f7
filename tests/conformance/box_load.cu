// TMA loads of boxes: ranks, swizzles, rows shorter than the span, elements outside.
#include "kernels/device/fence.h"
#include "kernels/device/tensor_map.h"
#include "tests/conformance/boxes.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::BoxCoordinates;
using device::GlobalPtr;
using device::TensorMap;

// out [shared_bytes] = shared memory after the load of one box into bytes of kStale.
template <int kRank>
YOLOCU_KERNEL load_one_box(GlobalPtr<uint32_t> out, YOLOCU_KERNEL_PARAM TensorMap map,
                           BoxCoordinates<kRank> at, int64_t shared_bytes, uint32_t copied_bytes) {
  const auto barrier = device::shared_memory<uint64_t>(shared_bytes);
  fill_shared(shared_bytes / 4, kStaleWord);
  device::fence_async_proxy();
  if (device::thread_rank() == 0) {
    device::prefetch_map(map);
    device::mbarrier_init(barrier, 1);
    device::fence_mbarrier_init();
  }
  device::sync_block();
  if (device::thread_rank() == 0) {
    device::mbarrier_expect(barrier, copied_bytes);
    device::load_box(device::shared_memory<uint8_t>(), map, barrier, at);
    device::mbarrier_arrive(barrier);
  }
  device::mbarrier_wait(barrier, 0);
  write_from_shared(out, shared_bytes / 4);
}

template <int kRank>
Status launch_load(const BoxProblem& problem, const CaseMemory& memory) {
  YOLOCU_ASSIGN_OR_RETURN(const TensorMap map, device::make_tensor_map(problem.spec(memory.in)));
  BoxCoordinates<kRank> at;
  std::copy_n(problem.at.begin(), kRank, at.at);
  return launch(
      named_kernel("load_one_box", load_one_box<kRank>),
      {.block = {64}, .shared_bytes = problem.shared_bytes() + 8, .stream = memory.stream},
      output_of<uint32_t>(memory), map, at, problem.shared_bytes(),
      static_cast<uint32_t>(problem.copied_bytes()));
}

Status launch_load_of_rank(const BoxProblem& problem, const CaseMemory& memory) {
  switch (problem.rank) {
    case 1: return launch_load<1>(problem, memory);
    case 2: return launch_load<2>(problem, memory);
    case 3: return launch_load<3>(problem, memory);
    case 4: return launch_load<4>(problem, memory);
    default: return launch_load<5>(problem, memory);
  }
}

std::vector<BoxProblem> load_problems() {
  std::vector<BoxProblem> problems = {
      {.name = "rank1_u8",
       .type = MapType::kU8,
       .rank = 1,
       .size = {100, 1, 1, 1, 1},
       .box = {64, 1, 1, 1, 1},
       .at = {16}},
      {.name = "rank1_past_the_end",
       .rank = 1,
       .size = {100, 1, 1, 1, 1},
       .box = {64, 1, 1, 1, 1},
       .at = {72}},
      {.name = "rank2_wide_rows",
       .type = MapType::kF32,
       .rank = 2,
       .size = {300, 9, 1, 1, 1},
       .box = {256, 4, 1, 1, 1},
       .at = {8, 3}},
      {.name = "rank3",
       .rank = 3,
       .size = {40, 7, 5, 1, 1},
       .box = {32, 3, 4, 1, 1},
       .at = {8, 2, 1}},
      {.name = "rank4",
       .type = MapType::kBF16,
       .swizzle = Swizzle::k64B,
       .rank = 4,
       .size = {48, 5, 6, 3, 1},
       .box = {32, 3, 2, 2, 1},
       .at = {16, 1, 4, 0}},
      {.name = "rank5",
       .type = MapType::kI32,
       .swizzle = Swizzle::k32B,
       .rank = 5,
       .size = {24, 4, 3, 4, 3},
       .box = {8, 3, 2, 2, 2},
       .at = {8, 1, 0, 2, 1}},
      {.name = "outside_below",
       .swizzle = Swizzle::k128B,
       .rank = 3,
       .size = {64, 6, 5, 1, 1},
       .box = {64, 4, 4, 1, 1},
       .at = {-8, -2, -1}},
      {.name = "outside_above",
       .swizzle = Swizzle::k128B,
       .rank = 3,
       .size = {60, 6, 5, 1, 1},
       .box = {64, 4, 4, 1, 1},
       .at = {16, 4, 3}},
      {.name = "outside_everywhere",
       .rank = 2,
       .size = {16, 4, 1, 1, 1},
       .box = {16, 4, 1, 1, 1},
       .at = {160, 1}},
      {.name = "nan_fill_f16",
       .swizzle = Swizzle::k64B,
       .fill = MapFill::kNan,
       .rank = 3,
       .size = {30, 6, 5, 1, 1},
       .box = {32, 4, 4, 1, 1},
       .at = {-8, -2, 3}},
      {.name = "nan_fill_bf16",
       .type = MapType::kBF16,
       .fill = MapFill::kNan,
       .rank = 2,
       .size = {30, 6, 1, 1, 1},
       .box = {32, 4, 1, 1, 1},
       .at = {8, 4}},
      {.name = "nan_fill_f32",
       .type = MapType::kF32,
       .fill = MapFill::kNan,
       .rank = 2,
       .size = {30, 6, 1, 1, 1},
       .box = {32, 4, 1, 1, 1},
       .at = {8, 4}},
      {.name = "traversal_2_3",
       .rank = 3,
       .size = {32, 20, 20, 1, 1},
       .box = {32, 9, 7, 1, 1},
       .traversal = {1, 2, 3, 1, 1},
       .at = {0, 1, 2}},
      {.name = "traversal_past_the_end",
       .swizzle = Swizzle::k64B,
       .rank = 3,
       .size = {32, 10, 8, 1, 1},
       .box = {32, 8, 8, 1, 1},
       .traversal = {1, 4, 2, 1, 1},
       .at = {0, 5, -3}},
  };
  const Swizzle swizzles[] = {Swizzle::kNone, Swizzle::k32B, Swizzle::k64B, Swizzle::k128B};
  const std::string names[] = {"none", "32b", "64b", "128b"};
  for (size_t i = 0; i < 4; ++i) {
    const int64_t span = i == 0 ? 128 : swizzle_span_bytes(swizzles[i]);
    for (int64_t row_bytes = 16; row_bytes <= span; row_bytes *= 2) {
      problems.push_back({.name = "swizzle_" + names[i] + "_rows_of_" + std::to_string(row_bytes),
                          .swizzle = swizzles[i],
                          .rank = 2,
                          .size = {80, 40, 1, 1, 1},
                          .box = {row_bytes / 2, 24, 1, 1, 1},
                          .at = {8, 5}});
    }
  }
  return problems;
}

void add_box_load_cases(Cases& cases) {
  for (const BoxProblem& problem : load_problems()) {
    cases.push_back(
        {.name = "box_load/" + problem.name,
         .needs = Needs::kSm90,
         .output_bytes = problem.shared_bytes(),
         .input = random_input(static_cast<size_t>(problem.tensor_bytes())),
         .run =
             [problem](const CaseMemory& memory) { return launch_load_of_rank(problem, memory); },
         .expect =
             [problem](std::span<const uint8_t> input) {
               return Expectation{loaded_box(problem, input)};
             }});
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance

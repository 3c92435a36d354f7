// TMA stores of boxes, and their groups.
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

// The box at `at` of the map's tensor = shared memory = in [shared_bytes].
template <int kRank>
YOLOCU_KERNEL store_one_box(YOLOCU_KERNEL_PARAM TensorMap map, GlobalPtr<const uint32_t> in,
                            BoxCoordinates<kRank> at, int64_t shared_bytes) {
  read_to_shared(in, shared_bytes / 4);
  device::fence_async_proxy();
  device::sync_block();
  if (device::thread_rank() == 0) {
    device::store_box(map, at, device::shared_memory<uint8_t>());
    device::commit_stores();
    device::wait_stores_read<0>();
  }
}

// Three boxes of rank 2, one a group, at rows 0, 2 and 4 from one place in shared memory, which
// is written anew as soon as the one before has been read. in [3, shared_bytes].
YOLOCU_KERNEL store_in_groups(YOLOCU_KERNEL_PARAM TensorMap map, GlobalPtr<const uint32_t> in,
                              int64_t shared_bytes) {
  for (int32_t box = 0; box < 3; ++box) {
    read_to_shared(in + box * shared_bytes / 4, shared_bytes / 4);
    device::fence_async_proxy();
    device::sync_block();
    if (device::thread_rank() == 0) {
      device::store_box(map, BoxCoordinates<2>{{0, 2 * box}}, device::shared_memory<uint8_t>());
      device::commit_stores();
      device::wait_stores_read<0>();
    }
    device::sync_block();
  }
  if (device::thread_rank() == 0) device::wait_stores<0>();
}

template <int kRank>
Status launch_store(const BoxProblem& problem, const CaseMemory& memory) {
  YOLOCU_ASSIGN_OR_RETURN(const TensorMap map, device::make_tensor_map(problem.spec(memory.out)));
  BoxCoordinates<kRank> at;
  std::copy_n(problem.at.begin(), kRank, at.at);
  return launch(named_kernel("store_one_box", store_one_box<kRank>),
                {.block = {64}, .shared_bytes = problem.shared_bytes(), .stream = memory.stream},
                map, input_of<uint32_t>(memory), at, problem.shared_bytes());
}

Status launch_store_of_rank(const BoxProblem& problem, const CaseMemory& memory) {
  switch (problem.rank) {
    case 1: return launch_store<1>(problem, memory);
    case 2: return launch_store<2>(problem, memory);
    case 3: return launch_store<3>(problem, memory);
    case 4: return launch_store<4>(problem, memory);
    default: return launch_store<5>(problem, memory);
  }
}

std::vector<BoxProblem> store_problems() {
  return {
      {.name = "rank1_past_the_end",
       .type = MapType::kU8,
       .rank = 1,
       .size = {100, 1, 1, 1, 1},
       .box = {64, 1, 1, 1, 1},
       .at = {64}},
      {.name = "rank2",
       .type = MapType::kF32,
       .rank = 2,
       .size = {70, 9, 1, 1, 1},
       .box = {64, 4, 1, 1, 1},
       .at = {4, 3}},
      {.name = "rank3_32b_past_the_end",
       .swizzle = Swizzle::k32B,
       .rank = 3,
       .size = {20, 6, 5, 1, 1},
       .box = {16, 4, 3, 1, 1},
       .at = {8, 4, 3}},
      {.name = "rank4_64b",
       .type = MapType::kBF16,
       .swizzle = Swizzle::k64B,
       .rank = 4,
       .size = {48, 5, 6, 3, 1},
       .box = {32, 3, 2, 2, 1},
       .at = {16, 1, 4, 0}},
      {.name = "rank5_128b",
       .type = MapType::kI32,
       .swizzle = Swizzle::k128B,
       .rank = 5,
       .size = {40, 4, 3, 4, 3},
       .box = {32, 3, 2, 2, 2},
       .at = {8, 1, 0, 2, 1}},
      {.name = "128b_rows_of_64",
       .swizzle = Swizzle::k128B,
       .rank = 2,
       .size = {40, 20, 1, 1, 1},
       .box = {32, 12, 1, 1, 1},
       .at = {8, 3}},
  };
}

// Rows 0..1, 2..3 and 4..5 (of 5) of the tensor.
BoxProblem group_problem() {
  return {.name = "groups",
          .swizzle = Swizzle::k64B,
          .rank = 2,
          .size = {32, 5, 1, 1, 1},
          .box = {32, 2, 1, 1, 1}};
}

Case group_case() {
  const BoxProblem problem = group_problem();
  return {.name = "box_store/groups",
          .needs = Needs::kSm90,
          .output_bytes = problem.tensor_bytes(),
          .input = random_input(static_cast<size_t>(3 * problem.shared_bytes())),
          .run = [problem](const CaseMemory& memory) -> Status {
            YOLOCU_ASSIGN_OR_RETURN(const TensorMap map,
                                    device::make_tensor_map(problem.spec(memory.out)));
            return launch(
                named_kernel("store_in_groups", store_in_groups),
                {.block = {64}, .shared_bytes = problem.shared_bytes(), .stream = memory.stream},
                map, input_of<uint32_t>(memory), problem.shared_bytes());
          },
          .expect =
              [problem](std::span<const uint8_t> input) {
                Bytes tensor(static_cast<size_t>(problem.tensor_bytes()), kUnwritten);
                for (int32_t box = 0; box < 3; ++box) {
                  BoxProblem moved = problem;
                  moved.at[1] = 2 * box;
                  store_into(tensor, moved,
                             input.subspan(static_cast<size_t>(box * problem.shared_bytes())));
                }
                return Expectation{tensor};
              }};
}

void add_box_store_cases(Cases& cases) {
  for (const BoxProblem& problem : store_problems()) {
    cases.push_back(
        {.name = "box_store/" + problem.name,
         .needs = Needs::kSm90,
         .output_bytes = problem.tensor_bytes(),
         .input = random_input(static_cast<size_t>(problem.shared_bytes())),
         .run =
             [problem](const CaseMemory& memory) { return launch_store_of_rank(problem, memory); },
         .expect =
             [problem](std::span<const uint8_t> input) {
               Bytes tensor(static_cast<size_t>(problem.tensor_bytes()), kUnwritten);
               store_into(tensor, problem, input);
               return Expectation{tensor};
             }});
  }
  cases.push_back(group_case());
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance

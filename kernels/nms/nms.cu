// Dispatch of the variants in variants.inc.
#include "kernels/kernel_table.h"
#include "kernels/nms/nms.h"
#include "kernels/nms/nms_naive_kernel.cuh"
#include "kernels/nms/nms_sorted_kernel.cuh"
#include "kernels/nms/tile.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {
namespace {

Status launch_naive(const NmsArguments& arguments, const NmsProblem& problem, Stream stream) {
  return launch(named_kernel("nms_naive", nms_naive_kernel),
                {.grid = {problem.batch},
                 .block = {kNmsThreads},
                 .shared_bytes = kNmsNaiveBytes,
                 .stream = stream},
                arguments);
}

// Launches depend on the problem alone. Lists that hold one tile at most need no merge.
Status launch_sorted(const NmsArguments& arguments, const NmsProblem& problem, Stream stream) {
  const Extent3 tiles = {nms_tiles(problem), problem.batch};
  YOLOCU_RETURN_IF_ERROR(launch(
      named_kernel("nms_sorted: sort", nms_sort_kernel),
      {.grid = tiles, .block = {kNmsThreads}, .shared_bytes = kNmsSortBytes, .stream = stream},
      arguments));
  if (tiles.x > 1) {
    YOLOCU_RETURN_IF_ERROR(launch(named_kernel("nms_sorted: merge", nms_merge_kernel),
                                  {.grid = tiles, .block = {kNmsThreads}, .stream = stream},
                                  arguments));
  }
  return launch(named_kernel("nms_sorted: select", nms_select_kernel),
                {.grid = {problem.batch},
                 .block = {kNmsThreads},
                 .shared_bytes = kNmsSelectBytes,
                 .stream = stream},
                arguments);
}

}  // namespace

Status nms(const NmsTensors& tensors, const NmsProblem& problem, const NmsVariant& variant,
           Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  YOLOCU_RETURN_IF_ERROR(check_tensors(tensors));
  const NmsArguments arguments = nms_arguments(tensors, problem, variant);
  switch (variant.algorithm) {
    case NmsAlgorithm::kNaive: return launch_naive(arguments, problem, stream);
    case NmsAlgorithm::kSorted: return launch_sorted(arguments, problem, stream);
  }
  return invalid_argument("nms: an unknown algorithm");
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

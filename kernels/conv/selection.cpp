// Which convolution for which problem: candidates, cost, the cheapest. Host code, no CUDA.
#include <algorithm>
#include <tuple>

#include "engine/base/str_cat.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"

namespace yolocu {
namespace {

// Rates of one multiprocessor of A100 a clock. Sources: the A100 data sheet (312 TFLOP/s f16 dense,
// 108 multiprocessors, 1.41 GHz); L2 bandwidth of 5120 bytes a clock over 108.
constexpr double kProducts = 1024;     // multiply-adds of the tensor cores
constexpr double kFloatProducts = 64;  // of f32, without them
constexpr double kSharedBytes = 128;   // of shared memory
constexpr double kL2Bytes = 47;
constexpr double kCopyClocks = 4;  // a copy instruction of a warp with its address arithmetic
// One stage of a block that has a multiprocessor for itself: a barrier, then ldmatrix and mma in a
// chain, twice, at about 30 clocks each. An estimate.
constexpr double kStageLatency = 150;
// From the start of a block to its first product, and from the last to the end of the epilogue:
// two trips to device memory at about 600 clocks.
constexpr double kBlockClocks = 1200;
constexpr int64_t kThreadsOfMultiprocessor = 2048;

// Clocks that one multiprocessor needs for one stage of one block: the slowest of its units.
double stage_clocks(const ConvVariant& variant) {
  const ConvTile& tile = variant.tile;
  const double loaded = tile.stage_bytes();
  const double reread =
      1.0 * tile.element_bytes * tile.warps() * (tile.warp_m + tile.warp_n) * tile.block_k;
  const double products = static_cast<double>(tile.block_m) * tile.block_n * tile.block_k;
  const double copies = loaded / variant.load_bytes / 32;
  const double rate = variant.algorithm == ConvAlgorithm::kTiled ? kFloatProducts : kProducts;
  return std::max(
      {products / rate, (loaded + reread) / kSharedBytes, loaded / kL2Bytes, copies * kCopyClocks});
}

double ceil_div(int64_t a, int64_t b) {
  return static_cast<double>((a + b - 1) / b);
}

// Legal, and small enough for the device.
Status check_candidate(const ConvVariant& variant, const ConvProblem& problem,
                       const ConvDevice& device) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  if (variant.tile.shared_bytes() <= device.shared_bytes_per_block) return {};
  return unsupported(str_cat(variant.name, ": needs ", variant.tile.shared_bytes(),
                             " bytes of shared memory, the device has ",
                             device.shared_bytes_per_block));
}

// Among equals: wider loads, then larger tiles, which read x and w fewer times.
struct Rank {
  double cost;
  int load_bytes, area;

  bool operator<(const Rank& other) const {
    return std::tuple(cost, -load_bytes, -area) <
           std::tuple(other.cost, -other.load_bytes, -other.area);
  }
};

Rank rank_of(const ConvVariant& variant, const ConvProblem& problem, const ConvDevice& device) {
  return {conv_cost(variant, problem, device), variant.load_bytes,
          variant.tile.block_m * variant.tile.block_n};
}

// Without channels to sum over, a tensor core multiplies by zeros.
bool is_depthwise(const ConvProblem& problem) {
  return problem.groups > 1 && problem.group_channels() == 1;
}

}  // namespace

double conv_cost(const ConvVariant& variant, const ConvProblem& problem, const ConvDevice& device) {
  const ConvTile& tile = variant.tile;
  const LaunchConfig config = conv_launch(variant, problem);
  const int64_t blocks = config.grid.x * config.grid.z;
  const int64_t resident =
      std::max<int64_t>(1, std::min(device.shared_bytes_per_block / tile.shared_bytes(),
                                    kThreadsOfMultiprocessor / tile.threads()));
  const double stages = ceil_div(problem.depth(), tile.block_k);
  const double most_blocks = ceil_div(blocks, device.multiprocessors);
  const double waves = ceil_div(blocks, device.multiprocessors * resident);
  const double stage = std::max(most_blocks * stage_clocks(variant), waves * kStageLatency);
  return stages * stage + waves * kBlockClocks;
}

Result<ConvVariant> select_conv(const ConvProblem& problem, const ConvDevice& device) {
  Status reason = unsupported(str_cat("conv: no variant for ", dtype_name(problem.dtype)));
  const ConvVariant* naive = nullptr;
  const ConvVariant* best = nullptr;
  Rank best_rank = {};
  for (const ConvVariant& variant : conv_variants()) {
    if (variant.dtype != problem.dtype) continue;
    const Status status = check_candidate(variant, problem, device);
    if (!status.ok()) {
      reason = status;
    } else if (variant.algorithm == ConvAlgorithm::kNaive) {
      naive = &variant;
    } else if (const Rank rank = rank_of(variant, problem, device);
               best == nullptr || rank < best_rank) {
      best = &variant;
      best_rank = rank;
    }
  }
  if (naive != nullptr && (best == nullptr || is_depthwise(problem))) return *naive;
  if (best != nullptr) return *best;
  return reason;
}

std::string explain_conv_selection(const ConvProblem& problem, const ConvDevice& device) {
  const auto chosen = select_conv(problem, device);
  std::string text;
  for (const ConvVariant& variant : conv_variants()) {
    const Status status = check_candidate(variant, problem, device);
    const bool is_chosen = chosen.ok() && chosen->name == variant.name;
    text += str_cat(is_chosen ? "* " : "  ", variant.name, ": ");
    if (!status.ok()) {
      text += status.message();
    } else if (variant.algorithm == ConvAlgorithm::kNaive) {
      text += "legal";
    } else {
      text += str_cat("cost ", static_cast<int64_t>(conv_cost(variant, problem, device)));
    }
    text += "\n";
  }
  return text;
}

}  // namespace yolocu

// Which convolution for which problem: candidates, cost, the cheapest. Host code, no CUDA.
#include <algorithm>
#include <optional>
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
// The sums of a split on their way: stored, then the ticket, then loaded. Three trips to L2 at
// about 300 clocks.
constexpr double kTicketClocks = 900;
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
Status check_candidate(const ConvChoice& choice, const ConvProblem& problem,
                       const ConvDevice& device) {
  YOLOCU_RETURN_IF_ERROR(can_implement(choice, problem));
  const ConvVariant& variant = choice.variant;
  if (variant.tile.shared_bytes() <= device.shared_bytes_per_block) return {};
  return unsupported(str_cat(variant.name, ": needs ", variant.tile.shared_bytes(),
                             " bytes of shared memory, the device has ",
                             device.shared_bytes_per_block));
}

// Among equals: fewer splits, wider loads, then larger tiles, which read x and w fewer times.
struct Rank {
  double cost;
  int64_t splits;
  int load_bytes, area;

  bool operator<(const Rank& other) const {
    return std::tuple(cost, splits, -load_bytes, -area) <
           std::tuple(other.cost, other.splits, -other.load_bytes, -other.area);
  }
};

Rank rank_of(const ConvChoice& choice, const ConvProblem& problem, const ConvDevice& device) {
  const ConvVariant& variant = choice.variant;
  return {conv_cost(choice, problem, device), choice.splits, variant.load_bytes,
          variant.tile.block_m * variant.tile.block_n};
}

// False for those that are not chosen by their cost.
bool has_cost(const ConvVariant& variant) {
  return variant.algorithm != ConvAlgorithm::kNaive &&
         variant.algorithm != ConvAlgorithm::kDepthwise;
}

// The splits that are worth a look: beyond 16, the sums of a tile are as much as its operands.
constexpr int64_t kSplits[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16};

// The legal choice of lowest rank; its error without splits if there is none.
Result<ConvChoice> best_splits(const ConvVariant& variant, const ConvProblem& problem,
                               const ConvDevice& device) {
  ConvChoice best = {variant};
  YOLOCU_RETURN_IF_ERROR(check_candidate(best, problem, device));
  if (!has_cost(variant)) return best;
  for (const int64_t splits : kSplits) {
    const ConvChoice choice = {variant, splits};
    if (check_candidate(choice, problem, device).ok() &&
        rank_of(choice, problem, device) < rank_of(best, problem, device)) {
      best = choice;
    }
  }
  return best;
}

// What splits add: every block stores its sums, the last of a tile loads all of them.
double split_clocks(const ConvChoice& choice, const ConvProblem& problem,
                    const ConvDevice& device) {
  if (choice.splits == 1) return 0;
  const int64_t tiles = conv_tiles(choice.variant, problem);
  const double stored = ceil_div(tiles * choice.splits, device.multiprocessors);
  const double loaded =
      ceil_div(tiles, device.multiprocessors) * static_cast<double>(choice.splits);
  const double tile_bytes = 4.0 * choice.variant.tile.block_m * choice.variant.tile.block_n;
  return kTicketClocks + (stored + loaded) * tile_bytes / kL2Bytes;
}

// Without channels to sum over, a tensor core multiplies by zeros.
bool is_depthwise(const ConvProblem& problem) {
  return problem.groups > 1 && problem.group_channels() == 1;
}

}  // namespace

double conv_cost(const ConvChoice& choice, const ConvProblem& problem, const ConvDevice& device) {
  const ConvVariant& variant = choice.variant;
  const ConvTile& tile = variant.tile;
  const LaunchConfig config = conv_launch(choice, problem);
  const int64_t blocks = config.grid.x * config.grid.y * config.grid.z;
  const int64_t resident =
      std::max<int64_t>(1, std::min(device.shared_bytes_per_block / tile.shared_bytes(),
                                    kThreadsOfMultiprocessor / tile.threads()));
  const auto stages = static_cast<double>(conv_split_stages(choice, problem));
  const double most_blocks = ceil_div(blocks, device.multiprocessors);
  const double waves = ceil_div(blocks, device.multiprocessors * resident);
  const double stage = std::max(most_blocks * stage_clocks(variant), waves * kStageLatency);
  return stages * stage + waves * kBlockClocks + split_clocks(choice, problem, device);
}

Result<ConvChoice> select_conv(const ConvProblem& problem, const ConvDevice& device) {
  Status reason = unsupported(str_cat("conv: no variant for ", dtype_name(problem.dtype)));
  std::optional<ConvChoice> depthwise, best;  // depthwise: what has no product to tile
  for (const ConvVariant& variant : conv_variants()) {
    if (variant.dtype != problem.dtype) continue;
    const auto choice = best_splits(variant, problem, device);
    if (!choice.ok()) {
      reason = choice.status();
    } else if (!has_cost(variant)) {
      const bool is_better = !depthwise || depthwise->variant.algorithm == ConvAlgorithm::kNaive ||
                             depthwise->variant.load_bytes < variant.load_bytes;
      if (is_better) depthwise = *choice;
    } else if (!best || rank_of(*choice, problem, device) < rank_of(*best, problem, device)) {
      best = *choice;
    }
  }
  if (depthwise && (!best || is_depthwise(problem))) return *depthwise;
  if (best) return *best;
  return reason;
}

std::string explain_conv_selection(const ConvProblem& problem, const ConvDevice& device) {
  const auto chosen = select_conv(problem, device);
  std::string text;
  for (const ConvVariant& variant : conv_variants()) {
    const auto choice = best_splits(variant, problem, device);
    const bool is_chosen = chosen.ok() && chosen->variant.name == variant.name;
    text += str_cat(is_chosen ? "* " : "  ", variant.name, ": ");
    if (!choice.ok()) {
      text += choice.status().message();
    } else if (!has_cost(variant)) {
      text += "legal";
    } else {
      text += str_cat("cost ", static_cast<int64_t>(conv_cost(*choice, problem, device)));
      if (choice->splits > 1) text += str_cat(", ", choice->splits, " splits");
    }
    text += "\n";
  }
  return text;
}

}  // namespace yolocu

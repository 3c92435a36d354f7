// Which convolution for which problem: candidates, cost, the cheapest. Host code, no CUDA.
#include <algorithm>
#include <optional>
#include <tuple>

#include "engine/base/str_cat.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"

namespace yolocu {

Status can_run(const ConvChoice& choice, const ConvProblem& problem, const ConvDevice& device) {
  YOLOCU_RETURN_IF_ERROR(can_implement(choice, problem));
  const ConvVariant& variant = choice.variant;
  if (variant.algorithm == ConvAlgorithm::kWarpgroupGemm && !device.has_wgmma) {
    return unsupported(str_cat(variant.name, ": the device has no wgmma"));
  }
  if (variant.tile.shared_bytes() <= device.shared_bytes_per_block) return {};
  return unsupported(str_cat(variant.name, ": needs ", variant.tile.shared_bytes(),
                             " bytes of shared memory, the device has ",
                             device.shared_bytes_per_block));
}

namespace {

// Rates of one multiprocessor a clock.
struct Rates {
  double products;            // multiply-adds of mma.sync
  double warpgroup_products;  // of wgmma
  double l2_bytes;
};
// A100, from its data sheet: 312 TFLOP/s f16 dense, 108 multiprocessors, 1.41 GHz, L2 of 5120 bytes
// a clock. H100: 62 and 85 % of the 2048 multiply-adds of its data sheet, estimates that no
// measured layer came near; L2 fitted, see below.
constexpr Rates kA100 = {1024, 1024, 47};
constexpr Rates kHopper = {1270, 1750, 32};

constexpr double kFloatProducts = 64;  // of f32, without tensor cores
constexpr double kSharedBytes = 116;   // of shared memory: 128, and a barrier a stage
constexpr double kWidestLoad = 16;     // bytes

// Fitted to times of the convolutions of gelan-c on an H100 (2026-11-26, operands in device memory,
// bench/README.md): 460 by mma.sync, off by 13 % (rms). For the same layers, what the costs choose
// takes 3.8 % longer than the best that was measured.
constexpr double kStageClocks = 40;           // of a stage by itself: a barrier,
constexpr double kStageDepthClocks = 230;     // ldmatrix and mma in a chain, for 32 of k,
constexpr double kCopyLatency = 750;          // and a copy, stages - 1 of which are on their way
constexpr double kBlockClocks = 1130;         // from the start of a block to its first product
constexpr double kEpilogueClocks = 0.24;      // of a sum, whatever else the multiprocessor does,
constexpr double kThreadEpilogueClocks = 78;  // of a sum of a thread by itself
constexpr double kTicketClocks = 3400;        // sums of splits: stored, a ticket, loaded
constexpr int64_t kOtherRegisters = 60;       // of a thread, beside its sums
// A barrier, the start of wgmma and its end. An estimate: when times were taken, each stage of its
// variants had a fence that waited for all memory.
constexpr double kWarpgroupClocks = 200;
constexpr int64_t kThreadsOfMultiprocessor = 2048;
constexpr int64_t kRegistersOfMultiprocessor = 65536;

const Rates& rates_of(const ConvDevice& device) {
  return device.has_wgmma ? kHopper : kA100;
}

// Of one stage.
double products_of(const ConvTile& tile) {
  return static_cast<double>(tile.block_m) * tile.block_n * tile.block_k;
}

// Clocks that one multiprocessor needs for one stage of one block: the slowest of its units.
double stage_clocks(const ConvVariant& variant, const Rates& rates) {
  const ConvTile& tile = variant.tile;
  const bool is_warpgroup = variant.algorithm == ConvAlgorithm::kWarpgroupGemm;
  const double loaded = tile.stage_bytes();
  // Each warp, or warpgroup, reads its rows of both operands.
  const int rows = is_warpgroup ? 64 : tile.warp_m;
  const double readers = 1.0 * (tile.block_m / rows) * (tile.block_n / tile.warp_n);
  const double reread = readers * (rows + tile.warp_n) * tile.block_k * tile.element_bytes;
  const double rate = variant.algorithm == ConvAlgorithm::kTiled ? kFloatProducts
                      : is_warpgroup                             ? rates.warpgroup_products
                                                                 : rates.products;
  const double requested = loaded * kWidestLoad / variant.load_bytes;  // narrow loads ask as often
  return std::max(
      {products_of(tile) / rate, (loaded + reread) / kSharedBytes, requested / rates.l2_bytes});
}

// What a stage takes if nothing else runs.
double stage_latency(const ConvVariant& variant, const Rates& rates) {
  const ConvTile& tile = variant.tile;
  const double copies = kCopyLatency / (tile.stages - 1);
  if (variant.algorithm == ConvAlgorithm::kWarpgroupGemm) {
    return kWarpgroupClocks + std::max(products_of(tile) / rates.warpgroup_products, copies);
  }
  return kStageClocks + kStageDepthClocks * tile.block_k / 32 + copies;
}

// Sums of a thread.
double thread_sums(const ConvTile& tile) {
  return 1.0 * tile.block_m * tile.block_n / tile.threads();
}

// Blocks that a multiprocessor holds.
int64_t resident_blocks(const ConvTile& tile, const ConvDevice& device) {
  constexpr int64_t kSystemBytes = 1024;  // of shared memory, a block
  const int64_t registers =
      (tile.block_m * tile.block_n / tile.threads() + kOtherRegisters) * tile.threads();
  return std::max<int64_t>(
      1, std::min({device.shared_bytes_per_block / (tile.shared_bytes() + kSystemBytes),
                   kThreadsOfMultiprocessor / tile.threads(),
                   kRegistersOfMultiprocessor / registers}));
}

double ceil_div(int64_t a, int64_t b) {
  return static_cast<double>((a + b - 1) / b);
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
  YOLOCU_RETURN_IF_ERROR(can_run(best, problem, device));
  if (!has_cost(variant)) return best;
  for (const int64_t splits : kSplits) {
    const ConvChoice choice = {variant, splits};
    if (can_run(choice, problem, device).ok() &&
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
  return kTicketClocks + (stored + loaded) * tile_bytes / rates_of(device).l2_bytes;
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
  const int64_t resident = resident_blocks(tile, device);
  const auto stages = static_cast<double>(conv_split_stages(choice, problem));
  const double most_blocks = ceil_div(blocks, device.multiprocessors);
  const double waves = ceil_div(blocks, device.multiprocessors * resident);
  const double stage = std::max(most_blocks * stage_clocks(variant, rates_of(device)),
                                waves * stage_latency(variant, rates_of(device)));
  const double sums = 1.0 * tile.block_m * tile.block_n;
  const double block = kBlockClocks + kThreadEpilogueClocks * thread_sums(tile);
  return stages * stage + waves * block + most_blocks * kEpilogueClocks * sums +
         split_clocks(choice, problem, device);
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

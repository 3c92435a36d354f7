#include "engine/cpu/conv_algorithm.h"

#include <algorithm>

#include "engine/base/checked.h"
#include "engine/cpu/kernels/winograd_shape.h"

namespace yolocu::cpu {
namespace {

// What a chunk's source should take of the second cache (1 MiB on Zen 4 and Golden Cove, with the
// weights of a panel and the results beside it).
constexpr int64_t kSourceBytes = 256 << 10;
// Winograd's transformed inputs and products are both written and read again.
constexpr int64_t kTransformedBytes = 640 << 10;
// Multiply-adds of vectors below which a chunk is not worth being passed on: 2 us.
constexpr int64_t kLeastWork = 8192;
constexpr int64_t kChunksAThread = 4;  // the last one to finish is late by a quarter at most
constexpr int64_t kCacheLineBytes = 64;

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

int64_t pack_of(Element element) {
  return 4 / element_bytes(element);
}

int64_t tiles_of_winograd(const ConvShape& shape) {
  return winograd_tiles(shape.out_height) * winograd_tiles(shape.out_width);
}

bool is_depthwise(const ConvShape& shape) {
  return shape.groups > 1 && shape.groups == shape.in_channels;
}

// One or two blocks of outputs each, none of two groups.
std::vector<ConvPanel> make_panels(const ConvShape& shape, int64_t lanes, int64_t block_weights) {
  std::vector<ConvPanel> panels;
  if (is_depthwise(shape)) {
    for (int64_t block = 0; block < shape.out_channels / lanes; ++block) {
      panels.push_back({.first_block = block,
                        .blocks = 1,
                        .source_block = block,
                        .weight_offset = block * block_weights});
    }
    return panels;
  }
  const int64_t blocks = shape.out_channels / shape.groups / lanes;
  const bool is_picture = shape.layout == SourceLayout::kPicture;
  const int64_t source_blocks = is_picture ? 0 : shape.in_channels / shape.groups / lanes;
  int64_t offset = 0;
  for (int64_t group = 0; group < shape.groups; ++group) {
    for (int64_t block = 0; block < blocks; block += 2) {
      const int64_t count = std::min<int64_t>(2, blocks - block);
      panels.push_back({.first_block = group * blocks + block,
                        .blocks = count,
                        .source_block = group * source_blocks,
                        .weight_offset = offset});
      offset += count * block_weights;
    }
  }
  return panels;
}

// Weights of one block of outputs.
int64_t block_weights(const ConvShape& shape, ConvAlgorithm algorithm, int64_t lanes) {
  const int64_t taps =
      algorithm == ConvAlgorithm::kWinograd ? kWinogradProducts : shape.kernel * shape.kernel;
  return taps * shape.in_channels / shape.groups * lanes;
}

// Chunks of tiles small enough for the cache; then panels are divided, too, until there are enough
// chunks for all threads or they become too small. `tile_work`: multiply-adds a tile and panel.
void cut(ConvTask& task, int64_t most_tiles, int64_t tile_work, int threads) {
  const auto panels = static_cast<int64_t>(task.panels.size());
  const int64_t work = task.tiles * panels * tile_work;
  const int64_t wanted =
      threads == 1 ? 1 : std::clamp<int64_t>(work / kLeastWork, 1, threads * kChunksAThread);
  task.tile_chunks = std::min(task.tiles, std::max(ceil_div(task.tiles, most_tiles), wanted));
  task.panel_chunks = 1;
  // Rows of small pictures would be chunks that use their weights only once.
  constexpr int64_t kLeastTiles = 8;
  if (task.tiles / task.tile_chunks < kLeastTiles) {
    task.tile_chunks =
        std::max<int64_t>({1, ceil_div(task.tiles, most_tiles), task.tiles / kLeastTiles});
    task.panel_chunks = std::min(panels, ceil_div(wanted, task.tile_chunks));
  }
  task.tiles_a_chunk = ceil_div(task.tiles, task.tile_chunks);
  task.tile_chunks = ceil_div(task.tiles, task.tiles_a_chunk);
  task.panels_a_chunk = ceil_div(panels, task.panel_chunks);
  task.panel_chunks = ceil_div(panels, task.panels_a_chunk);
}

void plan_direct(ConvTask& task, const KernelTable& kernels, int threads) {
  const ConvShape& shape = task.shape;
  const int64_t pixels = std::min(kernels.tile_pixels, shape.out_width);
  task.tiles = shape.out_height * tiles_a_row(shape.out_width, kernels.tile_pixels);
  const int64_t source_bytes =
      shape.in_channels * shape.in_height * shape.in_width * element_bytes(shape.source);
  const int64_t most_tiles =
      std::max<int64_t>(1, kSourceBytes / std::max<int64_t>(1, source_bytes / task.tiles));
  const int64_t steps = shape.kernel * shape.kernel * shape.in_channels / shape.groups /
                        (shape.layout == SourceLayout::kPicture ? 1 : pack_of(shape.source));
  cut(task, most_tiles, 2 * pixels * steps, threads);
  const int64_t columns = (pixels - 1) * shape.stride + shape.kernel;
  task.scratch_bytes =
      shape.in_channels / shape.groups * shape.kernel * columns * element_bytes(shape.source);
}

void plan_winograd(ConvTask& task, const KernelTable& kernels, int threads) {
  const ConvShape& shape = task.shape;
  task.tiles = tiles_of_winograd(shape);
  const int64_t blocks = shape.in_channels / kernels.lanes;
  const int64_t input_bytes =
      kernels.lanes * element_bytes(weight_element(shape, ConvAlgorithm::kWinograd));
  const int64_t product_bytes = kernels.lanes * 4;
  const int64_t tile_bytes = kWinogradProducts * (blocks * input_bytes + 2 * product_bytes);
  // Whole register tiles, and two at least while that leaves some of a larger cache.
  const int64_t fitting = kTransformedBytes / tile_bytes / kernels.tile_pixels;
  const int64_t most_tiles = std::clamp<int64_t>(fitting, 1, 4) * kernels.tile_pixels;
  const int64_t steps =
      shape.in_channels / pack_of(weight_element(shape, ConvAlgorithm::kWinograd));
  cut(task, most_tiles, 2 * kWinogradProducts * steps, threads);
  task.scratch_bytes =
      kWinogradProducts * (winograd_stride(blocks, task.tiles_a_chunk) * input_bytes +
                           winograd_stride(2, task.tiles_a_chunk) * product_bytes);
}

}  // namespace

const char* algorithm_name(ConvAlgorithm algorithm) {
  switch (algorithm) {
    case ConvAlgorithm::kPlain: return "plain";
    case ConvAlgorithm::kDepthwise: return "depthwise";
    case ConvAlgorithm::kDirect: return "direct";
    case ConvAlgorithm::kWinograd: return "winograd";
  }
  return "?";
}

ConvChoice choose_algorithm(const ConvShape& shape, const KernelTable& kernels, ConvPolicy policy) {
  if (is_depthwise(shape)) return {ConvAlgorithm::kDepthwise, nullptr};
  // The weights of Winograd are eight times as many bytes as those of int8. Less than a register
  // tile does not make up for reading them: 512 channels at 7x7 take 1.8 times as long, 256 at
  // 20x20 half as long as direct convolution.
  const bool is_small =
      shape.source == Element::kI8 && tiles_of_winograd(shape) < kernels.tile_pixels;
  if (policy == ConvPolicy::kFastest && !is_small) {
    if (ConvKernel kernel = kernels.winograd(shape)) return {ConvAlgorithm::kWinograd, kernel};
  }
  if (ConvKernel kernel = kernels.direct(shape)) return {ConvAlgorithm::kDirect, kernel};
  return {};
}

ConvTask plan_conv(const ConvShape& shape, const ConvChoice& choice, const KernelTable& kernels,
                   int threads) {
  ConvTask task;
  task.shape = shape;
  task.panels =
      make_panels(shape, kernels.lanes, block_weights(shape, choice.algorithm, kernels.lanes));
  if (choice.algorithm == ConvAlgorithm::kDirect) plan_direct(task, kernels, threads);
  if (choice.algorithm == ConvAlgorithm::kWinograd) plan_winograd(task, kernels, threads);
  task.scratch_bytes = round_up(task.scratch_bytes, kCacheLineBytes);
  return task;
}

int64_t weight_elements(const ConvTask& task, ConvAlgorithm algorithm, int64_t lanes) {
  const ConvPanel& last = task.panels.back();
  return last.weight_offset + last.blocks * block_weights(task.shape, algorithm, lanes);
}

Element weight_element(const ConvShape& shape, ConvAlgorithm algorithm) {
  if (algorithm == ConvAlgorithm::kDirect) return shape.source;
  const bool is_integer = algorithm == ConvAlgorithm::kWinograd && shape.source == Element::kI8;
  return is_integer ? Element::kI16 : Element::kF32;
}

}  // namespace yolocu::cpu

// Small networks that between them have every op in every position that a plan treats in its own
// way: what every device must compute as the reference does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/engine/test_model.h"
#include "weights/format/model.h"

namespace yolocu::testing {

struct TestGraph {
  std::string name;
  std::shared_ptr<const Model> model;
  int64_t height = 0, width = 0;  // of the picture
};

// Kernels, strides, paddings, groups and channel counts of all kinds, at odd sizes; kIntegers with
// each activation that keeps integers small multiples of powers of two, kReals with SiLU.
std::vector<TestGraph> convolution_graphs(Numbers numbers);
// The same at one pixel, one row and one column.
std::vector<TestGraph> tiny_convolution_graphs();
// Geometry that no network has: padding beyond the kernel, 4x4 with stride 2, no bias.
std::vector<TestGraph> uncommon_convolution_graphs();
// Maximum and mean, windows larger than the map, SPP's pools in parallel and as a chain.
std::vector<TestGraph> pooling_graphs();
// Upsampling by 2 and 4, space-to-depth, alone and joined.
std::vector<TestGraph> resize_graphs();
// Sums of convolutions, of anything else, of many and of different sizes.
std::vector<TestGraph> sum_graphs();
// GELAN's block, whose concat and slices need no copy.
std::vector<TestGraph> gelan_graphs();
// Concats and slices in every pattern, groups on them, values in several concats.
std::vector<TestGraph> view_graphs();

// Chunks of a convolution, convolutions on a chunk, all concatenated: the block of GELAN networks.
int gelan_block(ModelBuilder& builder, int x, int64_t half);

// Two levels of everything above; real numbers; a multiple of 4 in size.
std::shared_ptr<const Model> small_network();

}  // namespace yolocu::testing

// Weights and pictures from a formula: full-size checkpoints that nobody has to download. A recipe
// is the model.json of the optional reference data: an ordered list of tensors, each with a shape,
// a kind, a base and a scale.
//
//   h = FNV-1a 64 of the name;  z = splitmix64 of h at index i;  u = (z >> 40) / 2^23 - 1
//   value = base == 0 ? u * scale : base + u * scale        in fp32
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "apps/npy.h"
#include "yolocu/status.h"

namespace yolocu::testing {

uint64_t fnv1a_64(std::string_view name);
// Element `index` of the stream that begins at `hash`.
uint64_t splitmix64_at(uint64_t hash, uint64_t index);
// The same as a number in [-1, 1), exact in fp32.
float uniform_at(uint64_t hash, uint64_t index);

struct RecipeTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::string kind;  // "conv_weight", "bn_weight", "zero_int64", "arange", "const", ...
  float base = 0, scale = 0;
};

// A value of a tensor whose kind has a formula.
float recipe_value(const RecipeTensor& tensor, uint64_t index);

// Writes the state dictionary of a recipe as a safetensors file, tensor by tensor.
Status write_recipe_checkpoint(const std::string& recipe_json, const std::string& output);

// The input picture `name` of `shape` [B,3,H,W]: coarse tiles of 16 x 16 and fine noise, in 0..1.
NpyArray recipe_input(const std::string& name, const std::vector<int64_t>& shape);

}  // namespace yolocu::testing

// Accesses that tables of the reference data describe.
#pragma once

#include <vector>

#include "kernels/emulation/tensor_walk.h"
#include "tests/kernels/emulation/hardware_table.h"

namespace yolocu::emulation {

using nlohmann::json;

template <typename To>
void copy_numbers(const json& numbers, To& to) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    to[i] = numbers[i].get<typename To::value_type>();
  }
}

inline Swizzle swizzle_named(const std::string& name) {
  if (name == "128B") return Swizzle::k128B;
  return name == "64B" ? Swizzle::k64B : Swizzle::k32B;
}

// The access of a captured load; memory[i] is i + 1.
inline BoxAccess captured_access(const json& entry, std::vector<uint32_t>& memory) {
  const bool is_im2col = entry["kind"] == "im2col";
  BoxAccess access;
  TensorMapSpec& map = access.map;
  map.type = MapType::kU32;
  map.mode = is_im2col ? MapMode::kIm2col : MapMode::kTiled;
  map.swizzle = swizzle_named(entry["swizzle"].get<std::string>());
  map.rank = static_cast<int>(entry["dims"].size());
  copy_numbers(entry["dims"], map.size);
  copy_numbers(entry["strides"], map.stride_bytes);
  copy_numbers(entry["element_strides"], map.traversal);
  copy_numbers(entry["coords"], access.at);
  if (is_im2col) {
    map.box[0] = entry["channels"].get<int64_t>();
    map.pixels = entry["pixels"].get<int64_t>();
    copy_numbers(entry["lower"], map.lower);
    copy_numbers(entry["upper"], map.upper);
    copy_numbers(entry["offsets"], access.taps);
  } else {
    copy_numbers(entry["box"], map.box);
  }
  access.shared_address = entry["base"].get<uint32_t>();
  size_t elements = 1;
  for (int d = 0; d < map.rank; ++d) elements *= static_cast<size_t>(map.size[d]);
  for (size_t i = 0; i < elements; ++i) memory.push_back(static_cast<uint32_t>(i + 1));
  map.address = memory.data();
  return access;
}

// A convolution's input, f16 NHWC, with a tap of 16 output pixels a box.
inline BoxAccess convolution_access(const json& problem, std::vector<uint16_t>& memory) {
  BoxAccess access;
  TensorMapSpec& map = access.map;
  map.mode = MapMode::kIm2col;
  map.swizzle = Swizzle::k128B;
  map.rank = 4;
  int64_t elements = 1;
  const char* const sizes[] = {"C", "W", "H", "N"};
  for (int d = 0; d < 4; ++d) {
    map.stride_bytes[d] = elements * 2;
    map.size[d] = problem[sizes[d]].get<int64_t>();
    elements *= map.size[d];
  }
  memory.resize(static_cast<size_t>(elements));
  map.address = memory.data();
  map.box[0] = 64;
  map.pixels = 16;
  copy_numbers(problem["lower_corner_wh"], map.lower);
  copy_numbers(problem["upper_corner_wh"], map.upper);
  copy_numbers(problem["element_strides_cwhn"], map.traversal);
  access.shared_address = 1024;
  return access;
}

}  // namespace yolocu::emulation

// TMA accesses against tables: loads captured on hardware, and convolutions as CUTLASS drives them.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <vector>

#include "kernels/emulation/tensor_walk.h"
#include "tests/kernels/emulation/captured_loads.h"

namespace yolocu::emulation {
namespace {

using nlohmann::json;

// Physical address of each chunk -> the first u32 in it, 0 where it is fill.
std::map<uint32_t, uint32_t> first_words(const BoxAccess& access) {
  std::map<uint32_t, uint32_t> words;
  for_each_chunk(access, [&](const BoxChunk& chunk) {
    uint32_t word = 0;
    if (chunk.valid_bytes > 0 && chunk.first_valid == 0) std::memcpy(&word, chunk.global, 4);
    EXPECT_TRUE(words.emplace(chunk.shared_address, word).second);
  });
  return words;
}

TEST(TensorWalkTable, CapturedLoads) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("tma_hw_cases");
  const auto cases = testing::hardware_table("tma_hw_cases")["cases"];
  ASSERT_EQ(cases.size(), 8u);
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    std::vector<uint32_t> memory;
    const BoxAccess access = captured_access(cases[i], memory);
    ASSERT_OK(check_tensor_map(access.map));
    EXPECT_EQ(box_shape(access.map).moved_bytes(), cases[i]["tx_bytes"].get<int64_t>());
    const auto words = first_words(access);
    EXPECT_EQ(16 * words.size(), cases[i]["tx_bytes"].get<size_t>());
    for (const json& chunk : cases[i]["chunks"]) {  // [physical address, first word]
      const auto found = words.find(chunk[0].get<uint32_t>());
      ASSERT_NE(found, words.end()) << chunk;
      EXPECT_EQ(found->second, chunk[1].get<uint32_t>()) << chunk;
    }
  }
}

// The pixels that the capture names, innermost dimension last.
TEST(TensorWalkTable, CapturedPixels) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("tma_hw_cases");
  const json table = testing::hardware_table("tma_hw_cases");
  size_t compared = 0;
  for (const json& entry : table["cases"]) {
    if (entry["kind"] != "im2col") continue;
    std::vector<uint32_t> memory;
    const BoxAccess access = captured_access(entry, memory);
    size_t row = 0;
    for_each_row(access, [&](const BoxRow& box_row) {
      const json& pixel = entry["pixels_nhw"][row++];
      size_t word = 0;
      for (size_t i = 0; i < pixel.size(); ++i) {
        const size_t dimension = pixel.size() - i;
        word +=
            pixel[i].get<size_t>() * static_cast<size_t>(access.map.stride_bytes[dimension] / 4);
      }
      EXPECT_EQ(box_row.global, reinterpret_cast<std::byte*>(&memory[word])) << pixel;
      ++compared;
    });
    EXPECT_EQ(row, entry["pixels_nhw"].size());
  }
  EXPECT_EQ(compared, 39u);
}

void expect_pixels(const BoxAccess& access, const json& pixels) {
  const TensorMapSpec& map = access.map;
  size_t row = 0;
  for_each_row(access, [&](const BoxRow& box_row) {
    ASSERT_LT(row, pixels.size());
    const json& pixel = pixels[row];  // [n, h, w], -1 outside
    EXPECT_EQ(box_row.shared_address, 1024 + 128 * row);
    ++row;
    if (pixel[0].get<int64_t>() < 0) {
      EXPECT_EQ(box_row.valid_bytes, 0u) << pixel;
      return;
    }
    const int64_t offset = pixel[0].get<int64_t>() * map.stride_bytes[3] +
                           pixel[1].get<int64_t>() * map.stride_bytes[2] +
                           pixel[2].get<int64_t>() * map.stride_bytes[1] + access.at[0] * 2;
    EXPECT_EQ(box_row.global, static_cast<std::byte*>(map.address) + offset) << pixel;
    EXPECT_EQ(box_row.first_valid, 0u);
    EXPECT_EQ(box_row.valid_bytes, 128u);
  });
  EXPECT_EQ(row, pixels.size());
}

TEST(TensorWalkTable, Convolutions) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("im2col");
  const auto problems = testing::hardware_table("im2col")["problems"];
  ASSERT_EQ(problems.size(), 14u);
  size_t loads = 0;
  for (const json& problem : problems) {
    std::vector<uint16_t> memory;
    BoxAccess access = convolution_access(problem, memory);
    ASSERT_OK(check_tensor_map(access.map));
    for (const json& load : problem["loads"]) {
      SCOPED_TRACE("loads " + load["coords"].dump() + " tap " + load["offsets"].dump());
      copy_numbers(load["coords"], access.at);
      copy_numbers(load["offsets"], access.taps);
      const BoxInstruction instruction{MapMode::kIm2col, BoxDirection::kLoad, 4};
      EXPECT_EQ(box_access_error(access, instruction), "");
      expect_pixels(access, load["pixels"]);
      ++loads;
    }
  }
  EXPECT_GT(loads, 150u);
}

}  // namespace
}  // namespace yolocu::emulation

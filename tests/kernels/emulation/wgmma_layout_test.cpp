// Operands of wgmma in shared memory: worked descriptors, and the canonical layouts of the manual.
#include "kernels/emulation/wgmma_layout.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "tests/kernels/emulation/hardware_table.h"

namespace yolocu::emulation {
namespace {

using device::Major;
using device::wgmma_descriptor;

constexpr Swizzle kSwizzles[] = {Swizzle::kNone, Swizzle::k32B, Swizzle::k64B, Swizzle::k128B};
constexpr Swizzle kModes[] = {Swizzle::kNone, Swizzle::k128B, Swizzle::k64B, Swizzle::k32B};

TEST(WgmmaLayout, WorkedDescriptors) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("wgmma_desc");
  const auto examples = testing::hardware_table("wgmma_desc")["examples"];
  ASSERT_EQ(examples.size(), 19u);
  for (const auto& example : examples) {
    const auto what = example["what"].get<std::string>();
    const uint64_t word = std::stoull(example["descriptor"].get<std::string>(), nullptr, 16);
    const Major major = example["major"] == "K" ? Major::kK : Major::kMN;
    EXPECT_EQ(wgmma_descriptor_error(word, major), "") << what;

    const WgmmaOperand operand = decode_wgmma_descriptor(word);
    EXPECT_EQ(operand.start, example["start"].get<uint32_t>()) << what;
    EXPECT_EQ(operand.leading, example["lbo_bytes"].get<uint32_t>()) << what;
    EXPECT_EQ(operand.stride, example["sbo_bytes"].get<uint32_t>()) << what;
    EXPECT_EQ(operand.swizzle, kModes[example["mode"].get<int>()]) << what;
    EXPECT_EQ(wgmma_descriptor(operand.start, operand.leading, operand.stride, operand.swizzle),
              word);

    const auto element_bytes = example["element_bytes"].get<uint32_t>();
    ASSERT_FALSE(example["byte_address"].empty());
    for (const auto& entry : example["byte_address"]) {  // [row, k, address]
      const auto row = entry[0].get<uint32_t>(), k = entry[1].get<uint32_t>();
      EXPECT_EQ(wgmma_element_address(operand, major, row, k, element_bytes),
                entry[2].get<uint32_t>())
          << what << " row " << row << " k " << k;
    }
  }
}

// A tile in shared memory as TMA leaves it or, without swizzle, as 8 x 16-byte core matrices; and
// what the descriptor says of it. All in bytes.
struct Tile {
  uint32_t base, leading, stride;
};

// Address of byte `byte` of row `row` of a dense tile [rows, span] that TMA wrote at `base`: in
// each line of 8 chunks the chunks of a span change places with the line's number.
uint32_t in_swizzled_tile(uint32_t base, Swizzle swizzle, uint32_t row, uint32_t byte) {
  const auto span = static_cast<uint32_t>(swizzle_span_bytes(swizzle));
  const uint32_t span_chunks = span / 16;
  const uint32_t flat = base + row * span + byte;
  const uint32_t line = flat / 128, column = flat % 128 / 16;
  const uint32_t moved =
      column / span_chunks * span_chunks + (column % span_chunks ^ line % span_chunks);
  return line * 128 + moved * 16 + byte % 16;
}

TEST(WgmmaLayout, KMajorSwizzledIsADenseTile) {
  for (Swizzle swizzle : {Swizzle::k32B, Swizzle::k64B, Swizzle::k128B}) {
    const auto span = static_cast<uint32_t>(swizzle_span_bytes(swizzle));
    for (uint32_t element_bytes : {1u, 2u}) {
      for (uint32_t first = 0; first < span; first += 32) {  // k steps within the span
        const uint64_t word = wgmma_descriptor(4096 + first, 16, 8 * span, swizzle);
        ASSERT_EQ(wgmma_descriptor_error(word, Major::kK), "");
        const WgmmaOperand operand = decode_wgmma_descriptor(word);
        for (uint32_t row = 0; row < 256; ++row) {
          for (uint32_t k = 0; k < 32 / element_bytes; ++k) {
            ASSERT_EQ(wgmma_element_address(operand, Major::kK, row, k, element_bytes),
                      in_swizzled_tile(4096, swizzle, row, first + k * element_bytes))
                << "span " << span << " row " << row << " k " << k;
          }
        }
      }
    }
  }
}

// Core matrices of 8 rows x 16 bytes, anywhere: column c of them at c * leading, row group g at
// g * stride.
TEST(WgmmaLayout, KMajorWithoutSwizzleIsCoreMatrices) {
  for (const Tile& tile : {Tile{128, 1024, 128}, Tile{16, 128, 256}, Tile{4096, 2064, 144}}) {
    const WgmmaOperand operand = decode_wgmma_descriptor(
        wgmma_descriptor(tile.base, tile.leading, tile.stride, Swizzle::kNone));
    for (uint32_t element_bytes : {1u, 2u}) {
      for (uint32_t row = 0; row < 64; ++row) {
        for (uint32_t k_byte = 0; k_byte < 32; k_byte += element_bytes) {
          const uint32_t matrix =
              tile.base + (row >> 3) * tile.stride + (k_byte >> 4) * tile.leading;
          ASSERT_EQ(
              wgmma_element_address(operand, Major::kK, row, k_byte / element_bytes, element_bytes),
              matrix + (row & 7) * 16 + (k_byte & 15));
        }
      }
    }
  }
}

// Rows of one k each, a span of M/N wide: a TMA box [k, span], slabs `leading` apart, 8 k at a time
// `stride` apart. With a dense box, stride = 8 spans, and k is just the row of the box.
TEST(WgmmaLayout, MnMajorSwizzledIsADenseTileOfK) {
  for (Swizzle swizzle : {Swizzle::k32B, Swizzle::k64B, Swizzle::k128B}) {
    const auto span = static_cast<uint32_t>(swizzle_span_bytes(swizzle));
    for (uint32_t element_bytes : {1u, 2u}) {
      const uint32_t depth = 32 / element_bytes;
      const uint32_t slab = 64 * span;             // 64 k
      const uint32_t first = 8192 + depth * span;  // the second step of k
      const WgmmaOperand operand =
          decode_wgmma_descriptor(wgmma_descriptor(first, slab, 8 * span, swizzle));
      for (uint32_t row = 0; row < 256; ++row) {
        for (uint32_t k = 0; k < depth; ++k) {
          const uint32_t byte = row * element_bytes;
          ASSERT_EQ(wgmma_element_address(operand, Major::kMN, row, k, element_bytes),
                    in_swizzled_tile(8192 + byte / span * slab, swizzle, depth + k, byte % span))
              << "span " << span << " row " << row << " k " << k;
        }
      }
    }
  }
}

TEST(WgmmaLayout, MnMajorWithoutSwizzleIsCoreMatrices) {
  for (const Tile& tile : {Tile{128, 1024, 128}, Tile{16, 128, 256}, Tile{4096, 2064, 144}}) {
    const WgmmaOperand operand = decode_wgmma_descriptor(
        wgmma_descriptor(tile.base, tile.leading, tile.stride, Swizzle::kNone));
    for (uint32_t element_bytes : {1u, 2u}) {
      for (uint32_t byte = 0; byte < 128; byte += element_bytes) {
        for (uint32_t k = 0; k < 32 / element_bytes; ++k) {
          const uint32_t matrix = tile.base + (byte >> 4) * tile.stride + (k >> 3) * tile.leading;
          ASSERT_EQ(
              wgmma_element_address(operand, Major::kMN, byte / element_bytes, k, element_bytes),
              matrix + (k & 7) * 16 + (byte & 15));
        }
      }
    }
  }
}

// The bulk form names every element once, where the single form says.
TEST(WgmmaLayout, ChunksHoldEveryElementOnce) {
  for (Swizzle swizzle : kSwizzles) {
    for (Major major : {Major::kK, Major::kMN}) {
      for (uint32_t element_bytes : {1u, 2u}) {
        const uint32_t rows = 96, elements = 16 / element_bytes;
        const WgmmaOperand operand{2048, 4096, 1024, swizzle};
        std::map<std::pair<uint32_t, uint32_t>, uint32_t> address_of;
        for_each_wgmma_chunk(operand, major, rows, element_bytes,
                             [&](uint32_t address, uint32_t row, uint32_t k) {
                               EXPECT_EQ(address % 16, 0u);
                               for (uint32_t i = 0; i < elements; ++i) {
                                 const std::pair at(row + (major == Major::kMN ? i : 0),
                                                    k + (major == Major::kK ? i : 0));
                                 const uint32_t byte = address + i * element_bytes;
                                 EXPECT_TRUE(address_of.emplace(at, byte).second);
                               }
                             });
        EXPECT_EQ(address_of.size(), size_t{rows} * 32 / element_bytes);
        for (const auto& [at, address] : address_of) {
          ASSERT_LT(at.first, rows);
          ASSERT_LT(at.second, 32 / element_bytes);
          ASSERT_EQ(address,
                    wgmma_element_address(operand, major, at.first, at.second, element_bytes));
        }
      }
    }
  }
}

TEST(WgmmaDescriptorRules, UnusedBits) {
  const uint64_t word = wgmma_descriptor(1024, 16, 1024, Swizzle::k128B);
  const auto is_unused = [](int bit) {
    return bit / 2 == 7 || bit / 2 == 15 || (bit >= 46 && bit <= 48) || (bit >= 52 && bit <= 61);
  };
  for (int bit = 0; bit < 64; ++bit) {
    const std::string error = wgmma_descriptor_error(word | uint64_t{1} << bit, Major::kK);
    EXPECT_EQ(error.find("unused bits of a descriptor must be zero, got 0x") == 0, is_unused(bit))
        << bit << ": " << error;
  }
  EXPECT_EQ(wgmma_descriptor_error(word | uint64_t{1} << 52, Major::kK),
            "unused bits of a descriptor must be zero, got 0x10000000000000");
}

TEST(WgmmaDescriptorRules, BaseOffset) {
  const uint64_t word = wgmma_descriptor(1024, 16, 1024, Swizzle::k128B);
  for (uint64_t offset = 1; offset < 8; ++offset) {
    EXPECT_EQ(wgmma_descriptor_error(word | offset << 49, Major::kK),
              "base_offset must be 0, got " + std::to_string(offset));
  }
}

TEST(WgmmaDescriptorRules, StartLiesInTheFirstRowOfAPattern) {
  for (Swizzle swizzle : {Swizzle::k32B, Swizzle::k64B, Swizzle::k128B}) {
    const auto span = static_cast<uint32_t>(swizzle_span_bytes(swizzle));
    for (uint32_t start = 0; start < 4096; start += 16) {
      const std::string error =
          wgmma_descriptor_error(wgmma_descriptor(start, 16, 8 * span, swizzle), Major::kK);
      const bool in_first_row = start % (8 * span) < span;
      EXPECT_EQ(error.find("start must lie in the first") != 0, in_first_row) << start << error;
    }
  }
  EXPECT_EQ(wgmma_descriptor_error(wgmma_descriptor(1152, 16, 1024, Swizzle::k128B), Major::kK),
            "start must lie in the first 128 bytes of a pattern of 1024 bytes, got 1152, 128 bytes "
            "into it");
}

TEST(WgmmaDescriptorRules, KStaysInTheSpan) {
  const auto error = [](uint32_t start, Swizzle swizzle) {
    return wgmma_descriptor_error(wgmma_descriptor(start, 16, 1024, swizzle), Major::kK);
  };
  EXPECT_EQ(error(1024 + 96, Swizzle::k128B), "");
  EXPECT_EQ(error(1024 + 112, Swizzle::k128B),
            "32 bytes of k must end within the span of 128 bytes, got start 1136, 112 bytes into "
            "it");
  EXPECT_EQ(error(512 + 32, Swizzle::k64B), "");
  EXPECT_NE(error(512 + 48, Swizzle::k64B), "");
  EXPECT_EQ(error(256, Swizzle::k32B), "");
  EXPECT_NE(error(256 + 16, Swizzle::k32B), "");
  EXPECT_EQ(error(256 + 16, Swizzle::kNone), "");
}

TEST(WgmmaDescriptorRules, MnMajorStartsAtASpan) {
  const auto error = [](uint32_t start, Swizzle swizzle) {
    return wgmma_descriptor_error(wgmma_descriptor(start, 16, 1024, swizzle), Major::kMN);
  };
  EXPECT_EQ(error(2048, Swizzle::k128B), "");
  EXPECT_EQ(error(2048 + 32, Swizzle::k128B),
            "start of an MN-major operand must be a multiple of the span of 128 bytes, got 2080");
  EXPECT_EQ(error(2048 + 32, Swizzle::kNone), "");
}

}  // namespace
}  // namespace yolocu::emulation

// Swizzles of shared memory: tables, and the permutation written as rows and columns of chunks.
#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "kernels/emulation/swizzle.h"
#include "tests/kernels/emulation/hardware_table.h"

namespace yolocu::emulation {
namespace {

constexpr std::pair<Swizzle, const char*> kSwizzles[] = {{Swizzle::k32B, "swizzle_32B"},
                                                         {Swizzle::k64B, "swizzle_64B"},
                                                         {Swizzle::k128B, "swizzle_128B"}};

TEST(SwizzleLayout, TableOfChunks) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("swizzle");
  const auto table = testing::hardware_table("swizzle");
  for (const auto& [swizzle, name] : kSwizzles) {
    const auto& chunks = table[name]["chunks_16B"];
    ASSERT_EQ(chunks.size(), 64u);
    for (uint32_t i = 0; i < 64; ++i) {
      EXPECT_EQ(swizzled(16 * i, swizzle), 16 * chunks[i].get<uint32_t>())
          << name << " chunk " << i;
    }
    EXPECT_EQ(pattern_bytes(swizzle), table[name]["pattern_bytes"].get<uint32_t>());
  }
}

// PTX 5.5.7 draws shared memory as lines of 8 chunks: within a line, chunks of one span change
// places by the exclusive or with the line's number.
TEST(SwizzleLayout, LinesOfEightChunks) {
  for (const auto& [swizzle, name] : kSwizzles) {
    const auto span_chunks = static_cast<uint32_t>(swizzle_span_bytes(swizzle) / 16);
    for (uint32_t address = 0; address < 64 * 1024; ++address) {
      const uint32_t line = address / 128, column = address % 128 / 16;
      const uint32_t span = column / span_chunks, in_span = column % span_chunks;
      const uint32_t moved = span * span_chunks + (in_span ^ line % span_chunks);
      ASSERT_EQ(swizzled(address, swizzle), line * 128 + moved * 16 + address % 16)
          << name << " address " << address;
    }
  }
}

TEST(SwizzleLayout, IsItsOwnInverseAndStaysInTheSpan) {
  for (const auto& [swizzle, name] : kSwizzles) {
    const auto span = static_cast<uint32_t>(swizzle_span_bytes(swizzle));
    for (uint32_t address = 0; address < 4096; ++address) {
      const uint32_t moved = swizzled(address, swizzle);
      ASSERT_EQ(swizzled(moved, swizzle), address) << name;
      ASSERT_EQ(moved / span, address / span) << name;
    }
  }
}

TEST(SwizzleLayout, NoneMovesNothing) {
  for (uint32_t address = 0; address < 4096; ++address) {
    ASSERT_EQ(swizzled(address, Swizzle::kNone), address);
  }
  EXPECT_EQ(pattern_bytes(Swizzle::kNone), 128u);
}

// The permutation of a pattern-aligned tile does not depend on where the tile lies, and no smaller
// alignment has that property.
TEST(SwizzleLayout, PatternIsTheSmallestPeriod) {
  const auto repeats = [](Swizzle swizzle, uint32_t period) {
    for (uint32_t address = 0; address < 2048; address += 16) {
      if (swizzled(address + period, swizzle) != swizzled(address, swizzle) + period) return false;
    }
    return true;
  };
  for (const auto& [swizzle, name] : kSwizzles) {
    EXPECT_TRUE(repeats(swizzle, pattern_bytes(swizzle))) << name;
    EXPECT_FALSE(repeats(swizzle, pattern_bytes(swizzle) / 2)) << name;
  }
}

// Why it exists: the same chunk of 8 rows that lie one span apart falls on as many bank groups as
// the span allows (all 8 for 128B).
TEST(SwizzleLayout, ColumnOfEightRowsIsSpreadOverTheBanks) {
  for (const auto& [swizzle, name] : kSwizzles) {
    const auto span = static_cast<uint32_t>(swizzle_span_bytes(swizzle));
    std::set<uint32_t> bank_groups;
    for (uint32_t row = 0; row < 8; ++row) {
      bank_groups.insert(swizzled(row * span, swizzle) % 128 / 16);
    }
    EXPECT_EQ(bank_groups.size(), 8u) << name;
  }
}

}  // namespace
}  // namespace yolocu::emulation

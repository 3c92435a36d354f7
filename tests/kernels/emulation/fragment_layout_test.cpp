// Registers of the matrix instructions: tables evaluated from NVIDIA's own definitions, and the
// manual's formulas, which count elements where the code counts registers.
#include "kernels/emulation/fragment_layout.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <utility>

#include "tests/kernels/emulation/hardware_table.h"

namespace yolocu::emulation {
namespace {

using nlohmann::json;

FragmentPlace place_of(const json& pair) {
  return {pair[0].get<uint32_t>(), pair[1].get<uint32_t>()};
}

// Place of element v, in register order, of a lane.
using ElementPlace = std::function<FragmentPlace(uint32_t lane, uint32_t v)>;

// table[lane][v] = [row, column]. Returns how many entries were compared.
size_t expect_table(const json& table, const std::string& what, const ElementPlace& place) {
  size_t compared = 0;
  for (uint32_t lane = 0; lane < table.size(); ++lane) {
    for (uint32_t v = 0; v < table[lane].size(); ++v, ++compared) {
      EXPECT_EQ(place(lane, v), place_of(table[lane][v])) << what << " lane " << lane << " v " << v;
    }
  }
  return compared;
}

// Each of rows x columns is held exactly once.
void expect_covers(uint32_t lanes, uint32_t elements, uint32_t rows, uint32_t columns,
                   const ElementPlace& place) {
  std::set<std::pair<uint32_t, uint32_t>> seen;
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    for (uint32_t v = 0; v < elements; ++v) {
      const FragmentPlace at = place(lane, v);
      EXPECT_LT(at.row, rows);
      EXPECT_LT(at.column, columns);
      EXPECT_TRUE(seen.insert({at.row, at.column}).second) << at.row << ',' << at.column;
    }
  }
  EXPECT_EQ(seen.size(), size_t{rows} * columns);
}

ElementPlace mma_a(uint32_t bytes) {
  return [bytes](uint32_t lane, uint32_t v) {
    return mma_a_place(lane, v * bytes / 4, v % (4 / bytes), bytes);
  };
}
ElementPlace mma_b(uint32_t bytes) {
  return [bytes](uint32_t lane, uint32_t v) {
    return mma_b_place(lane, v * bytes / 4, v % (4 / bytes), bytes);
  };
}
ElementPlace wgmma_a(uint32_t bytes) {
  return [bytes](uint32_t thread, uint32_t v) {
    return wgmma_a_place(thread, v * bytes / 4, v % (4 / bytes), bytes);
  };
}

TEST(FragmentLayout, TableOfMma) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("mma_sync");
  const json table = testing::hardware_table("mma_sync");
  size_t shapes = 0;
  for (const auto& [name, entry] : table.items()) {
    if (name == "_about") continue;
    const uint32_t bytes = entry["ab_bits"].get<uint32_t>() / 8;
    const size_t depth = entry["K"].get<size_t>();
    EXPECT_EQ(expect_table(entry["A"], name + " A", mma_a(bytes)), 16 * depth);
    EXPECT_EQ(expect_table(entry["B"], name + " B", mma_b(bytes)), 8 * depth);
    EXPECT_EQ(expect_table(entry["C"], name + " C", mma_sum_place), 16u * 8);
    ++shapes;
  }
  EXPECT_EQ(shapes, 6u);
}

TEST(FragmentLayout, TableOfWgmma) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("wgmma");
  const json table = testing::hardware_table("wgmma");
  size_t shapes = 0;
  for (const auto& [name, entry] : table.items()) {
    if (name == "_about") continue;
    ++shapes;
    if (entry.contains("C")) {
      EXPECT_EQ(expect_table(entry["C"], name, wgmma_sum_place), 64 * entry["N"].get<size_t>());
      continue;
    }
    const uint32_t bytes = name == "A_m64k16_16bit" ? 2 : 1;
    EXPECT_EQ(expect_table(entry["A"], name, wgmma_a(bytes)), 64u * 32 / bytes);
  }
  EXPECT_EQ(shapes, 10u);
}

TEST(FragmentLayout, TableOfMatrixLoadsAndStores) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("ldst_matrix");
  const json table = testing::hardware_table("ldst_matrix");
  size_t forms = 0;
  for (const auto& [name, entry] : table.items()) {
    if (name == "_about") continue;
    ++forms;
    const bool is_transposed = name.ends_with("_trans");
    const auto matrices = entry["num"].get<uint32_t>();
    for (uint32_t lane = 0; lane < 32; ++lane) {
      if (lane < 8 * matrices) {
        const MatrixRow row{entry["address"][lane][0].get<uint32_t>(),
                            entry["address"][lane][1].get<uint32_t>()};
        EXPECT_EQ(matrix_row_of_lane(lane), row) << name << " lane " << lane;
      }
      ASSERT_EQ(entry["regs"][lane].size(), matrices);
      for (uint32_t i = 0; i < 2 * matrices; ++i) {
        const json& half = entry["regs"][lane][i / 2][i % 2];  // [matrix, row, column]
        const FragmentPlace expected{half[1].get<uint32_t>(), half[2].get<uint32_t>()};
        EXPECT_EQ(half[0].get<uint32_t>(), i / 2) << "register i belongs to matrix i";
        EXPECT_EQ(is_transposed ? matrix_place_transposed(lane, i % 2) : matrix_place(lane, i % 2),
                  expected)
            << name << " lane " << lane << " half " << i;
      }
    }
  }
  EXPECT_EQ(forms, 12u);
}

// PTX 9.7.14.5.8 (m16n8k16), with groupID and threadID_in_group.
TEST(FragmentLayout, ManualSixteenBit) {
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t group = lane >> 2, thread = lane % 4;
    for (uint32_t i = 0; i < 8; ++i) {
      const uint32_t row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
      const uint32_t k = thread * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      EXPECT_EQ(mma_a(2)(lane, i), (FragmentPlace{row, k})) << lane << ' ' << i;
    }
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t k = thread * 2 + (i & 1) + (i >= 2 ? 8 : 0);
      EXPECT_EQ(mma_b(2)(lane, i), (FragmentPlace{group, k})) << lane << ' ' << i;
      const uint32_t row = i < 2 ? group : group + 8;
      EXPECT_EQ(mma_sum_place(lane, i), (FragmentPlace{row, thread * 2 + (i & 1)})) << lane;
    }
  }
}

// PTX 9.7.14.5.10 (m16n8k32).
TEST(FragmentLayout, ManualEightBit) {
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t group = lane >> 2, thread = lane % 4;
    for (uint32_t i = 0; i < 16; ++i) {
      const uint32_t row = i < 4 || (i >= 8 && i < 12) ? group : group + 8;
      const uint32_t k = thread * 4 + (i & 3) + (i >= 8 ? 16 : 0);
      EXPECT_EQ(mma_a(1)(lane, i), (FragmentPlace{row, k})) << lane << ' ' << i;
    }
    for (uint32_t i = 0; i < 8; ++i) {
      const uint32_t k = thread * 4 + (i & 3) + (i >= 4 ? 16 : 0);
      EXPECT_EQ(mma_b(1)(lane, i), (FragmentPlace{group, k})) << lane << ' ' << i;
    }
  }
}

// PTX 9.7.15.5.1.1: warp % 4 chooses 16 rows; 4 sums for every 8 columns.
TEST(FragmentLayout, ManualWgmmaSums) {
  for (uint32_t thread = 0; thread < 128; ++thread) {
    const uint32_t warp = thread / 32, lane = thread % 32;
    for (uint32_t i = 0; i < 128; ++i) {
      const uint32_t row = warp * 16 + (lane >> 2) + ((i & 2) != 0 ? 8 : 0);
      const uint32_t column = (i >> 2) * 8 + lane % 4 * 2 + (i & 1);
      ASSERT_EQ(wgmma_sum_place(thread, i), (FragmentPlace{row, column})) << thread << ' ' << i;
    }
  }
}

TEST(FragmentLayout, EveryElementIsHeldOnce) {
  expect_covers(32, 8, 16, 16, mma_a(2));
  expect_covers(32, 16, 16, 32, mma_a(1));
  expect_covers(32, 4, 8, 16, mma_b(2));
  expect_covers(32, 8, 8, 32, mma_b(1));
  expect_covers(32, 4, 16, 8, mma_sum_place);
  expect_covers(32, 2, 8, 8, matrix_place);
  expect_covers(32, 2, 8, 8, matrix_place_transposed);
  expect_covers(128, 8, 64, 16, wgmma_a(2));
  expect_covers(128, 16, 64, 32, wgmma_a(1));
  for (uint32_t columns : {8u, 24u, 96u, 256u}) {
    expect_covers(128, columns / 2, 64, columns, wgmma_sum_place);
  }
}

// How kernels use them: ldmatrix.x4 of a 16-row tile with lanes at row lane % 16, byte
// 16 * (lane / 16) gives exactly the registers of A.
TEST(FragmentLayout, MatrixLoadFeedsOperandA) {
  for (uint32_t lane = 0; lane < 32; ++lane) {
    for (uint32_t reg = 0; reg < 4; ++reg) {
      for (uint32_t half = 0; half < 2; ++half) {
        const FragmentPlace in_matrix = matrix_place(lane, half);
        const uint32_t address_lane = 8 * reg + in_matrix.row;
        const FragmentPlace loaded{address_lane % 16, address_lane / 16 * 8 + in_matrix.column};
        EXPECT_EQ(mma_a_place(lane, reg, half, 2), loaded) << lane << ' ' << reg;
      }
    }
  }
}

}  // namespace
}  // namespace yolocu::emulation

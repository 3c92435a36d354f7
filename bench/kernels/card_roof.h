// What cards can do, from their data sheets.
#pragma once

#include <optional>
#include <string_view>

namespace yolocu::bench {

struct CardRoof {
  std::string_view name;       // as the driver gives it
  double tensor_tflops = 0;    // f16 and bf16 with f32 sums, dense, at boost clock
  double memory_gb_per_s = 0;  // DRAM
};

// Nothing for a card that is not in the table.
std::optional<CardRoof> find_card_roof(std::string_view name);

// Least microseconds that so many FLOPs and bytes take: whichever is the longer.
double roof_us(const CardRoof& card, double flops, double bytes);

}  // namespace yolocu::bench

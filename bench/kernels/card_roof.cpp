#include "bench/kernels/card_roof.h"

#include <algorithm>

namespace yolocu::bench {
namespace {

// As NVIDIA's data sheets have it (GeForce: the architectures' white papers), without sparsity.
// TODO: compare each line with its sheet; they were written down without them at hand.
constexpr CardRoof kCards[] = {
    {"NVIDIA A100-SXM4-40GB", 312, 1555},
    {"NVIDIA A100-PCIE-40GB", 312, 1555},
    {"NVIDIA A100-SXM4-80GB", 312, 2039},
    {"NVIDIA A100 80GB PCIe", 312, 1935},
    {"NVIDIA A10", 125, 600},
    {"NVIDIA L4", 121, 300},
    {"NVIDIA L40S", 362, 864},
    {"NVIDIA GeForce RTX 3090", 71, 936},
    {"NVIDIA GeForce RTX 4090", 165, 1008},
    {"NVIDIA GeForce RTX 5090", 209, 1792},
    {"NVIDIA H100 80GB HBM3", 989, 3350},
    {"NVIDIA H100 PCIe", 756, 2000},
    {"NVIDIA H100 NVL", 835, 3900},
    {"NVIDIA H200", 989, 4800},
    {"NVIDIA B200", 2250, 8000},
};

}  // namespace

std::optional<CardRoof> find_card_roof(std::string_view name) {
  for (const CardRoof& card : kCards) {
    if (card.name == name) return card;
  }
  return {};
}

double roof_us(const CardRoof& card, double flops, double bytes) {
  return std::max(flops / (card.tensor_tflops * 1e6), bytes / (card.memory_gb_per_s * 1e3));
}

}  // namespace yolocu::bench

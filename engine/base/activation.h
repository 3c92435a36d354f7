// The activations of convolutions, in the graph and in the kernels alike.
#pragma once

#include <cstdint>

namespace yolocu {

// kSilu: v / (1 + exp(-v)). kLeakyRelu: v, or negative_slope * v for v < 0, where negative_slope
// stands beside the activation. kRelu: max(v, 0).
enum class Activation : uint8_t { kNone, kSilu, kLeakyRelu, kRelu };

}  // namespace yolocu

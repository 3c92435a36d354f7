// SPP's parallel max pools as a chain.
#pragma once

#include "weights/format/graph.h"

namespace yolocu {

// Max pools of stride 1 that keep the extent (kernel 2 * padding + 1) and read one value, as in
// YOLOv7's SPPCSPC: the one of kernel b then reads the result of the next smaller one, of kernel a,
// with a kernel of b - a + 1. 5, 9 and 13 become three times 5. A maximum of maxima over windows
// that overlap is the maximum over their union, and padding never wins, so no result changes, NaN
// included. Values keep their numbers and shapes.
Graph chain_max_pools(Graph graph);

}  // namespace yolocu

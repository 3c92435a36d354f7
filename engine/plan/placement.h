// Which values share memory. Concat and slice need no copies where their values can be ranges of
// one buffer: in blocked order at batch 1 a range of whole blocks is a dense tensor at an offset.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/plan/channel_layout.h"
#include "weights/format/graph.h"

namespace yolocu {

// A value's padded channels are those of value `root`, from `channel` on. A root owns a buffer.
struct Place {
  int root = 0;
  int64_t channel = 0;
};

// A range of a concat's channels that cannot be a view and must be copied from `source`.
struct ConcatCopy {
  Place source;
  int64_t channel = 0, channels = 0;  // in the concat
};

struct Placement {
  std::vector<Place> places;                    // one a value
  std::vector<std::vector<ConcatCopy>> copies;  // one list a value, empty but for concats
};

// Every value that is whole in a concat moves into it, into the first one if there are several; a
// value that was sliced moves if all of its slices stand together in order. The rest is copied.
Placement place_values(const Graph& graph, const std::vector<ChannelLayout>& layouts);

}  // namespace yolocu

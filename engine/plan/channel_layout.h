// Where the channels of each value lie in its blocked buffer.
//
// A block must not belong to two values, or concat and slice would have to copy. So a value is cut
// where any concat or slice cuts it, and each piece starts a new block; what is left of its last
// block is padding that holds zeros. Convolutions pay for it with zero weights: 24 + 24 channels
// count as 32 + 32 in blocks of 16.
#pragma once

#include <cstdint>
#include <vector>

#include "weights/format/graph.h"

namespace yolocu {

// Channels [begin, begin + count) of a value lie at [position, position + count) of its buffer.
struct ChannelSegment {
  int64_t begin = 0, count = 0, position = 0;
};

class ChannelLayout {
 public:
  ChannelLayout() = default;
  // Cuts are the first channels of all segments but the first, ascending.
  ChannelLayout(int64_t channels, const std::vector<int64_t>& cuts, int64_t block);
  // Every channel at its own number, without padding: the picture, and what decoding reads.
  static ChannelLayout dense(int64_t channels);

  // Position of channel c; c == channels() gives padded_channels().
  int64_t position(int64_t c) const;
  int64_t channels() const { return channels_; }
  int64_t padded_channels() const { return padded_channels_; }
  const std::vector<ChannelSegment>& segments() const { return segments_; }

  // True if group g of `groups` equal ones lies exactly in part g of the padded channels.
  bool groups_evenly(int64_t groups) const;

 private:
  int64_t channels_ = 0, padded_channels_ = 0;
  std::vector<ChannelSegment> segments_;
};

// One layout a value (empty for predictions), such that every concat's layout is its inputs'
// layouts in order, every slice's is the part of its input's, and elementwise ops keep the layout.
// kResourceExhausted for a graph that cuts its channels into more parts than any detector does.
Result<std::vector<ChannelLayout>> plan_channel_layouts(const Graph& graph,
                                                        const std::vector<ValueShape>& shapes,
                                                        int64_t block);

}  // namespace yolocu

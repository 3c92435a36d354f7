#include "engine/cpu/blocked_ops.h"

#include <algorithm>

#include "engine/cpu/threads.h"

namespace yolocu::cpu {
namespace {

// Elements that one call of a flat loop handles: 64 KiB, many calls a tensor, little overhead each.
constexpr int64_t kChunk = 16384;

// Splits [0, count) at every chunk and calls body(begin, end).
template <typename Body>
void for_chunks(int64_t count, const Body& body) {
  parallel_for((count + kChunk - 1) / kChunk,
               [&](int64_t i) { body(i * kChunk, std::min(count, (i + 1) * kChunk)); });
}

// Appends the runs of logical channels [begin, begin + source.channels()) of the destination, all
// channels of the source.
void append_runs(Gather& plan, const ChannelLayout& destination, int64_t destination_block,
                 const ChannelLayout& source, int64_t source_block, int64_t begin,
                 const ChannelRun& pixel) {
  for (int64_t c = 0; c < source.channels(); ++c) {
    const int64_t to = destination.position(begin + c);
    const int64_t from = source.position(c);
    if (c > 0) {
      ChannelRun& last = plan.runs.back();
      const bool continues = last.destination + last.count == to && to % destination_block != 0 &&
                             last.source + last.count == from && from % source_block != 0;
      if (continues) {
        ++last.count;
        continue;
      }
    }
    plan.runs.push_back({to, from, 1, pixel.row, pixel.column});
  }
}

void append_padding(Gather& plan, const ChannelLayout& layout) {
  for (size_t i = 0; i < layout.segments().size(); ++i) {
    const ChannelSegment& segment = layout.segments()[i];
    const int64_t used = segment.position + segment.count;
    const int64_t end = i + 1 < layout.segments().size() ? layout.segments()[i + 1].position
                                                         : layout.padded_channels();
    if (used < end) plan.runs.push_back({used, ChannelRun::kZeros, end - used, 0, 0});
  }
}

}  // namespace

Gather plan_relayout(const ChannelLayout& destination, int64_t destination_block,
                     const ChannelLayout& source, int64_t source_block) {
  Gather plan;
  append_runs(plan, destination, destination_block, source, source_block, 0, {});
  append_padding(plan, destination);
  return plan;
}

Gather plan_space_to_depth(const ChannelLayout& destination, int64_t destination_block,
                           const ChannelLayout& source, int64_t source_block) {
  Gather plan;
  plan.step = 2;
  for (int64_t b = 0; b < 4; ++b) {
    append_runs(plan, destination, destination_block, source, source_block, b * source.channels(),
                {.row = b % 2, .column = b / 2});
  }
  append_padding(plan, destination);
  return plan;
}

void gather(const Tensor& destination, const Tensor& source, const Gather& plan) {
  parallel_for(destination.height, [&](int64_t y) {
    for (const ChannelRun& run : plan.runs) {
      float* to = destination.data + destination.index(run.destination, y * destination.width);
      if (run.source == ChannelRun::kZeros) {
        for (int64_t x = 0; x < destination.width; ++x, to += destination.block) {
          std::fill_n(to, run.count, 0.0f);
        }
        continue;
      }
      const int64_t first = (y * plan.step + run.row) * source.width + run.column;
      const float* from = source.data + source.index(run.source, first);
      for (int64_t x = 0; x < destination.width; ++x) {
        for (int64_t c = 0; c < run.count; ++c) to[c] = from[c];
        to += destination.block;
        from += plan.step * source.block;
      }
    }
  });
}

void upsample(const Tensor& destination, const Tensor& source, int64_t factor) {
  const int64_t block = source.block;
  const int64_t row = destination.width * block;  // elements of one destination row of one block
  parallel_for(source.channels / block * source.height, [&](int64_t i) {
    const float* from = source.data + i * source.width * block;
    float* const first = destination.data + i * factor * row;
    float* to = first;
    for (int64_t x = 0; x < source.width; ++x, from += block) {
      for (int64_t j = 0; j < factor; ++j, to += block) std::copy_n(from, block, to);
    }
    for (int64_t j = 1; j < factor; ++j) std::copy_n(first, row, first + j * row);
  });
}

void copy(const Tensor& destination, const Tensor& source) {
  for_chunks(destination.elements(), [&](int64_t begin, int64_t end) {
    std::copy(source.data + begin, source.data + end, destination.data + begin);
  });
}

void add(const Tensor& destination, std::span<const Tensor> sources) {
  for_chunks(destination.elements(), [&](int64_t begin, int64_t end) {
    float* const y = destination.data;
    const float* const a = sources[0].data;
    const float* const b = sources[1].data;
    for (int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
    for (const Tensor& source : sources.subspan(2)) {
      const float* const x = source.data;
      for (int64_t i = begin; i < end; ++i) y[i] += x[i];
    }
  });
}

}  // namespace yolocu::cpu

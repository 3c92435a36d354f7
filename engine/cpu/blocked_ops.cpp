#include "engine/cpu/blocked_ops.h"

#include <algorithm>
#include <cassert>
#include <type_traits>

#include "engine/base/half.h"

namespace yolocu::cpu {
namespace {

// What one chunk of a flat loop moves: many chunks a tensor, little overhead each.
constexpr int64_t kChunkBytes = 64 << 10;

float to_float(float value) {
  return value;
}
float to_float(uint16_t bits) {
  return bfloat16_to_float(bits);
}

// What is stored for 0.
float zero_of(float) {
  return 0;
}
uint16_t zero_of(uint16_t) {
  return 0;
}
uint8_t zero_of(uint8_t) {
  return 128;
}

void assign(float& to, float value) {
  to = value;
}
void assign(uint16_t& to, float value) {
  to = float_to_bfloat16(value);
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

namespace {

template <typename To, typename From>
void gather_row_of(const Tensor& destination, int64_t to_y, const Tensor& source, int64_t from_y,
                   const Gather& plan) {
  for (const ChannelRun& run : plan.runs) {
    To* to = reinterpret_cast<To*>(destination.data) +
             destination.index(run.destination, to_y * destination.width);
    if (run.source == ChannelRun::kZeros) {
      for (int64_t x = 0; x < destination.width; ++x, to += destination.block) {
        std::fill_n(to, run.count, zero_of(To{}));
      }
      continue;
    }
    const int64_t first = (from_y * plan.step + run.row) * source.width + run.column;
    const From* from = reinterpret_cast<const From*>(source.data) + source.index(run.source, first);
    for (int64_t x = 0; x < destination.width; ++x) {
      if constexpr (std::is_same_v<To, From>) {
        std::copy_n(from, run.count, to);
      } else {
        for (int64_t c = 0; c < run.count; ++c) assign(to[c], to_float(from[c]));
      }
      to += destination.block;
      from += plan.step * source.block;
    }
  }
}

}  // namespace

void gather_row(const Tensor& destination, int64_t to_y, const Tensor& source, int64_t from_y,
                const Gather& plan) {
  if (destination.element == Element::kI8) {
    assert(source.element == Element::kI8);
    return gather_row_of<uint8_t, uint8_t>(destination, to_y, source, from_y, plan);
  }
  const bool to_float = destination.element == Element::kF32;
  const bool from_float = source.element == Element::kF32;
  const auto row =
      to_float ? (from_float ? gather_row_of<float, float> : gather_row_of<float, uint16_t>)
               : (from_float ? gather_row_of<uint16_t, float> : gather_row_of<uint16_t, uint16_t>);
  row(destination, to_y, source, from_y, plan);
}

void gather(Team& team, const Tensor& destination, const Tensor& source, const Gather& plan) {
  team.run(destination.height,
           [&](int64_t y, int) { gather_row(destination, y, source, y, plan); });
}

void upsample(Team& team, const Tensor& destination, const Tensor& source, int64_t factor) {
  const int64_t pixel = source.block * element_bytes(source.element);  // bytes of one of one block
  const int64_t row = destination.width * pixel;
  team.run(source.channels / source.block * source.height, [&](int64_t i, int) {
    const std::byte* from = source.data + i * source.width * pixel;
    std::byte* const first = destination.data + i * factor * row;
    std::byte* to = first;
    for (int64_t x = 0; x < source.width; ++x, from += pixel) {
      for (int64_t j = 0; j < factor; ++j, to += pixel) std::copy_n(from, pixel, to);
    }
    for (int64_t j = 1; j < factor; ++j) std::copy_n(first, row, first + j * row);
  });
}

void copy(Team& team, const Tensor& destination, const Tensor& source) {
  const int64_t bytes = destination.size_bytes();
  team.run((bytes + kChunkBytes - 1) / kChunkBytes, [&](int64_t i, int) {
    const int64_t begin = i * kChunkBytes;
    const int64_t end = std::min(bytes, begin + kChunkBytes);
    std::copy(source.data + begin, source.data + end, destination.data + begin);
  });
}

}  // namespace yolocu::cpu

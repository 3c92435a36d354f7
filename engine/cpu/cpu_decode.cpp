#include "engine/cpu/cpu_decode.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/cpu/kernels/kernel_table.h"

namespace yolocu::cpu {
namespace {

// Scores above `score` have logits above this. A little less than the inverse, as the sigmoid is
// rounded.
float least_logit(float score) {
  constexpr float kSmallest = 1e-30f;  // below, sigmoid() is not exact any more
  if (!(score > kSmallest)) return -std::numeric_limits<float>::infinity();
  const double logit = std::log(double{score} / (1.0 - double{score}));
  return static_cast<float>(logit - 1e-3 - 1e-5 * std::abs(logit));
}

// A row of pixels of a head, the channels of each in parts that lie together: elements from one
// pixel and from one part to the next.
struct PixelRow {
  const float* data = nullptr;
  int64_t pixel_stride = 0, part_stride = 0;
};

// Row y as [width, channels], in scratch.
PixelRow gather_pixels(const DecodeHead& head, int64_t y, float* scratch, int64_t part) {
  Tensor row{reinterpret_cast<std::byte*>(scratch),
             Element::kF32,
             head.channels,
             head.channels,
             1,
             head.blocked.width};
  gather_row(row, 0, head.blocked, y, head.to_pixels);
  return {scratch, head.channels, part};
}

// Row y with parts of `part` channels: where it is, if its blocks are these, or in scratch.
PixelRow row_of(const DecodeHead& head, int64_t y, float* scratch, int64_t part) {
  const Tensor& map = head.blocked;
  const auto& runs = head.to_pixels.runs;
  const bool is_in_order = std::all_of(runs.begin(), runs.end(), [](const ChannelRun& run) {
    return run.source == run.destination;
  });
  if (map.element != Element::kF32 || map.block != part || !is_in_order) {
    return gather_pixels(head, y, scratch, part);
  }
  return {map.floats() + map.index(0, y * map.width), map.block, map.pixels() * map.block};
}

class Decoder {
 public:
  Decoder(const DecodeTask& task, const DecodeOutput& output)
      : task_(task),
        output_(output),
        kernels_(kernel_table()),
        least_logit_(output.least_score < 0 ? -std::numeric_limits<float>::infinity()
                                            : least_logit(output.least_score)),
        keep_all_(output.least_score < 0) {}

  // One row of pixels of a level: both of its heads.
  void dfl_row(const DecodeDflOp& op, size_t level, int64_t y, int64_t first_row,
               float* scratch) const {
    const DecodeHead& box = task_.heads[2 * level];
    const DecodeHead& classes = task_.heads[2 * level + 1];
    const int64_t width = box.blocked.width;
    const PixelRow scores = row_of(classes, y, scratch, kernels_.lanes);
    const PixelRow bins = row_of(box, y, scratch + width * classes.channels, op.bins);
    float* row = output_.predictions.data() + (first_row + y * width) * (4 + op.classes);
    float sides[4];
    for (int64_t x = 0; x < width; ++x, row += 4 + op.classes) {
      const float* const logits = scores.data + x * scores.pixel_stride;
      if (!keep_all_ &&
          !(kernels_.greatest(logits, op.classes, scores.part_stride) > least_logit_)) {
        std::fill_n(row, 4 + op.classes, 0.0f);
        continue;
      }
      kernels_.expected_bins(sides, bins.data + x * bins.pixel_stride, op.bins, bins.part_stride);
      place_box(row, sides, static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f,
                op.strides[level]);
      kernels_.sigmoid(row + 4, logits, op.classes, scores.part_stride);
    }
  }

  // One row of pixels of a level, all anchors.
  void anchor_row(const DecodeAnchorOp& op, size_t level, int64_t y, int64_t first_row,
                  float* scratch) const {
    const DecodeHead& head = task_.heads[level];
    const int64_t width = head.blocked.width;
    const int64_t length = 5 + op.classes;
    const auto anchors = static_cast<int64_t>(op.anchors[level].size() / 2);
    const float* const pixels = gather_pixels(head, y, scratch, kernels_.lanes).data;
    for (int64_t anchor = 0; anchor < anchors; ++anchor) {
      const int64_t first = first_row + (anchor * head.blocked.height + y) * width;
      float* row = output_.predictions.data() + first * length;
      const float* logits = pixels + anchor * length;
      for (int64_t x = 0; x < width; ++x, row += length, logits += head.channels) {
        if (!keep_all_ && !(logits[4] > least_logit_)) {
          std::fill_n(row, length, 0.0f);
          continue;
        }
        kernels_.sigmoid(row, logits, length, kernels_.lanes);
        const float* const size = &op.anchors[level][2 * static_cast<size_t>(anchor)];
        place_anchor(row, static_cast<float>(x), static_cast<float>(y), op.strides[level], size);
      }
    }
  }

 private:
  // In the order of operations of the official dist2bbox, so that roundings agree.
  static void place_box(float* row, const float* sides, float x, float y, float stride) {
    const float x1 = x - sides[0];
    const float y1 = y - sides[1];
    const float x2 = x + sides[2];
    const float y2 = y + sides[3];
    row[0] = (x1 + x2) / 2 * stride;
    row[1] = (y1 + y2) / 2 * stride;
    row[2] = (x2 - x1) * stride;
    row[3] = (y2 - y1) * stride;
  }

  static void place_anchor(float* row, float x, float y, float stride, const float* size) {
    row[0] = (row[0] * 2 - 0.5f + x) * stride;
    row[1] = (row[1] * 2 - 0.5f + y) * stride;
    row[2] = (row[2] * 2) * (row[2] * 2) * size[0];
    row[3] = (row[3] * 2) * (row[3] * 2) * size[1];
  }

  const DecodeTask& task_;
  const DecodeOutput& output_;
  const KernelTable& kernels_;
  float least_logit_;
  bool keep_all_;
};

// Calls body(level, y, first row of the level's predictions, thread) for all rows of pixels.
template <typename Body>
void for_pixel_rows(Team& team, const DecodeTask& task, size_t heads_a_level,
                    const std::vector<int64_t>& anchors, const Body& body) {
  int64_t first_row = 0;
  for (size_t level = 0; level < anchors.size(); ++level) {
    const Tensor& map = task.heads[level * heads_a_level].blocked;
    team.run(map.height, [&](int64_t y, int thread) { body(level, y, first_row, thread); });
    first_row += anchors[level] * map.pixels();
  }
}

}  // namespace

int64_t DecodeTask::scratch_bytes() const {
  int64_t most = 0;
  for (size_t i = 0; i < heads.size(); ++i) {
    int64_t channels = heads[i].channels;
    if (std::holds_alternative<DecodeDflOp>(*op) && i + 1 < heads.size()) {
      channels += heads[i + 1].channels;
    }
    most = std::max(most, channels * heads[i].blocked.width * 4);
  }
  return most;
}

void decode(Team& team, const DecodeTask& task, const DecodeOutput& output, std::byte* scratch,
            int64_t scratch_bytes) {
  const Decoder decoder(task, output);
  const auto scratch_of = [&](int thread) {
    return reinterpret_cast<float*>(scratch + thread * scratch_bytes);
  };
  if (const auto* dfl = std::get_if<DecodeDflOp>(task.op)) {
    for_pixel_rows(team, task, 2, std::vector<int64_t>(dfl->strides.size(), 1),
                   [&](size_t level, int64_t y, int64_t first_row, int thread) {
                     decoder.dfl_row(*dfl, level, y, first_row, scratch_of(thread));
                   });
  } else if (const auto* anchor = std::get_if<DecodeAnchorOp>(task.op)) {
    std::vector<int64_t> anchors;
    for (const auto& sizes : anchor->anchors) {
      anchors.push_back(static_cast<int64_t>(sizes.size() / 2));
    }
    for_pixel_rows(team, task, 1, anchors,
                   [&](size_t level, int64_t y, int64_t first_row, int thread) {
                     decoder.anchor_row(*anchor, level, y, first_row, scratch_of(thread));
                   });
  }
}

}  // namespace yolocu::cpu

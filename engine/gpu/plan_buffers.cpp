#include "engine/gpu/plan_buffers.h"

namespace yolocu::gpu {

PlanBuffers::PlanBuffers(GpuPlan& plan, const std::vector<ValueShape>& shapes,
                         const std::vector<ChannelLayout>& layouts, const Placement& placement)
    : plan_(plan),
      shapes_(shapes),
      layouts_(layouts),
      placement_(placement),
      buffer_of_root_(shapes.size(), kNoBuffer) {}

int PlanBuffers::new_buffer(int64_t bytes) {
  const int now = static_cast<int>(plan_.steps.size());
  plan_.buffers.push_back({.size_bytes = bytes, .first = now, .last = now});
  return static_cast<int>(plan_.buffers.size()) - 1;
}

void PlanBuffers::use(int buffer) {
  plan_.buffers[static_cast<size_t>(buffer)].last = static_cast<int>(plan_.steps.size());
}

MapView PlanBuffers::map(const Place& place) {
  const auto root = static_cast<size_t>(place.root);
  const PlanOptions& options = plan_.options;
  const int64_t stride = layouts_[root].padded_channels();
  MapView map{.view = {.pixel_stride = stride, .offset = place.channel},
              .height = shapes_[root].extent.at(options.height),
              .width = shapes_[root].extent.at(options.width)};
  int& buffer = buffer_of_root_[root];
  if (buffer == kNoBuffer) {
    buffer =
        new_buffer(options.batch * map.height * map.width * stride * size_bytes(options.dtype));
  }
  use(buffer);
  map.buffer = buffer;
  return map;
}

MapView PlanBuffers::map(int value) {
  return map(placement_.places[static_cast<size_t>(value)]);
}

MapView PlanBuffers::dense_map(int value, int64_t channels) {
  const ValueShape& shape = shapes_[static_cast<size_t>(value)];
  const PlanOptions& options = plan_.options;
  MapView map{.view = {.pixel_stride = channels},
              .height = shape.extent.at(options.height),
              .width = shape.extent.at(options.width)};
  map.buffer =
      new_buffer(options.batch * map.height * map.width * channels * size_bytes(options.dtype));
  return map;
}

Result<CopyStep> copy_step(const PlanOptions& options, const MapView& dst, const MapView& src,
                           int64_t channels) {
  CopyStep step{.y = dst.buffer, .x = src.buffer};
  // Bits are moved, not numbers: any type of two bytes will do.
  step.problem = {.dtype = options.dtype == DType::kBF16 ? DType::kF16 : options.dtype,
                  .pixels = options.batch * dst.height * dst.width,
                  .channels = channels,
                  .dst_pixel_stride = dst.view.pixel_stride,
                  .dst_offset = dst.view.offset,
                  .src_pixel_stride = src.view.pixel_stride,
                  .src_offset = src.view.offset,
                  .alignment_bytes = kBufferAlignment};
  YOLOCU_ASSIGN_OR_RETURN(step.variant, select_channel_copy(step.problem));
  return step;
}

}  // namespace yolocu::gpu

// Buffers of a plan that is being made, and the maps that lie in them.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/gpu/gpu_plan.h"
#include "engine/plan/placement.h"
#include "kernels/channel_view.h"

namespace yolocu::gpu {

// A feature map, or some of its channels, in a buffer: [batch, height, width, channels of view].
struct MapView {
  int buffer = kNoBuffer;
  ChannelView view = {};
  int64_t height = 0, width = 0;
};

// Hands out buffers and keeps their lifetimes: whoever asks for one uses it in the step that is
// added next. Refers to all that it is made with.
class PlanBuffers {
 public:
  PlanBuffers(GpuPlan& plan, const std::vector<ValueShape>& shapes,
              const std::vector<ChannelLayout>& layouts, const Placement& placement);

  // Where value `value` lies. A root's buffer comes into being with the first request.
  MapView map(int value);
  // Channels of a root from place.channel on.
  MapView map(const Place& place);
  // A map of its own, of `channels` without padding and the extent of `value`.
  MapView dense_map(int value, int64_t channels);
  // Other memory.
  int new_buffer(int64_t bytes);
  void use(int buffer);

 private:
  GpuPlan& plan_;
  const std::vector<ValueShape>& shapes_;
  const std::vector<ChannelLayout>& layouts_;
  const Placement& placement_;
  std::vector<int> buffer_of_root_;
};

// dst = src, `channels` of every pixel. Errors of select_channel_copy.
Result<CopyStep> copy_step(const PlanOptions& options, const MapView& dst, const MapView& src,
                           int64_t channels);

}  // namespace yolocu::gpu

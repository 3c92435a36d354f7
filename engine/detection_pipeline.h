// Picture in, boxes out, on one device: what stands behind a Detector.
#pragma once

#include <memory>
#include <vector>

#include "kernels/launch_log.h"
#include "weights/format/model.h"
#include "yolocu/detector.h"
#include "yolocu/status.h"

namespace yolocu {

// Not thread-safe; one a thread.
class DetectionPipeline {
 public:
  virtual ~DetectionPipeline() = default;

  // Detections in pixels of the picture, by descending score. A network that overflows can give
  // boxes of NaN, which are in no picture: they may be among them.
  virtual Result<std::vector<Detection>> detect(const ImageView& image) = 0;

  // Another one with the same options, that shares what can be shared.
  virtual Result<std::unique_ptr<DetectionPipeline>> share() const = 0;

  // See Executor::take_launches().
  virtual std::vector<LaunchRecord> take_launches() = 0;
};

// Letterbox and suppression on the host around an executor: the cpu and reference devices.
Result<std::unique_ptr<DetectionPipeline>> create_host_pipeline(std::shared_ptr<const Model> model,
                                                                const DetectorOptions& options);

// All of it on the cuda or emulated device: one graph launch a picture, one copy back.
Result<std::unique_ptr<DetectionPipeline>> create_gpu_pipeline(std::shared_ptr<const Model> model,
                                                               const DetectorOptions& options);

}  // namespace yolocu

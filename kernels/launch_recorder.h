// How launch() on CUDA tells a runtime of its launches. Included only by the CUDA target.
#pragma once

#include <memory>
#include <string_view>

#include "kernels/launch.h"

namespace yolocu {

class LaunchRecorder {
 public:
  virtual ~LaunchRecorder() = default;
  // A launch on any stream that CUDA accepted.
  virtual void launched(std::string_view kernel, const LaunchConfig& config) = 0;
};

// From now on `recorder` hears of launches by this host thread, until it is destroyed.
void record_launches_of_this_thread(const std::shared_ptr<LaunchRecorder>& recorder);

}  // namespace yolocu

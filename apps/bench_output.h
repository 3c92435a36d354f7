// The results of `yolocu bench` as text and JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/arguments.h"
#include "apps/statistics.h"
#include "engine/executor.h"
#include "yolocu/options.h"

namespace yolocu {

// What was measured, and of what.
struct BenchResult {
  std::string model;                       // as messages name it
  std::string architecture;                // of the model, for people
  Device device = Device::kAuto;           // not kAuto
  Precision precision = Precision::kAuto;  // not kAuto
  int64_t batch = 1;
  InputSize size = {};
  int threads = 0;   // of the host
  double flops = 0;  // of the convolutions of the batch: 2 x multiply-adds
  TimeSummary network = {};
  InputSize picture;                           // of end_to_end
  std::string image;                           // the file it is read from; empty: pixels in memory
  std::optional<TimeSummary> end_to_end = {};  // with batch 1
  std::vector<StepTime> layers = {};           // with --layers
};

// One document: keys of the network alone at the top, `end_to_end` (null if it was not timed), and
// `note` where the times say nothing of the device.
std::string bench_json(const BenchResult& result);

// The same in a few lines.
std::string bench_text(const BenchResult& result);

}  // namespace yolocu

// Which CUDA devices this process can use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "yolocu/status.h"

namespace yolocu {

struct DeviceInfo {
  int ordinal = 0;  // CUDA's number of the device, as CUDA_VISIBLE_DEVICES leaves it
  std::string name;
  int compute_major = 0, compute_minor = 0;  // 9, 0 for sm_90
  int64_t multiprocessors = 0;
  int64_t memory_bytes = 0;
  int64_t shared_bytes_per_block = 0;  // at most, when a kernel asks for it
  bool has_wgmma = false;              // a card of sm_90, and code of sm_90a for it in this build
};

struct DeviceList {
  int driver_version = 0;           // newest CUDA that the driver supports: 13000 for 13.0
  int runtime_version = 0;          // CUDA that this program was built with
  std::vector<DeviceInfo> devices;  // at least one
};

// kUnsupported: the build has no CUDA. kNotFound: no driver, a driver that is too old, or no
// device; the message says which, with both versions where they matter.
Result<DeviceList> query_devices();

}  // namespace yolocu

// Runs cases, on the emulated device and on CUDA, and judges them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernels/device_query.h"
#include "tests/conformance/case.h"
#include "tests/conformance/code_features.h"
#include "tests/conformance/isolated.h"

namespace yolocu::conformance {

enum class Verdict : uint8_t { kOk, kWrong, kSkipped };

struct Outcome {
  Verdict verdict = Verdict::kOk;
  std::string why = {};  // "" for kOk
};

// The CUDA device, and why it cannot be used if `usable` is false.
struct CudaDevice {
  bool usable = false;
  std::string why_not = {};
  DeviceInfo info = {};
  int driver_version = 0, runtime_version = 0;
  CodeFeatures features = {};
};

// Asked in a process of its own, as everything of CUDA.
CudaDevice find_cuda_device();

// The output of a case on a device, which waits.
Result<Bytes> run_case(const Case& test, DeviceRuntime& runtime, const Bytes& input);

// On the emulated device, with `seeds` seeds, each with late and with early copies. All outputs
// must be the same bytes, and what the case expects.
struct EmulatedRuns {
  Outcome outcome;
  Bytes output = {};  // of the first; empty if that failed
};
EmulatedRuns judge_emulated(const Case& test, const Bytes& input, int seeds);

// Runs cases[item] in another process on a device that `make_runtime` opens there, once as long as
// nothing goes wrong. `cases` must outlive it.
using MakeRuntime = std::function<Result<std::unique_ptr<DeviceRuntime>>()>;
IsolatedWorker case_worker(const Cases& cases, uint64_t input_seed, MakeRuntime make_runtime);

// kSkipped if the device is of no use, or its code lacks what the case needs; else kOk.
Outcome can_run(const Case& test, const CudaDevice& device);

// An output on CUDA: what the case expects and, if `emulated` is not empty, the same as that.
Outcome judge_cuda(const Case& test, const Bytes& input, const Result<Bytes>& output,
                   const Bytes& emulated);

}  // namespace yolocu::conformance

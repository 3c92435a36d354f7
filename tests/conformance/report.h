// What the program prints, and the file that bench/results keeps.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/runner.h"

namespace yolocu::conformance {

struct CaseResult {
  std::string name;
  Outcome emulated = {}, cuda = {};
};

struct Report {
  CudaDevice device;
  int seeds = 0;            // of the emulated device
  uint64_t input_seed = 0;  // of the inputs
  std::vector<CaseResult> results = {};
};

// "ok", "skipped: why", or what is wrong.
std::string text_of(const Outcome& outcome);
// One line of the table: case | emulated | cuda.
std::string line_of(const CaseResult& result);
// "63 cases. emulated: 63 ok, 0 wrong, 0 skipped; cuda: ..."
std::string summary_of(const Report& report);
// Which GPU, or why none.
std::string device_line(const CudaDevice& device);
// The lines of what is wrong once more, each ending with a newline.
std::string wrong_lines(const Report& report);
bool any_wrong(const Report& report);

// Date (UTC), device, driver and runtime, and each case's outcomes. kUnavailable if the file cannot
// be written.
Status write_json(const Report& report, const std::string& path);

}  // namespace yolocu::conformance

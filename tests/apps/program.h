// Runs the built program as a process of its own, as a user does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace yolocu::testing {

struct ProgramResult {
  int exit_code = -1;  // -1 if a signal ended it
  std::string out;
  std::string err;
  int64_t peak_bytes = 0;  // of resident memory, files that it maps included
  double cpu_seconds = 0;  // of all its threads, in the program and in the system for it
};

// Waits for its end. Standard input is empty. `stdout_path`: a file that receives standard output
// instead of ProgramResult::out.
ProgramResult run_yolocu(const std::vector<std::string>& arguments,
                         const std::string& stdout_path = "");

}  // namespace yolocu::testing

// What the emulator says of a wrong kernel.
#pragma once

#include <string>

#include "kernels/device/target.h"

namespace yolocu::emulation {

// The first error of a block.
struct Violation {
  std::string what;
  Index3 block, thread;
  CallSite site;
};

// "(x,y,z)".
std::string index_text(const Index3& index);

// "kernels/copy/x.cuh:12": the path within the source tree.
std::string place_text(CallSite site);

// "kernel K, block (x,y,z), thread (x,y,z) at file:line: what".
std::string violation_text(std::string_view kernel, const Violation& violation);

}  // namespace yolocu::emulation

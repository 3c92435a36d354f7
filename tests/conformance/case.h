// What the conformance program runs: a few primitives with one input, and what must come out.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/launch.h"
#include "yolocu/status.h"

namespace yolocu::conformance {

using Bytes = std::vector<uint8_t>;

// The newest thing that a case uses. kWgmma: sm_90a; kMulticast: that and sm_100a.
enum class Needs : uint8_t { kSm80, kSm89, kSm90, kMulticast, kWgmma };

// Device memory, 256-byte aligned. Before the case runs, every byte of out is kUnwritten.
struct CaseMemory {
  uint8_t* out;
  uint8_t* in;
  Stream stream;
};
constexpr uint8_t kUnwritten = 0xFF;

// tolerance: empty if the bytes must be these; else the output is floats, the i-th of which may be
// tolerance[i] away.
struct Expectation {
  Bytes bytes;
  std::vector<double> tolerance = {};
};

struct Case {
  std::string name;  // "topic/what"
  Needs needs = Needs::kSm80;
  int64_t output_bytes = 0;
  std::function<Bytes(uint64_t seed)> input;
  // Enqueues kernels of one target.
  std::function<Status(const CaseMemory& memory)> run;
  // By plain loops over the definition: it shares no formula with the emulator.
  std::function<Expectation(std::span<const uint8_t> input)> expect;
};
using Cases = std::vector<Case>;

}  // namespace yolocu::conformance

// A small reproducible source of choices.
#pragma once

#include <cstdint>

namespace yolocu::emulation {

// xorshift64*. Same seed, same choices on every machine.
class Random {
 public:
  // Mixed (splitmix64), so that neighbouring seeds differ.
  explicit Random(uint64_t seed) {
    uint64_t mixed = seed + 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    state_ = (mixed ^ (mixed >> 31)) | 1;
  }

  uint32_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>((state_ * 0x2545F4914F6CDD1Du) >> 32);
  }

  // 0 .. bound-1.
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>((uint64_t{next()} * bound) >> 32); }

 private:
  uint64_t state_;
};

}  // namespace yolocu::emulation

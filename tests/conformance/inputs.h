// Inputs of cases: bytes that a seed gives, and typed views of them.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "tests/conformance/case.h"

namespace yolocu::conformance {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // In [0, count).
  uint32_t below(uint32_t count) { return static_cast<uint32_t>((next() >> 32) % count); }
  // In [low, high).
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53;
  }

 private:
  uint64_t state_;
};

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// The first `count` T from byte `offset` on.
template <typename T>
std::vector<T> values_of(std::span<const uint8_t> bytes, size_t offset, size_t count) {
  std::vector<T> values(count);
  std::memcpy(values.data(), bytes.data() + offset, count * sizeof(T));
  return values;
}

template <typename T>
std::vector<T> values_of(std::span<const uint8_t> bytes) {
  return values_of<T>(bytes, 0, bytes.size() / sizeof(T));
}

inline std::vector<uint32_t> random_words(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<uint32_t> words(count);
  for (uint32_t& word : words) word = static_cast<uint32_t>(random.next());
  return words;
}

inline Bytes random_bytes(size_t count, uint64_t seed) {
  Bytes bytes = bytes_of(random_words(count / 4 + 1, seed));
  bytes.resize(count);
  return bytes;
}

// For Case::input.
inline std::function<Bytes(uint64_t)> random_input(size_t bytes) {
  return [bytes](uint64_t seed) { return random_bytes(bytes, seed); };
}

inline Bytes concatenated(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace yolocu::conformance

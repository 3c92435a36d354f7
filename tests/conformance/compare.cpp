#include "tests/conformance/compare.h"

#include <cmath>
#include <cstdio>

#include "engine/base/str_cat.h"
#include "tests/conformance/inputs.h"

namespace yolocu::conformance {
namespace {

std::string hex(uint8_t byte) {
  char text[8];
  std::snprintf(text, sizeof(text), "0x%02x", byte);
  return text;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

std::string other_size(size_t actual, size_t expected) {
  return str_cat("has ", actual, " bytes, expected ", expected);
}

bool agree(double actual, double expected, double tolerance) {
  return std::fabs(actual - expected) <= tolerance || (std::isinf(actual) && actual == expected);
}

}  // namespace

std::string difference(std::span<const uint8_t> actual, std::span<const uint8_t> expected) {
  if (actual.size() != expected.size()) return other_size(actual.size(), expected.size());
  size_t first = actual.size(), count = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    if (count++ == 0) first = i;
  }
  if (count == 0) return "";
  return str_cat("differs at byte ", first, " (of ", actual.size(), ", ", count,
                 " differ): ", hex(actual[first]), ", expected ", hex(expected[first]));
}

std::string difference(std::span<const uint8_t> actual, const Expectation& expected) {
  if (expected.tolerance.empty()) return difference(actual, std::span(expected.bytes));
  if (actual.size() != expected.bytes.size() ||
      actual.size() != expected.tolerance.size() * sizeof(float)) {
    return other_size(actual.size(), expected.bytes.size());
  }
  const auto x = values_of<float>(actual), y = values_of<float>(expected.bytes);
  for (size_t i = 0; i < x.size(); ++i) {
    if (agree(double{x[i]}, double{y[i]}, expected.tolerance[i])) continue;
    return str_cat("differs at float ", i, ": ", number(double{x[i]}), ", expected ",
                   number(double{y[i]}), " +- ", number(expected.tolerance[i]));
  }
  return "";
}

std::string difference_between(std::span<const uint8_t> actual, std::span<const uint8_t> other,
                               const std::vector<double>& tolerance) {
  Expectation expected{.bytes = Bytes(other.begin(), other.end()), .tolerance = tolerance};
  for (double& most : expected.tolerance) most *= 2;
  return difference(actual, expected);
}

}  // namespace yolocu::conformance

// Values of command-line options. Errors are kInvalidArgument without the option's name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/dtype.h"
#include "weights/import/head_branch.h"
#include "yolocu/status.h"

namespace yolocu {

// Pixels of the network input; zeros stand for the model's default.
struct InputSize {
  int64_t width = 0;
  int64_t height = 0;
};

// "640" (640 x 640) or "1280x736" (width x height), both 1..65536. Whether the model can run it is
// for the engine to say.
Result<InputSize> parse_input_size(const std::string& text);

// A number in 0..1, as scores and overlaps are.
Result<double> parse_fraction(const std::string& text);

// A whole number in 1..1000000.
Result<int64_t> parse_count(const std::string& text);

// A whole number from 0.
Result<int64_t> parse_seed(const std::string& text);

// A whole number in 0..1000000.
Result<int64_t> parse_count_or_none(const std::string& text);

// "auto", which is nothing, or a whole number in 0..1000000.
Result<std::optional<int64_t>> parse_keep(const std::string& text);

// "fp16" or "fp32", the types weights are stored in.
Result<DType> parse_weight_dtype(const std::string& text);

// "main" or "aux", the branches of a head.
Result<HeadBranch> parse_branch(const std::string& text);

// Classes by exact name or by number, separated by commas: "person,5". The message for an unknown
// one names those that differ by a few letters, or else lists all.
Result<std::vector<int64_t>> parse_classes(const std::string& text,
                                           std::span<const std::string> class_names);

}  // namespace yolocu

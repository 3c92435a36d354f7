// Small models for the tests of the file format: every op, both heads.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "weights/format/model.h"

namespace yolocu::testing {

// A model whose tensors hold bytes 0, 1, 2, ... and whose storage is its own.
inline Model with_tensors(
    ModelSpec spec,
    const std::vector<std::pair<std::string, std::pair<DType, std::vector<int64_t>>>>& tensors) {
  using Storage = std::map<std::string, std::vector<std::byte>>;
  const auto storage = std::make_shared<Storage>();
  Model model{.spec = std::move(spec), .tensors = {}, .storage = storage};
  for (const auto& [name, type] : tensors) {
    int64_t bytes = size_bytes(type.first);
    for (const int64_t extent : type.second) bytes *= extent;
    std::vector<std::byte>& data = (*storage)[name];
    for (int64_t i = 0; i < bytes; ++i) data.push_back(static_cast<std::byte>(i % 251));
    model.tensors[name] = {type.first, type.second, data};
  }
  return model;
}

// Stem 3 -> 4 channels, stride 2, then one-level heads: 1 bin, 2 classes. About 2 KB as a file.
inline Model small_model() {
  ModelSpec spec;
  spec.graph.nodes = {{"images", {}, InputOp{}},
                      {"stem",
                       {0},
                       ConvOp{.out_channels = 4,
                              .kernel = 3,
                              .stride = 2,
                              .padding = 1,
                              .activation = Activation::kSilu,
                              .weight = "stem.w",
                              .bias = "stem.b"}},
                      {"box", {1}, ConvOp{.out_channels = 4, .weight = "box.w"}},
                      {"cls", {1}, ConvOp{.out_channels = 2, .weight = "cls.w", .bias = "cls.b"}},
                      {"decode", {2, 3}, DecodeDflOp{.classes = 2, .bins = 1, .strides = {2}}}};
  spec.architecture = "tiny";
  spec.class_names = {"cat", "a \"dog\"\n\xC3\xA4"};
  spec.input_size = 64;
  spec.source_name = "tiny.pt";
  spec.source_sha256 = std::string(64, 'a');
  return with_tensors(std::move(spec), {{"stem.w", {DType::kF16, {4, 3, 3, 3}}},
                                        {"stem.b", {DType::kF32, {4}}},
                                        {"box.w", {DType::kF32, {4, 1, 1, 4}}},
                                        {"cls.w", {DType::kF16, {2, 1, 1, 4}}},
                                        {"cls.b", {DType::kF32, {2}}}});
}

// Stem in floating point (3 -> 2 channels), held as int8; an int8 convolution of it; both joined, a
// pool, and heads on that: one in int8, one not. Written as format version 2.
inline Model int8_model() {
  ModelSpec spec;
  spec.graph.nodes = {
      {"images", {}, InputOp{}},
      {"stem",
       {0},
       ConvOp{.out_channels = 2,
              .kernel = 3,
              .stride = 2,
              .padding = 1,
              .activation = Activation::kSilu,
              .weight = "stem.w",
              .output_scale = 0.5f}},
      {"mid",
       {1},
       ConvOp{.out_channels = 4,
              .kernel = 3,
              .padding = 1,
              .weight = "mid.w",
              .bias = "mid.b",
              .accumulator_scale = "mid.s",
              .output_scale = 0.25f}},
      {"sum", {2, 2}, AddOp{.output_scale = 2.0f}},
      {"cat", {1, 2, 1}, ConcatOp{}},
      {"box", {4}, ConvOp{.out_channels = 4, .weight = "box.w"}},
      {"cls",
       {3},
       ConvOp{.out_channels = 2, .weight = "cls.w", .bias = "cls.b", .accumulator_scale = "cls.s"}},
      {"decode", {5, 6}, DecodeDflOp{.classes = 2, .bins = 1, .strides = {2}}}};
  spec.class_names = {"cat", "dog"};
  spec.input_size = 64;
  Model model = with_tensors(std::move(spec), {{"stem.w", {DType::kF16, {2, 3, 3, 3}}},
                                               {"mid.w", {DType::kI8, {4, 3, 3, 2}}},
                                               {"mid.b", {DType::kF32, {4}}},
                                               {"box.w", {DType::kF32, {4, 1, 1, 8}}},
                                               {"cls.w", {DType::kI8, {2, 1, 1, 4}}},
                                               {"cls.b", {DType::kF32, {2}}}});
  struct Scales {
    std::shared_ptr<const void> tensors;
    std::vector<float> mid = {0.5f, 0.25f, 3.0f, 1e-6f}, cls = {1.0f, 2.0f};
  };
  const auto scales = std::make_shared<Scales>();
  scales->tensors = model.storage;
  model.tensors["mid.s"] = {DType::kF32, {4}, std::as_bytes(std::span(scales->mid))};
  model.tensors["cls.s"] = {DType::kF32, {2}, std::as_bytes(std::span(scales->cls))};
  model.storage = scales;
  return model;
}

// The ops that small_model lacks, an anchor head, an unnamed tensor, a weight used twice.
inline Model every_op_model() {
  const ConvOp twin{.out_channels = 12,
                    .kernel = 3,
                    .padding = 1,
                    .groups = 4,
                    .activation = Activation::kLeakyRelu,
                    .negative_slope = 0.1f,
                    .weight = "twin.w"};
  ModelSpec spec;
  spec.graph.nodes = {
      {"images", {}, InputOp{}},
      {"reorg", {0}, SpaceToDepthOp{}},
      {"twin.a", {1}, twin},
      {"twin.b", {2}, twin},
      {"sum", {2, 3}, AddOp{}},
      {"pool", {4}, MaxPoolOp{.kernel = 3, .stride = 2, .padding = 1}},
      {"blur", {5}, AvgPoolOp{.kernel = 2, .stride = 1}},
      {"down",
       {6},
       ConvOp{.out_channels = 8,
              .kernel = 2,
              .padding = 1,
              .activation = Activation::kRelu,
              .weight = "down.w"}},
      {"part", {7}, SliceOp{.begin = 2, .channels = 5}},
      {"up", {8}, UpsampleOp{.factor = 2}},
      {"cat", {9, 4, 1}, ConcatOp{}},
      {"head", {10}, ConvOp{.out_channels = 12, .weight = "head.w"}},
      {"decode",
       {11},
       DecodeAnchorOp{.classes = 1, .strides = {2}, .anchors = {{1.5f, 2.1f, 1e-3f, 7}}}}};
  spec.class_names = {"thing"};
  spec.input_size = 32;
  spec.letterbox.pad_value = 0;
  return with_tensors(std::move(spec), {{"twin.w", {DType::kF16, {12, 3, 3, 3}}},
                                        {"down.w", {DType::kF32, {8, 2, 2, 12}}},
                                        {"head.w", {DType::kF16, {12, 1, 1, 29}}},
                                        {"a.scale", {DType::kI8, {3, 0, 2}}},
                                        {"z.scale", {DType::kBF16, {}}}});
}

}  // namespace yolocu::testing

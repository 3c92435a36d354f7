// Convolutions that every variant is tested on, made to measure for its tile and loads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/str_cat.h"
#include "kernels/conv/conv.h"

namespace yolocu::testing {

// Which tensors are one buffer.
enum class ConvSharing : uint8_t { kNone, kSecondInY, kResidualInY };

struct ConvCase {
  ConvVariant variant;
  std::string name;  // of the problem
  ConvProblem problem;
  ConvSharing sharing = ConvSharing::kNone;
  int64_t splits = 1;

  ConvChoice choice() const { return {variant, splits}; }
};

// Dense views of the problem's channels, unless it has views already.
inline ConvProblem with_dense_views(ConvProblem problem) {
  if (problem.x.pixel_stride == 0) problem.x = {problem.channels, 0};
  if (problem.y.pixel_stride == 0) problem.y = {problem.out_channels, 0};
  return problem;
}

inline ConvProblem padded(ConvProblem problem, int64_t padding) {
  problem.padding = padding;
  return problem;
}

using NamedProblems = std::vector<std::pair<std::string, ConvProblem>>;

// Rows and columns of the product around the tile; v: channels of one load.
inline NamedProblems tile_problems(const ConvVariant& variant, int64_t v) {
  const int64_t m = std::max(variant.tile.block_m, 16), n = std::max(variant.tile.block_n, 16);
  const auto pointwise = [](int64_t width, int64_t channels, int64_t out_channels) {
    return ConvProblem{
        .height = 1, .width = width, .channels = channels, .out_channels = out_channels};
  };
  return {{"one", pointwise(1, v, 1)},
          {"below_tile", pointwise(m - 1, 3 * v, n - 1)},
          {"tile", pointwise(m, 32, n)},
          {"above_tile", pointwise(m + 1, 40, n + 1)},
          {"prime_blocks", pointwise(2 * m + 3, 5 * v, 2 * n + 5)}};
}

// Filters, strides, paddings. Depths from one stage to more than twice around the ring.
inline NamedProblems filter_problems(int64_t v) {
  const ConvProblem base = {.height = 7, .width = 5, .channels = 3 * v, .out_channels = 24};
  const auto filter = [&base](int64_t r, int64_t s, int64_t stride, int64_t padding) {
    ConvProblem problem = padded(base, padding);
    problem.filter_height = r;
    problem.filter_width = s;
    problem.stride = stride;
    return problem;
  };
  ConvProblem deep = filter(3, 3, 1, 1);
  deep.channels = 32;
  ConvProblem batch = filter(3, 3, 2, 1);
  batch.batch = 2;
  batch.height = 9;
  ConvProblem wide = filter(2, 2, 1, 0);
  wide.channels = 16 * v;
  return {{"deep", deep},
          {"batch2_stride2", batch},
          {"r1_padding3", filter(1, 1, 1, 3)},
          {"r2_stride2", filter(2, 2, 2, 0)},
          {"r2_padding1", filter(2, 2, 1, 1)},
          {"r2_wide", wide},
          {"r3_no_padding", filter(3, 3, 1, 0)},
          {"r3_padding3", filter(3, 3, 2, 3)},
          {"r5_padding2", filter(5, 5, 1, 2)},
          {"r5_stride3", filter(5, 5, 3, 1)},
          {"r1x3", filter(1, 3, 1, 1)},
          {"r3x2", filter(3, 2, 1, 1)}};
}

inline NamedProblems group_problems(int64_t v) {
  const auto grouped = [](int64_t groups, int64_t channels, int64_t out_channels) {
    return ConvProblem{.height = 3,
                       .width = 5,
                       .channels = groups * channels,
                       .out_channels = groups * out_channels,
                       .filter_height = 3,
                       .filter_width = 3,
                       .padding = 1,
                       .groups = groups};
  };
  return {{"groups4_of_16", grouped(4, 16, 16)},
          {"groups2_odd_outputs", grouped(2, 3 * v, 5)},
          {"groups3_of_40", grouped(3, 40, 8)},
          {"depthwise", grouped(11, 1, 1)}};
}

// Each channel by itself.
inline std::vector<ConvCase> depthwise_cases(const ConvVariant& variant) {
  const ConvProblem base = {.batch = 2,
                            .height = 7,
                            .width = 5,
                            .filter_height = 3,
                            .filter_width = 3,
                            .padding = 1,
                            .activation = Activation::kSilu};
  std::vector<ConvCase> cases;
  const auto add = [&](const std::string& name, int64_t channels, auto change) {
    ConvProblem problem = base;
    problem.channels = problem.out_channels = problem.groups = channels;
    problem.dtype = variant.dtype;
    change(problem);
    cases.push_back({variant, "depthwise_" + name, with_dense_views(problem)});
  };
  const auto keep = [](ConvProblem&) {};
  for (const int64_t channels : {1, 7, 8, 40, 257, 264})
    add(str_cat("c", channels), channels, keep);
  add("stride2", 24, [](ConvProblem& p) { p.stride = 2; });
  add("r5x1", 24, [](ConvProblem& p) { p.filter_height = 5, p.filter_width = 1; });
  add("r2_padding3", 24, [](ConvProblem& p) {
    p.filter_height = p.filter_width = 2;
    p.padding = 3;
  });
  add("one_pixel", 16, [](ConvProblem& p) { p.height = p.width = p.batch = 1; });
  add("views", 24, [](ConvProblem& p) {
    p.x = {64, 16};
    p.y = {40, 8};
    p.residual = ChannelView{27, 2};
  });
  add("odd_view", 24, [](ConvProblem& p) { p.y = {31, 3}; });
  add("outputs", 24, [](ConvProblem& p) {
    p.y_upsample = 2;
    p.second = ConvOutput{{48, 24}};
    p.residual = ChannelView{24, 0};
  });
  add("leaky", 16, [](ConvProblem& p) {
    p.activation = Activation::kLeakyRelu;
    p.negative_slope = 0.1f;
  });
  return cases;
}

// Channel counts that are no multiples of anything.
inline NamedProblems channel_problems() {
  NamedProblems problems;
  for (const auto& [channels, out_channels] :
       {std::pair{1, 3}, {3, 8}, {8, 85}, {24, 1}, {85, 24}, {2, 255}, {90, 60}}) {
    problems.emplace_back("c" + std::to_string(channels) + "_k" + std::to_string(out_channels),
                          ConvProblem{.height = 4,
                                      .width = 5,
                                      .channels = channels,
                                      .out_channels = out_channels,
                                      .filter_height = 3,
                                      .filter_width = 3,
                                      .padding = 1});
  }
  return problems;
}

// Parts of larger buffers, residuals and activations.
inline NamedProblems epilogue_problems(int64_t v) {
  const ConvProblem base = {.batch = 2,
                            .height = 5,
                            .width = 4,
                            .channels = 4 * v,
                            .out_channels = 40,
                            .filter_height = 3,
                            .filter_width = 3,
                            .padding = 1,
                            .x = {8 * v, 2 * v}};
  NamedProblems problems;
  const auto add = [&](const std::string& name, Activation activation, ChannelView y,
                       std::optional<ChannelView> residual) {
    ConvProblem problem = base;
    problem.activation = activation;
    problem.negative_slope = 0.1f;
    problem.y = y;
    problem.residual = residual;
    problems.emplace_back(name, problem);
  };
  add("view_silu", Activation::kSilu, {56, 8}, std::nullopt);
  add("view_leaky", Activation::kLeakyRelu, {41, 1}, std::nullopt);
  add("view_steep_leaky", Activation::kLeakyRelu, {40, 0}, std::nullopt);
  problems.back().second.negative_slope = -3.0f;
  add("view_relu", Activation::kRelu, {48, 0}, std::nullopt);
  add("residual", Activation::kNone, {40, 0}, ChannelView{40, 0});
  add("residual_silu", Activation::kSilu, {64, 16}, ChannelView{48, 8});
  add("residual_odd_leaky", Activation::kLeakyRelu, {40, 0}, ChannelView{43, 3});
  add("residual_relu", Activation::kRelu, {45, 2}, ChannelView{80, 40});
  // Views that vectors fit, but not the last of them.
  add("residue_in_view", Activation::kSilu, {48, 8}, std::nullopt);
  problems.back().second.out_channels = 37;
  add("residual_residue_in_view", Activation::kSilu, {64, 16}, ChannelView{56, 8});
  problems.back().second.out_channels = 37;
  return problems;
}

// y stored twice, upsampled, in one buffer or two; the residual in place.
inline std::vector<std::pair<ConvSharing, std::pair<std::string, ConvProblem>>> output_problems(
    int64_t v) {
  const ConvProblem base = {.batch = 2,
                            .height = 3,
                            .width = 5,
                            .channels = 4 * v,
                            .out_channels = 40,
                            .activation = Activation::kSilu};
  std::vector<std::pair<ConvSharing, std::pair<std::string, ConvProblem>>> problems;
  const auto add = [&](const std::string& name, ConvSharing sharing, ConvOutput y,
                       std::optional<ConvOutput> second, std::optional<ChannelView> residual) {
    ConvProblem problem = base;
    problem.y = y.view;
    problem.y_upsample = y.upsample;
    problem.second = second;
    problem.residual = residual;
    problems.push_back({sharing, {name, problem}});
  };
  using enum ConvSharing;
  const std::optional<ChannelView> none;
  add("upsampled", kNone, {{48, 8}, 2}, std::nullopt, none);
  add("upsampled_odd", kNone, {{43, 2}, 2}, std::nullopt, ChannelView{56, 8});
  add("two_outputs", kNone, {{40, 0}}, ConvOutput{{64, 16}}, none);
  add("two_odd_outputs", kNone, {{41, 1}}, ConvOutput{{47, 3}, 2}, none);
  add("plain_and_upsampled", kNone, {{48, 8}}, ConvOutput{{80, 40}, 2}, ChannelView{40, 0});
  add("upsampled_and_odd", kNone, {{56, 8}, 2}, ConvOutput{{45, 3}}, ChannelView{41, 1});
  add("odd_and_plain", kNone, {{45, 3}}, ConvOutput{{56, 8}}, none);
  add("twice_in_a_buffer", kSecondInY, {{104, 8}}, ConvOutput{{104, 56}}, none);
  add("upsampled_twice_in_a_buffer", kSecondInY, {{85, 44}, 2}, ConvOutput{{85, 1}, 2}, none);
  add("in_place", kResidualInY, {{48, 8}}, std::nullopt, ChannelView{48, 8});
  add("in_place_and_upsampled", kResidualInY, {{43, 3}}, ConvOutput{{48, 0}, 2},
      ChannelView{43, 3});
  add("odd_channels_upsampled", kNone, {{48, 8}, 2}, ConvOutput{{40, 0}}, none);
  problems.back().second.second.out_channels = 37;
  return problems;
}

// Splits of k into runs that are equal and that are not, down to one stage; tiles that are not
// full, and all that an epilogue does.
inline std::vector<std::pair<int64_t, std::pair<std::string, ConvProblem>>> split_problems(
    const ConvVariant& variant) {
  const int64_t n = std::max(variant.tile.block_n, 16);
  const int64_t k = std::max(variant.tile.block_k, 32);  // stages: 18 of base, 3 of pointwise
  const ConvProblem base = {.height = 13,
                            .width = 11,
                            .channels = 2 * k,
                            .out_channels = n + 5,
                            .filter_height = 3,
                            .filter_width = 3,
                            .padding = 1,
                            .activation = Activation::kSilu};
  ConvProblem pointwise = base;
  pointwise.filter_height = pointwise.filter_width = 1;
  pointwise.padding = 0;
  pointwise.channels = 3 * k;
  ConvProblem one = pointwise;
  one.height = one.width = one.out_channels = 1;
  ConvProblem stored = base;
  stored.out_channels = n;
  stored.y = {n + 16, 8};
  stored.second = ConvOutput{{n + 3, 2}, 2};
  stored.residual = ChannelView{n, 0};
  return {{2, {"split2", base}},
          {5, {"split5_outputs", stored}},
          {18, {"split18", base}},
          {3, {"split3", pointwise}},
          {3, {"split3_one", one}}};
}

// What `variant` can implement of the problems above.
inline std::vector<ConvCase> conv_cases(const ConvVariant& variant) {
  const int64_t v = variant.load_bytes / size_bytes(variant.dtype);
  std::vector<ConvCase> cases;
  const auto add = [&](const auto& named, ConvSharing sharing) {
    ConvProblem problem = with_dense_views(named.second);
    problem.dtype = variant.dtype;
    if (can_implement(variant, problem).ok()) {
      cases.push_back({variant, named.first, problem, sharing});
    }
  };
  for (const NamedProblems& problems :
       {tile_problems(variant, v), filter_problems(v), group_problems(v), channel_problems(),
        epilogue_problems(v)}) {
    for (const auto& named : problems) add(named, ConvSharing::kNone);
  }
  for (const auto& [sharing, named] : output_problems(v)) add(named, sharing);
  for (const ConvCase& conv_case : depthwise_cases(variant)) {
    if (can_implement(variant, conv_case.problem).ok()) cases.push_back(conv_case);
  }
  for (const auto& [splits, named] : split_problems(variant)) {
    if (!may_split(variant.algorithm)) continue;
    add(named, ConvSharing::kNone);
    cases.back().splits = splits;
  }
  return cases;
}

inline std::vector<ConvCase> all_conv_cases() {
  std::vector<ConvCase> cases;
  for (const ConvVariant& variant : conv_variants()) {
    for (ConvCase& conv_case : conv_cases(variant)) cases.push_back(std::move(conv_case));
  }
  return cases;
}

}  // namespace yolocu::testing

// Legality, selection and launches of the convolutions: pure host code.
#include "kernels/conv/conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "engine/base/str_cat.h"
#include "kernels/conv/tile.h"
#include "tests/kernels/conv_problems.h"
#include "tests/reference/conv.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

// A layer that every variant can implement.
ConvProblem layer() {
  return {.height = 20,
          .width = 20,
          .channels = 64,
          .out_channels = 64,
          .filter_height = 3,
          .filter_width = 3,
          .padding = 1,
          .x = {64, 0},
          .y = {64, 0}};
}

std::string selected(const ConvProblem& problem, const ConvDevice& device = {}) {
  const auto choice = select_conv(problem, device);
  return choice.ok() ? std::string(choice->variant.name) : choice.status().message();
}

// Bytes of the loads of the selected variant; 0 for the naive one.
int selected_loads(const ConvProblem& problem) {
  const auto choice = select_conv(problem, {});
  EXPECT_TRUE(choice.ok());
  const ConvVariant& variant = choice->variant;
  return variant.algorithm == ConvAlgorithm::kNaive ? 0 : variant.load_bytes;
}

template <typename Change>
ConvProblem layer_with(Change change) {
  ConvProblem problem = layer();
  change(problem);
  return problem;
}

std::string decoded_name(const ConvVariant& variant) {
  const std::string dtype = variant.dtype == DType::kF16    ? "f16"
                            : variant.dtype == DType::kBF16 ? "bf16"
                                                            : "f32";
  if (variant.algorithm == ConvAlgorithm::kNaive) return "conv_naive_" + dtype;
  if (variant.algorithm == ConvAlgorithm::kDepthwise) {
    return str_cat("conv_depthwise_", dtype, "_v", variant.load_bytes);
  }
  const ConvTile& tile = variant.tile;
  const bool tiled = variant.algorithm == ConvAlgorithm::kTiled;
  EXPECT_EQ(tile.element_bytes, size_bytes(variant.dtype));
  const std::string block =
      str_cat(dtype, "_b", tile.block_m, "x", tile.block_n, "x", tile.block_k);
  const std::string rest = str_cat("_s", tile.stages, "_v", variant.load_bytes);
  if (variant.algorithm == ConvAlgorithm::kWarpgroupGemm) return "conv_wgmma_" + block + rest;
  return str_cat(tiled ? "conv_tiled_" : "conv_igemm_", block, "_w", tile.warp_m, "x", tile.warp_n,
                 rest);
}

TEST(ConvInventory, NamesDecodeToTheirFields) {
  std::set<std::string_view> names;
  for (const ConvVariant& variant : conv_variants()) {
    EXPECT_EQ(variant.name, decoded_name(variant));
    EXPECT_TRUE(names.insert(variant.name).second) << variant.name << " is there twice";
  }
}

TEST(ConvProblem, OutputExtentsCountWholeSteps) {
  const auto extents = [](int64_t height, int64_t filter, int64_t stride, int64_t padding) {
    return ConvProblem{
        .height = height, .width = 1, .filter_height = filter, .stride = stride, .padding = padding}
        .out_height();
  };
  for (const auto& [height, filter, stride, padding] :
       {std::array{1, 1, 1, 0}, {7, 3, 2, 1}, {8, 3, 2, 1}, {5, 2, 2, 0}, {6, 5, 3, 2}}) {
    EXPECT_EQ(extents(height, filter, stride, padding),
              testing::conv_positions(height, filter, padding, stride));
  }
}

TEST(ConvSelection, LoadsAreAsWideAsTheViewAllows) {
  EXPECT_EQ(selected_loads(layer()), 16);
  const auto loads_with = [](auto change) { return selected_loads(layer_with(change)); };
  EXPECT_EQ(loads_with([](ConvProblem& p) { p.x = {128, 64}; }), 16);
  EXPECT_EQ(loads_with([](ConvProblem& p) { p.x = {128, 4}; }), 8);
  EXPECT_EQ(loads_with([](ConvProblem& p) { p.x = {66, 0}; }), 4);
  EXPECT_EQ(loads_with([](ConvProblem& p) { p.x = {65, 1}; }), 2);
  EXPECT_EQ(loads_with([](ConvProblem& p) { p.alignment_bytes = 8; }), 8);
  EXPECT_EQ(loads_with([](ConvProblem& p) { p.channels = 3; }), 2);
  EXPECT_EQ(loads_with([](ConvProblem& p) { p.channels = 4; }), 8);
  EXPECT_EQ(loads_with([](ConvProblem& p) { p.y = {67, 3}; }), 16) << "y is stored as it allows";
  ConvProblem large = layer();  // other units are slower than the loads, whatever their width
  large.height = large.width = 50;
  EXPECT_EQ(selected_loads(large), 16);
  large.out_channels = 32;
  EXPECT_EQ(selected_loads(large), 16);
}

TEST(ConvSelection, FloatsAreTiledWithLoadsAsWideAsTheViewAllows) {
  ConvProblem problem = layer();
  problem.dtype = DType::kF32;
  EXPECT_EQ(selected(problem), "conv_tiled_f32_b64x32x16_w32x32_s3_v16");
  problem.x = {65, 1};
  EXPECT_EQ(selected(problem), "conv_tiled_f32_b64x32x16_w32x32_s3_v4");
}

TEST(ConvSelection, SplitsWhereAMapIsSmallAndDeep) {
  const auto splits = [](int64_t extent, int64_t channels, DType dtype, int64_t groups) {
    ConvProblem problem = layer();
    problem.dtype = dtype;
    problem.height = problem.width = extent;
    problem.channels = problem.out_channels = channels;
    problem.groups = groups;
    problem.x.pixel_stride = problem.y.pixel_stride = channels;
    return select_conv(problem, {})->splits;
  };
  EXPECT_GT(splits(20, 512, DType::kF16, 1), 1);
  EXPECT_GT(splits(10, 256, DType::kBF16, 1), splits(20, 512, DType::kBF16, 1));
  EXPECT_EQ(splits(160, 128, DType::kF16, 1), 1) << "fills the device without";
  EXPECT_EQ(splits(20, 512, DType::kF32, 1), 1);
  EXPECT_EQ(splits(20, 512, DType::kF16, 2), 1);
}

TEST(ConvSelection, NoTilesWhereThereIsNothingToSum) {
  const auto depthwise = [](ConvProblem& p) { p.groups = 64; };
  ConvProblem problem = layer_with(depthwise);
  EXPECT_EQ(selected(problem), "conv_depthwise_f16_v16");
  problem.x = {65, 0};
  EXPECT_EQ(selected(problem), "conv_depthwise_f16_v2");
  problem.dtype = DType::kF32;
  EXPECT_EQ(selected(problem), "conv_naive_f32");
  problem = layer_with(depthwise);
  problem.out_channels = problem.y.pixel_stride = 128;
  EXPECT_EQ(selected(problem), "conv_naive_f16") << "two outputs a channel";
  EXPECT_NE(selected(layer_with([](ConvProblem& p) { p.groups = 4; })), "conv_naive_f16");
}

TEST(ConvSelection, LargeLayersGetLargeTilesAndSmallOnesFillTheDevice) {
  const auto area = [](const ConvProblem& problem, int64_t multiprocessors) {
    const auto choice = select_conv(problem, {.multiprocessors = multiprocessors});
    return choice->variant.tile.block_m * choice->variant.tile.block_n;
  };
  ConvProblem large = layer();
  large.height = large.width = 160;
  large.out_channels = 256;
  large.y.pixel_stride = 256;
  EXPECT_GE(area(large, 108), 128 * 64);
  EXPECT_LE(area(layer(), 108), 64 * 32);
  EXPECT_GT(area(layer(), 1), area(layer(), 108)) << "one multiprocessor has nothing to fill";
}

TEST(ConvSelection, LeavesOutTilesThatTheDeviceHasNoRoomFor) {
  ConvProblem problem = layer();
  problem.height = problem.width = 160;
  for (const int64_t bytes : {16, 24, 32, 48}) {
    const auto choice = select_conv(problem, {.shared_bytes_per_block = bytes * 1024});
    ASSERT_OK(choice);
    EXPECT_LE(choice->variant.tile.shared_bytes(), bytes * 1024);
  }
}

TEST(ConvSelection, ExplainsItself) {
  const std::string text = explain_conv_selection(layer(), {});
  const std::string chosen = "* " + selected(layer()) + ": cost ";
  EXPECT_NE(text.find(chosen), std::string::npos) << text;
  for (const ConvVariant& variant : conv_variants()) {
    EXPECT_NE(text.find(std::string(variant.name) + ": "), std::string::npos);
  }
}

TEST(ConvSelection, RefusesOtherTypesByName) {
  const ConvProblem problem = layer_with([](ConvProblem& p) { p.dtype = DType::kI8; });
  testing::expect_refused(select_conv(problem, {}).status(), StatusCode::kUnsupported, "I8");
}

TEST(ConvLegality, RefusesProblemsThatMakeNoSense) {
  using P = ConvProblem;
  const auto refuses = [](const std::string& fragment, void (*change)(P&)) {
    testing::expect_refused(can_implement(conv_variants().front(), layer_with(change)),
                            StatusCode::kInvalidArgument, fragment);
  };
  ASSERT_OK(can_implement(conv_variants().front(), layer()));
  refuses("batch", [](P& p) { p.batch = 0; });
  refuses("channels", [](P& p) { p.channels = -1; });
  refuses("stride", [](P& p) { p.stride = 0; });
  refuses("padding", [](P& p) { p.padding = -1; });
  refuses("filter_width", [](P& p) { p.filter_width = int64_t{1} << 40; });
  refuses("height + 2 * padding - filter_height", [](P& p) { p.filter_height = 23; });
  refuses("groups", [](P& p) { p.groups = 65; });
  refuses("3 groups do not divide", [](P& p) { p.groups = 3; });
  refuses("x: channels 1", [](P& p) { p.x.offset = 1; });
  refuses("y: channels -8", [](P& p) { p.y.offset = -8; });
  refuses("residual: channels 0", [](P& p) { p.residual = ChannelView{63, 0}; });
  refuses("y: expected an upsample", [](P& p) { p.y_upsample = 3; });
  refuses("second: channels 8", [](P& p) { p.second = ConvOutput{{64, 8}}; });
  refuses("second: expected an upsample", [](P& p) { p.second = ConvOutput{{64, 0}, 0}; });
  refuses("negative_slope", [](P& p) { p.negative_slope = INFINITY; });
  refuses("negative_slope", [](P& p) { p.negative_slope = NAN; });
  refuses("alignment", [](P& p) { p.alignment_bytes = 12; });
}

TEST(ConvLegality, RefusesMoreThanItsIndicesHold) {
  using P = ConvProblem;
  const auto refuses = [](const std::string& fragment, void (*change)(P&)) {
    testing::expect_refused(can_implement(conv_variants().front(), layer_with(change)),
                            StatusCode::kUnsupported, fragment);
  };
  refuses("conv x", [](P& p) { p.height = int64_t{1} << 30; });
  refuses("conv x", [](P& p) { p.x.pixel_stride = int64_t{1} << 24; });
  refuses("conv y", [](P& p) { p.y.pixel_stride = int64_t{1} << 24; });
  refuses("conv second", [](P& p) { p.second = ConvOutput{{int64_t{1} << 24, 0}}; });
  refuses("conv w", [](P& p) {
    p.out_channels = int64_t{1} << 22;
    p.y.pixel_stride = p.out_channels;
    p.height = p.width = 1;
  });
}

TEST(ConvLegality, SplitsAreOfStagesOfAFewTiles) {
  const ConvVariant& variant =
      *std::find_if(conv_variants().begin(), conv_variants().end(),
                    [](const ConvVariant& v) { return may_split(v.algorithm); });
  const auto check = [&](int64_t splits, auto change) {
    return can_implement(ConvChoice{variant, splits}, layer_with(change));
  };
  const auto keep = [](ConvProblem&) {};
  const auto refuses = [](const Status& status, const std::string& fragment) {
    testing::expect_refused(status, StatusCode::kUnsupported, fragment);
  };
  ASSERT_EQ(conv_stages(variant, layer()), 18);
  for (const int64_t splits : {1, 2, 3, 4, 5, 6, 9, 18}) ASSERT_OK(check(splits, keep));
  for (const int64_t splits : {0, -1, 7, 8, 10, 17, 19}) {
    refuses(check(splits, keep), "do not divide 18 stages");
  }
  refuses(check(2, [](ConvProblem& p) { p.groups = 2; }), "one group");
  refuses(check(2, [](ConvProblem& p) { p.height = p.width = 400; }), "at most 1024 tiles");
  refuses(can_implement(ConvChoice{conv_variants().front(), 2}, layer()), "only implicit GEMMs");
  EXPECT_EQ(conv_workspace_bytes({variant, 1}, layer()), 0);
  EXPECT_EQ(conv_workspace_bytes({variant, 3}, layer()), 4096 + 3 * 7 * 2 * 64 * 32 * 4);
}

// A kernel of sm_90a on another device traps, and takes the process's use of the card with it.
TEST(ConvSelection, WgmmaIsForDevicesThatHaveIt) {
  const ConvProblem large = layer_with([](ConvProblem& p) {
    p.batch = 32;
    p.height = p.width = 80;
    p.channels = p.x.pixel_stride = p.out_channels = p.y.pixel_stride = 256;
  });
  const ConvDevice with = {132, 227 * 1024, true}, without = {132, 227 * 1024, false};
  EXPECT_TRUE(selected(large, with).starts_with("conv_wgmma")) << selected(large, with);
  EXPECT_TRUE(selected(large, without).starts_with("conv_igemm")) << selected(large, without);
  int count = 0;
  for (const ConvVariant& variant : conv_variants()) {
    if (variant.algorithm != ConvAlgorithm::kWarpgroupGemm || variant.dtype != large.dtype)
      continue;
    ++count;
    ASSERT_OK(can_run({variant}, large, with));
    testing::expect_refused(can_run({variant}, large, without), StatusCode::kUnsupported,
                            "the device has no wgmma");
  }
  EXPECT_GE(count, 1);
}

TEST(ConvLegality, GridsHoldSoManyGroups) {
  ConvProblem problem = layer();
  problem.height = problem.width = 1;
  problem.channels = problem.out_channels = problem.groups = 65536;
  problem.x.pixel_stride = problem.y.pixel_stride = problem.channels;
  for (const ConvVariant& variant : conv_variants()) {
    if (variant.dtype != problem.dtype || variant.load_bytes > 2) continue;
    const bool tiled = variant.tile.block_m > 0;
    EXPECT_EQ(can_implement(variant, problem).ok(), !tiled) << variant.name;
  }
}

TEST(ConvTensors, AreCheckedByName) {
  alignas(16) uint16_t memory[16] = {};
  const ConvTensors good = {
      .y = memory, .x = memory, .w = memory, .bias = reinterpret_cast<float*>(memory)};
  ConvChoice choice = {conv_variants().front()};
  ASSERT_OK(check_tensors(good, layer(), choice));
  const auto refuses = [&](const std::string& fragment, auto change) {
    ConvTensors tensors = good;
    ConvProblem problem = layer();
    change(tensors, problem);
    testing::expect_refused(check_tensors(tensors, problem, choice), StatusCode::kInvalidArgument,
                            fragment);
  };
  refuses("y: expected memory", [&](auto& t, auto&) { t.y = memory + 1; });
  refuses("x: expected memory", [&](auto& t, auto&) { t.x = nullptr; });
  refuses("w: expected memory", [&](auto& t, auto&) { t.w = memory + 4; });
  refuses("bias", [&](auto& t, auto&) { t.bias = nullptr; });
  refuses("residual", [&](auto& t, auto&) { t.residual = memory; });
  refuses("residual", [](auto&, auto& p) { p.residual = ChannelView{64, 0}; });
  refuses("second", [&](auto& t, auto&) { t.second = memory; });
  refuses("second", [](auto&, auto& p) { p.second = ConvOutput{{64, 0}}; });
  choice.splits = 2;
  refuses("workspace: expected memory aligned to 256", [](auto&, auto&) {});
}

TEST(ConvTensors, ViewsOfOneBufferGoTogether) {
  alignas(16) uint16_t memory[16] = {};
  const auto check = [&](ConvOutput y, std::optional<ConvOutput> second,
                         std::optional<ChannelView> residual) {
    ConvProblem problem = layer();
    problem.y = y.view;
    problem.y_upsample = y.upsample;
    problem.second = second;
    problem.residual = residual;
    return check_tensors({.y = memory,
                          .second = second ? memory : nullptr,
                          .x = memory,
                          .w = memory,
                          .bias = reinterpret_cast<float*>(memory),
                          .residual = residual ? memory : nullptr},
                         problem, {conv_variants().front()});
  };
  const auto refuses = [&](ConvOutput y, std::optional<ConvOutput> second,
                           std::optional<ChannelView> residual) {
    testing::expect_refused(check(y, second, residual), StatusCode::kInvalidArgument, "one buffer");
  };
  EXPECT_TRUE(check({{128, 0}, 2}, ConvOutput{{128, 64}, 2}, {}).ok());
  EXPECT_TRUE(check({{128, 64}}, ConvOutput{{128, 0}}, ChannelView{128, 0}).ok());
  EXPECT_TRUE(check({{128, 64}}, {}, ChannelView{128, 0}).ok());
  EXPECT_TRUE(check({{128, 64}}, {}, ChannelView{128, 64}).ok());
  refuses({{128, 0}}, ConvOutput{{128, 0}}, {});
  refuses({{128, 0}}, ConvOutput{{128, 63}}, {});
  refuses({{128, 0}}, ConvOutput{{136, 64}}, {});
  refuses({{128, 0}, 2}, ConvOutput{{128, 64}, 1}, {});
  refuses({{128, 0}}, {}, ChannelView{128, 8});
  refuses({{128, 0}, 2}, {}, ChannelView{128, 0});
  refuses({{128, 0}, 2}, {}, ChannelView{128, 64});
}

TEST(ConvLaunch, CoversEveryOutput) {
  for (const testing::ConvCase& conv_case : testing::all_conv_cases()) {
    const ConvProblem& problem = conv_case.problem;
    const ConvTile& tile = conv_case.variant.tile;
    const LaunchConfig config = conv_launch(conv_case.choice(), problem);
    ASSERT_OK(check_launch_limits(conv_case.variant.name, config));
    if (conv_case.variant.algorithm == ConvAlgorithm::kNaive) {
      EXPECT_GE(config.grid.x * config.block.x, problem.out_pixels() * problem.out_channels);
      continue;
    }
    if (conv_case.variant.algorithm == ConvAlgorithm::kDepthwise) {
      EXPECT_GE(config.grid.x * config.block.y, problem.out_pixels());
      continue;
    }
    EXPECT_EQ(config.grid.z, problem.groups);
    EXPECT_EQ(config.grid.y, conv_case.splits);
    EXPECT_GE(config.grid.x * tile.block_m * tile.block_n,
              problem.out_pixels() * problem.group_out_channels());
  }
}

}  // namespace
}  // namespace yolocu

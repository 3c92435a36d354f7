#include "tests/engine/conv_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "engine/cpu/conv_weights.h"
#include "engine/cpu/threads.h"

namespace yolocu::cpu {

std::vector<const KernelTable*> tables() {
  std::vector<const KernelTable*> list;
  for (const KernelTable* table :
       {portable_kernels(), avx2_kernels(), avx512_kernels(), avx512_dot_kernels()}) {
    if (table != nullptr && can_run(*table)) list.push_back(table);
  }
  return list;
}

ConvShape shape_of(const Case& c, int64_t lanes, Element source, Element destination) {
  const auto padded = [&](int64_t channels) { return (channels + lanes - 1) / lanes * lanes; };
  const bool groups_fill_blocks = c.in / c.groups % lanes == 0 && c.out / c.groups % lanes == 0;
  return {.source = source,
          .destination = destination,
          .layout = c.layout,
          .in_channels = c.layout == SourceLayout::kPicture ? c.in : padded(c.in),
          .in_height = c.height,
          .in_width = c.width,
          .out_channels = padded(c.out),
          .out_height = (c.height + 2 * c.padding - c.kernel) / c.stride + 1,
          .out_width = (c.width + 2 * c.padding - c.kernel) / c.stride + 1,
          .kernel = c.kernel,
          .stride = c.stride,
          .padding = c.padding,
          .groups = groups_fill_blocks ? c.groups : 1,
          .activation = c.activation,
          .negative_slope = 0.125f};
}

ConvRun::ConvRun(const Case& c, const Problem& problem, const KernelTable& kernels,
                 ConvChoice choice, const ConvShape& shape, int threads)
    : lanes_(kernels.lanes),
      pixels_(shape.out_height * shape.out_width),
      element_(shape.destination) {
  const ChannelLayout in = c.layout == SourceLayout::kPicture
                               ? ChannelLayout::dense(c.in)
                               : ChannelLayout(c.in, {}, kernels.lanes);
  const ChannelLayout out(c.out, {}, kernels.lanes);
  const ConvOp op{.out_channels = c.out,
                  .kernel = c.kernel,
                  .stride = c.stride,
                  .padding = c.padding,
                  .groups = c.groups};
  const ConvPart part{&op, &in, &out};
  ConvTask task = plan_conv(shape, choice, kernels, threads);
  const Element weight_type = weight_element(shape, choice.algorithm);
  std::vector<std::byte> weights(static_cast<size_t>(
      weight_elements(task, choice.algorithm, kernels.lanes) * element_bytes(weight_type)));
  std::vector<int8_t> units(problem.w.size());
  for (size_t i = 0; i < units.size(); ++i) units[i] = static_cast<int8_t>(problem.w[i]);
  const bool is_int8 = shape.source == Element::kI8;
  const TensorView weight{
      is_int8 ? DType::kI8 : DType::kF32,
      {c.out, c.kernel, c.kernel, c.in / c.groups},
      is_int8 ? std::as_bytes(std::span(units)) : std::as_bytes(std::span(problem.w))};
  const Status packed = pack_weights(weights, weight, part, task, choice.algorithm, kernels.lanes);
  EXPECT_TRUE(packed.ok()) << packed.message();
  std::vector<float> bias(static_cast<size_t>(shape.out_channels));
  std::copy(problem.bias.begin(), problem.bias.end(), bias.begin());
  const int64_t block = c.layout == SourceLayout::kPicture ? c.in : kernels.lanes;
  const auto x = to_blocks(problem.x, c.in, in, block, shape.source);
  const auto residual = to_blocks(problem.residual, c.out, out, kernels.lanes, shape.destination);
  y_.assign(residual.size(), std::byte{0xFF});
  task.source = x.data();
  task.destination = y_.data();
  task.residual = c.residual ? residual.data() : nullptr;
  task.weights = weights.data();
  task.bias = bias.data();
  std::vector<float> scale(bias.size()), residual_scale(bias.size());
  for (int64_t k = 0; k < c.out; ++k) {
    scale[static_cast<size_t>(k)] = static_cast<float>(c.sum_scale_of(k));
    residual_scale[static_cast<size_t>(k)] = static_cast<float>(c.residual_scale_of(k));
  }
  std::vector<int32_t> compensation(bias.size());
  if (is_int8 && choice.algorithm != ConvAlgorithm::kWinograd)
    pack_compensation(compensation, weight, part);
  task.scale = scale.data();
  task.compensation = compensation.data();
  task.residual_scale = residual_scale.data();
  task.inverse_output_scale = static_cast<float>(c.inverse_output_scale);
  Team team(threads);
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> scratch(static_cast<size_t>(task.scratch_bytes / 64 * team.threads() + 1));
  for (Line& line : scratch)
    std::fill(std::begin(line.bytes), std::end(line.bytes), std::byte{0xFF});
  team.run(task.chunks(), [&](int64_t chunk, int thread) {
    choice.kernel(task, chunk, scratch.data()->bytes + thread * task.scratch_bytes);
  });
}

}  // namespace yolocu::cpu

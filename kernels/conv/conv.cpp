// Legality and launch of the convolutions: the host part, compiled with and without CUDA.
#include "kernels/conv/conv.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "kernels/conv/tile.h"
#include "kernels/pixel_tile.h"

namespace yolocu {
namespace {

constexpr auto kVariants = std::to_array<ConvVariant>({
#define NAIVE(name, dtype) \
  {#name, ConvAlgorithm::kNaive, DType::dtype, {}, static_cast<int>(size_bytes(DType::dtype))},
#define DEPTHWISE(name, dtype, load_bytes) \
  {#name, ConvAlgorithm::kDepthwise, DType::dtype, {}, load_bytes},
#define TILED(name, block_m, block_n, block_k, warp_m, warp_n, stages, load_bytes) \
  {#name,                                                                          \
   ConvAlgorithm::kTiled,                                                          \
   DType::kF32,                                                                    \
   {block_m, block_n, block_k, warp_m, warp_n, stages, 4},                         \
   load_bytes},
#define IGEMM(name, dtype, block_m, block_n, block_k, warp_m, warp_n, stages, load_bytes) \
  {#name,                                                                                 \
   ConvAlgorithm::kImplicitGemm,                                                          \
   DType::dtype,                                                                          \
   {block_m, block_n, block_k, warp_m, warp_n, stages},                                   \
   load_bytes},
#define WGMMA(name, dtype, block_m, block_n, stages) \
  {#name,                                            \
   ConvAlgorithm::kWarpgroupGemm,                    \
   DType::dtype,                                     \
   {block_m, block_n, 64, 16, block_n, stages},      \
   16},
#include "kernels/conv/variants.inc"
#undef NAIVE
#undef DEPTHWISE
#undef TILED
#undef IGEMM
#undef WGMMA
});

struct Extent {
  std::string_view name;
  int64_t value, lowest, highest;
};

Status check_extents(const ConvProblem& problem) {
  constexpr int64_t kMost = int64_t{1} << 30;
  constexpr int64_t kMostOfFilter = 1024;  // keeps every sum of coordinates within 32 bits
  const Extent extents[] = {
      {"batch", problem.batch, 1, kMost},
      {"height", problem.height, 1, kMost},
      {"width", problem.width, 1, kMost},
      {"channels", problem.channels, 1, kMost},
      {"out_channels", problem.out_channels, 1, kMost},
      {"filter_height", problem.filter_height, 1, kMostOfFilter},
      {"filter_width", problem.filter_width, 1, kMostOfFilter},
      {"stride", problem.stride, 1, kMostOfFilter},
      {"padding", problem.padding, 0, kMostOfFilter},
      {"groups", problem.groups, 1, std::min(problem.channels, problem.out_channels)},
      {"height + 2 * padding - filter_height",
       problem.height + 2 * problem.padding - problem.filter_height, 0, INT64_MAX},
      {"width + 2 * padding - filter_width",
       problem.width + 2 * problem.padding - problem.filter_width, 0, INT64_MAX}};
  for (const Extent& extent : extents) {
    if (extent.value >= extent.lowest && extent.value <= extent.highest) continue;
    return invalid_argument(str_cat("conv: expected ", extent.name, " in ", extent.lowest, "..",
                                    extent.highest, ", got ", extent.value));
  }
  if (problem.channels % problem.groups == 0 && problem.out_channels % problem.groups == 0) {
    return {};
  }
  return invalid_argument(str_cat("conv: ", problem.groups, " groups do not divide ",
                                  problem.channels, " and ", problem.out_channels, " channels"));
}

Status check_view(std::string_view name, const ChannelView& view, int64_t channels) {
  constexpr int64_t kMost = int64_t{1} << 30;
  if (view.offset >= 0 && view.pixel_stride >= channels && view.pixel_stride <= kMost &&
      view.offset <= view.pixel_stride - channels) {
    return {};
  }
  return invalid_argument(str_cat("conv ", name, ": channels ", view.offset, "..+", channels,
                                  " do not fit in a pixel of ", view.pixel_stride));
}

Status check_size(std::string_view name, std::span<const int64_t> extents) {
  constexpr int64_t kMost = INT32_MAX;  // the kernels index by 32 bits
  const auto count = checked_element_count(extents);
  if (count && *count <= kMost) return {};
  return unsupported(str_cat("conv ", name, ": more than ", kMost, " elements"));
}

// What has the pixels of y: the outputs and the residual.
struct NamedOutput {
  std::string_view name;
  ConvOutput output;
};
std::vector<NamedOutput> pixel_outputs(const ConvProblem& problem) {
  std::vector<NamedOutput> outputs = {{"y", problem.first()}};
  if (problem.second) outputs.push_back({"second", *problem.second});
  if (problem.residual) outputs.push_back({"residual", {*problem.residual, 1}});
  return outputs;
}

// What a kernel computes of indices before it knows that they are outside: up to a tile too many
// rows and channels, and a stage too much of k. kSlack is at least the largest of these extents.
Status check_sizes(const ConvProblem& problem) {
  constexpr int64_t kSlack = 256;
  const int64_t padded_rows =
      problem.batch * problem.height + 2 * problem.padding + problem.filter_height + kSlack;
  const int64_t padded_width = problem.width + 2 * problem.padding + problem.filter_width;
  const int64_t x[] = {padded_rows, padded_width, problem.x.pixel_stride};
  YOLOCU_RETURN_IF_ERROR(check_size("x", x));
  const int64_t y_rows = problem.batch * problem.out_height() + kSlack;
  for (const auto& [name, output] : pixel_outputs(problem)) {
    const int64_t y[] = {output.upsample * y_rows, output.upsample * problem.out_width(),
                         output.view.pixel_stride};
    YOLOCU_RETURN_IF_ERROR(check_size(name, y));
  }
  const int64_t w[] = {problem.out_channels + kSlack, problem.filter_height * problem.filter_width,
                       problem.group_channels() + kSlack};
  return check_size("w", w);
}

Status check_problem(const ConvProblem& problem) {
  YOLOCU_RETURN_IF_ERROR(check_extents(problem));
  YOLOCU_RETURN_IF_ERROR(check_view("x", problem.x, problem.channels));
  for (const auto& [name, output] : pixel_outputs(problem)) {
    YOLOCU_RETURN_IF_ERROR(check_view(name, output.view, problem.out_channels));
    if (output.upsample == 1 || output.upsample == 2) continue;
    return invalid_argument(
        str_cat("conv ", name, ": expected an upsample of 1 or 2, got ", output.upsample));
  }
  if (!std::isfinite(problem.negative_slope)) {
    return invalid_argument("conv: expected a finite negative_slope");
  }
  if (problem.alignment_bytes < size_bytes(problem.dtype) ||
      !std::has_single_bit(static_cast<uint64_t>(problem.alignment_bytes))) {
    return invalid_argument(
        str_cat("conv: expected an alignment that is a power of two of at least ",
                size_bytes(problem.dtype), " bytes, got ", problem.alignment_bytes));
  }
  return check_sizes(problem);
}

bool is_tiled(const ConvVariant& variant) {
  return variant.algorithm == ConvAlgorithm::kTiled || may_split(variant.algorithm);
}

// True if x, and w where it is tiled, can be read `bytes` at a time without leaving a filter
// position.
bool has_load_vectors(const ConvVariant& variant, const ConvProblem& problem) {
  const int64_t elements = variant.load_bytes / size_bytes(problem.dtype);
  const int64_t channels = is_tiled(variant) ? problem.group_channels() : problem.channels;
  return problem.alignment_bytes % variant.load_bytes == 0 && channels % elements == 0 &&
         problem.x.pixel_stride % elements == 0 && problem.x.offset % elements == 0;
}

Status check_pointer(std::string_view name, const void* pointer, int64_t alignment_bytes) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (pointer != nullptr && address % static_cast<uintptr_t>(alignment_bytes) == 0) return {};
  return invalid_argument(str_cat("conv ", name, ": expected memory aligned to ", alignment_bytes,
                                  " bytes, got ", pointer));
}

Status check_optional(std::string_view name, const void* pointer, bool expected,
                      int64_t alignment_bytes) {
  if (expected) return check_pointer(name, pointer, alignment_bytes);
  if (pointer == nullptr) return {};
  return invalid_argument(str_cat("conv ", name, ": given, but the problem has none"));
}

bool is_same(const ChannelView& a, const ChannelView& b) {
  return a.pixel_stride == b.pixel_stride && a.offset == b.offset;
}

// Two views of one buffer.
Status check_shared(const NamedOutput& a, const NamedOutput& b, int64_t channels) {
  const ChannelView &u = a.output.view, &v = b.output.view;
  const bool in_place = b.name == "residual" && is_same(u, v);
  const bool disjoint = u.offset + channels <= v.offset || v.offset + channels <= u.offset;
  if (a.output.upsample == b.output.upsample && u.pixel_stride == v.pixel_stride &&
      (disjoint || in_place)) {
    return {};
  }
  return invalid_argument(str_cat("conv ", a.name, " and ", b.name,
                                  ": one buffer, but their channels overlap, or their pixels or "
                                  "upsampling differ"));
}

Status check_shared_buffers(const ConvTensors& tensors, const ConvProblem& problem) {
  const auto outputs = pixel_outputs(problem);
  const auto pointer_of = [&](const NamedOutput& output) {
    if (output.name == "y") return static_cast<const void*>(tensors.y);
    return output.name == "second" ? tensors.second : tensors.residual;
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (size_t j = i + 1; j < outputs.size(); ++j) {
      if (pointer_of(outputs[i]) != pointer_of(outputs[j])) continue;
      YOLOCU_RETURN_IF_ERROR(check_shared(outputs[i], outputs[j], problem.out_channels));
    }
  }
  return {};
}

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

std::span<const ConvVariant> conv_variants() {
  return kVariants;
}

Status can_implement(const ConvVariant& variant, const ConvProblem& problem) {
  if (variant.dtype != problem.dtype) {
    return unsupported(str_cat(variant.name, ": expected ", dtype_name(variant.dtype), ", got ",
                               dtype_name(problem.dtype)));
  }
  YOLOCU_RETURN_IF_ERROR(check_problem(problem));
  constexpr int64_t kMostGroups = 65535;  // the z of a grid
  if (is_tiled(variant) && problem.groups > kMostGroups) {
    return unsupported(
        str_cat(variant.name, ": expected at most ", kMostGroups, " groups, got ", problem.groups));
  }
  if (variant.algorithm == ConvAlgorithm::kDepthwise &&
      (problem.groups != problem.channels || problem.groups != problem.out_channels)) {
    return unsupported(str_cat(variant.name, ": expected as many channels as the ", problem.groups,
                               " groups, got ", problem.channels, " and ", problem.out_channels));
  }
  if (has_load_vectors(variant, problem)) return {};
  return unsupported(str_cat(variant.name,
                             ": base, offset, stride or channels of a group of x are "
                             "not multiples of ",
                             variant.load_bytes, " bytes"));
}

Status can_implement(const ConvChoice& choice, const ConvProblem& problem) {
  const ConvVariant& variant = choice.variant;
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  if (choice.splits == 1) return {};
  if (!may_split(variant.algorithm) || problem.groups != 1) {
    return unsupported(
        str_cat(variant.name, ": only implicit GEMMs of one group have splits of k"));
  }
  const int64_t stages = conv_stages(variant, problem);
  if (choice.splits < 1 || choice.splits > stages ||
      (choice.splits - 1) * conv_split_stages(choice, problem) >= stages) {
    return unsupported(
        str_cat(variant.name, ": ", choice.splits, " splits do not divide ", stages, " stages"));
  }
  const int64_t tiles = conv_tiles(variant, problem);
  if (tiles <= kConvTickets) return {};
  return unsupported(str_cat(variant.name, ": expected at most ", kConvTickets,
                             " tiles that are split, got ", tiles));
}

int64_t conv_workspace_bytes(const ConvChoice& choice, const ConvProblem& problem) {
  if (choice.splits == 1) return 0;
  const ConvTile& tile = choice.variant.tile;
  const int64_t blocks = conv_tiles(choice.variant, problem) * choice.splits;
  return kConvTicketBytes + blocks * tile.block_m * tile.block_n * 4;
}

Status check_tensors(const ConvTensors& tensors, const ConvProblem& problem,
                     const ConvChoice& choice) {
  const int64_t alignment = problem.alignment_bytes;
  YOLOCU_RETURN_IF_ERROR(check_pointer("y", tensors.y, alignment));
  YOLOCU_RETURN_IF_ERROR(check_pointer("x", tensors.x, alignment));
  YOLOCU_RETURN_IF_ERROR(check_pointer("w", tensors.w, alignment));
  YOLOCU_RETURN_IF_ERROR(check_pointer("bias", tensors.bias, sizeof(float)));
  YOLOCU_RETURN_IF_ERROR(
      check_optional("second", tensors.second, problem.second.has_value(), alignment));
  YOLOCU_RETURN_IF_ERROR(
      check_optional("residual", tensors.residual, problem.residual.has_value(), alignment));
  if (choice.splits > 1) {
    constexpr int64_t kWorkspaceAlignment = 256;
    YOLOCU_RETURN_IF_ERROR(check_pointer("workspace", tensors.workspace, kWorkspaceAlignment));
  }
  return check_shared_buffers(tensors, problem);
}

int64_t conv_tiles(const ConvVariant& variant, const ConvProblem& problem) {
  if (!is_tiled(variant)) return 0;
  return ceil_div(problem.out_pixels(), variant.tile.block_m) *
         ceil_div(problem.group_out_channels(), variant.tile.block_n);
}

int64_t conv_stages(const ConvVariant& variant, const ConvProblem& problem) {
  if (!is_tiled(variant)) return 0;
  return ceil_div(problem.depth(), variant.tile.block_k);
}

int64_t conv_split_stages(const ConvChoice& choice, const ConvProblem& problem) {
  return ceil_div(conv_stages(choice.variant, problem), choice.splits);
}

LaunchConfig conv_launch(const ConvChoice& choice, const ConvProblem& problem) {
  const ConvVariant& variant = choice.variant;
  if (variant.algorithm == ConvAlgorithm::kNaive) {
    const int64_t outputs = problem.out_pixels() * problem.out_channels;
    constexpr int64_t kMostBlocks = INT32_MAX;
    return {.grid = {std::min(kMostBlocks, ceil_div(outputs, kConvNaiveThreads))},
            .block = {kConvNaiveThreads},
            .start = StartRule::kOverlapPrevious};
  }
  if (variant.algorithm == ConvAlgorithm::kDepthwise) {
    const int64_t elements = variant.load_bytes / size_bytes(problem.dtype);
    return pixel_tile(problem.out_pixels(), problem.channels, elements, {});
  }
  return {.grid = {conv_tiles(variant, problem), choice.splits, problem.groups},
          .block = {variant.tile.threads()},
          .shared_bytes = variant.tile.shared_bytes(),
          .start = StartRule::kOverlapPrevious};
}

}  // namespace yolocu

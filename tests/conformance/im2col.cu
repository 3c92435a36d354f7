// TMA loads of pixels for convolutions: walks, strides, taps, what lies outside.
#include "kernels/device/fence.h"
#include "kernels/device/tensor_map.h"
#include "tests/conformance/kernel_case.h"
#include "tests/conformance/pixels.h"
#include "tests/conformance/registry.h"

namespace yolocu::conformance {
inline namespace YOLOCU_TARGET {

using device::BoxCoordinates;
using device::GlobalPtr;
using device::TensorMap;

// out [shared_bytes] = shared memory after the load into bytes of kStale.
template <int kRank>
YOLOCU_KERNEL load_some_pixels(GlobalPtr<uint32_t> out, YOLOCU_KERNEL_PARAM TensorMap map,
                               BoxCoordinates<kRank> at, BoxCoordinates<kRank - 2> tap,
                               int64_t shared_bytes, uint32_t copied_bytes) {
  const auto barrier = device::shared_memory<uint64_t>(shared_bytes);
  fill_shared(shared_bytes / 4, kStaleWord);
  device::fence_async_proxy();
  if (device::thread_rank() == 0) {
    device::mbarrier_init(barrier, 1);
    device::fence_mbarrier_init();
  }
  device::sync_block();
  if (device::thread_rank() == 0) {
    device::mbarrier_arrive_expect(barrier, copied_bytes);
    device::load_im2col(device::shared_memory<uint8_t>(), map, barrier, at, tap);
  }
  device::mbarrier_wait(barrier, 0);
  write_from_shared(out, shared_bytes / 4);
}

template <int kRank>
Status launch_pixels(const PixelProblem& problem, const CaseMemory& memory) {
  YOLOCU_ASSIGN_OR_RETURN(const TensorMap map, device::make_tensor_map(problem.spec(memory.in)));
  BoxCoordinates<kRank> at;
  BoxCoordinates<kRank - 2> tap;
  std::copy_n(problem.tensor.at.begin(), kRank, at.at);
  std::copy_n(problem.tap.begin(), kRank - 2, tap.at);
  return launch(
      named_kernel("load_some_pixels", load_some_pixels<kRank>),
      {.block = {64}, .shared_bytes = problem.shared_bytes() + 8, .stream = memory.stream},
      output_of<uint32_t>(memory), map, at, tap, problem.shared_bytes(),
      static_cast<uint32_t>(problem.copied_bytes()));
}

Status launch_pixels_of_rank(const PixelProblem& problem, const CaseMemory& memory) {
  if (problem.tensor.rank == 3) return launch_pixels<3>(problem, memory);
  return problem.tensor.rank == 4 ? launch_pixels<4>(problem, memory)
                                  : launch_pixels<5>(problem, memory);
}

// A convolution of an NHWC tensor, and one load of it.
struct Convolution {
  std::string name;
  int64_t channels, width, height, images;  // of the tensor
  int64_t filter_w, filter_h, stride, dilation, pad;
  int64_t box_channels, pixels;                // of the load
  int32_t channel, q, p, image, tap_s, tap_r;  // where: an output pixel (q, p), a filter tap (s, r)
  Swizzle swizzle = Swizzle::k128B;
  MapFill fill = MapFill::kZero;
};

// The corners that make base pixels those of the outputs: lower = -pad, upper = pad -
// (filter - 1) * dilation. Source: PTX ISA 9.0, 5.5.4.
PixelProblem pixels_of(const Convolution& c) {
  PixelProblem problem;
  problem.name = c.name;
  problem.tensor = {.swizzle = c.swizzle,
                    .fill = c.fill,
                    .rank = 4,
                    .size = {c.channels, c.width, c.height, c.images, 1},
                    .box = {c.box_channels, 1, 1, 1, 1},
                    .traversal = {1, c.stride, c.stride, 1, 1},
                    .at = {c.channel, static_cast<int32_t>(c.q * c.stride - c.pad),
                           static_cast<int32_t>(c.p * c.stride - c.pad), c.image}};
  problem.pixels = c.pixels;
  problem.lower = {-c.pad, -c.pad};
  problem.upper = {c.pad - (c.filter_w - 1) * c.dilation, c.pad - (c.filter_h - 1) * c.dilation};
  problem.tap = {static_cast<int32_t>(c.tap_s * c.dilation),
                 static_cast<int32_t>(c.tap_r * c.dilation)};
  return problem;
}

std::vector<PixelProblem> pixel_problems() {
  const Convolution convolutions[] = {
      {"1x1", 64, 7, 5, 2, 1, 1, 1, 1, 0, 64, 64, 0, 0, 0, 0, 0, 0},
      {"3x3_pad1_first_tap", 64, 9, 7, 2, 3, 3, 1, 1, 1, 64, 128, 0, 0, 0, 0, 0, 0},
      {"3x3_pad1_last_tap", 64, 9, 7, 2, 3, 3, 1, 1, 1, 64, 128, 0, 4, 3, 0, 2, 2},
      {"3x3_pad1_past_the_images", 64, 9, 7, 2, 3, 3, 1, 1, 1, 64, 64, 0, 5, 5, 1, 1, 2},
      {"3x3_no_pad", 64, 8, 8, 1, 3, 3, 1, 1, 0, 64, 36, 0, 0, 0, 0, 2, 1},
      {"3x3_stride2", 72, 11, 8, 2, 3, 3, 2, 1, 1, 64, 32, 8, 1, 2, 0, 2, 0},
      {"3x3_stride3", 64, 16, 13, 2, 3, 3, 3, 1, 1, 64, 40, 0, 2, 1, 0, 0, 2},
      {"3x3_dilation2", 64, 12, 9, 2, 3, 3, 1, 2, 2, 64, 96, 0, 3, 2, 0, 2, 2},
      {"3x3_dilation3_stride2", 64, 14, 13, 1, 3, 3, 2, 3, 3, 64, 48, 0, 0, 0, 0, 1, 2},
      {"5x3_unequal_filter", 64, 10, 9, 2, 5, 3, 1, 1, 1, 64, 70, 0, 1, 3, 0, 4, 0},
      {"7x7_pad3", 64, 10, 8, 2, 7, 7, 1, 1, 3, 64, 100, 0, 6, 4, 0, 6, 1},
      {"channels_past_the_end", 40, 9, 7, 2, 3, 3, 1, 1, 1, 64, 64, 16, 0, 2, 0, 0, 1},
      {"short_rows", 16, 9, 7, 2, 3, 3, 1, 1, 1, 16, 64, 0, 3, 0, 0, 1, 1},
      {"64b", 32, 9, 7, 2, 3, 3, 1, 1, 1, 32, 64, 0, 3, 0, 0, 1, 1, Swizzle::k64B},
      {"32b", 16, 9, 7, 2, 3, 3, 1, 1, 1, 16, 64, 0, 3, 0, 0, 1, 1, Swizzle::k32B},
      {"no_swizzle", 24, 9, 7, 2, 3, 3, 1, 1, 1, 24, 64, 0, 3, 0, 0, 1, 1, Swizzle::kNone},
      {"nan_fill",     64,           9, 7, 2, 3, 3, 1, 1, 1, 64, 64, 0, 0, 5, 0, 0, 2,
       Swizzle::k128B, MapFill::kNan},
  };
  std::vector<PixelProblem> problems;
  for (const Convolution& convolution : convolutions) problems.push_back(pixels_of(convolution));
  PixelProblem unequal_stride = problems[5];  // of W and H
  unequal_stride.name = "stride_2_1";
  unequal_stride.tensor.traversal = {1, 2, 1, 1, 1};
  problems.push_back(unequal_stride);
  problems.push_back({.name = "rank3",
                      .tensor = {.swizzle = Swizzle::k128B,
                                 .rank = 3,
                                 .size = {64, 20, 3, 1, 1},
                                 .box = {64, 1, 1, 1, 1},
                                 .traversal = {1, 2, 1, 1, 1},
                                 .at = {0, 4, 0}},
                      .pixels = 24,
                      .lower = {-2},
                      .upper = {-1},
                      .tap = {3}});
  problems.push_back({.name = "rank5",
                      .tensor = {.swizzle = Swizzle::k64B,
                                 .rank = 5,
                                 .size = {32, 6, 5, 4, 2},
                                 .box = {32, 1, 1, 1, 1},
                                 .traversal = {1, 1, 2, 1, 1},
                                 .at = {0, 1, 1, 2, 0}},
                      .pixels = 80,
                      .lower = {-1, -1, 0},
                      .upper = {-1, 0, -1},
                      .tap = {2, 1, 1}});
  return problems;
}

void add_im2col_cases(Cases& cases) {
  for (const PixelProblem& problem : pixel_problems()) {
    cases.push_back(
        {.name = "im2col/" + problem.name,
         .needs = Needs::kSm90,
         .output_bytes = problem.shared_bytes(),
         .input = random_input(static_cast<size_t>(problem.tensor.tensor_bytes())),
         .run =
             [problem](const CaseMemory& memory) { return launch_pixels_of_rank(problem, memory); },
         .expect =
             [problem](std::span<const uint8_t> input) {
               return Expectation{loaded_pixels(problem, input)};
             }});
  }
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::conformance

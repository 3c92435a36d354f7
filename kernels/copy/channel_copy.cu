// Instantiation and dispatch of the variants in variants.inc.
#include "engine/base/str_cat.h"
#include "kernels/copy/channel_copy.h"
#include "kernels/copy/channel_copy_kernel.cuh"
#include "kernels/copy/tile.h"
#include "kernels/kernel_table.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {
namespace {

// Bits of an element, and what one load or store of a thread moves.
template <int64_t bytes>
struct Bits;
template <>
struct Bits<2> {
  using Type = uint16_t;
};
template <>
struct Bits<4> {
  using Type = uint32_t;
};
template <>
struct Bits<8> {
  using Type = device::Words2;
};
template <>
struct Bits<16> {
  using Type = device::Words4;
};

template <typename Element>
using ChannelCopyKernel = void (*)(device::GlobalPtr<Element>, device::GlobalPtr<const Element>,
                                   ChannelCopyShape);

template <ChannelCopyAlgorithm algorithm, typename Vector, typename Element>
constexpr ChannelCopyKernel<Element> kernel_of() {
  if constexpr (algorithm == ChannelCopyAlgorithm::kNaive) {
    static_assert(sizeof(Vector) == sizeof(Element), "a naive variant moves single elements");
    return channel_copy_naive_kernel<Element>;
  } else {
    return channel_copy_vector_kernel<Vector, Element>;
  }
}

template <typename Element>
using NamedCopy =
    NamedKernel<device::GlobalPtr<Element>, device::GlobalPtr<const Element>, ChannelCopyShape>;

template <typename Element>
Status launch_variant(void* dst, const void* src, const ChannelCopyProblem& problem,
                      const NamedCopy<Element>& kernel, const LaunchConfig& config) {
  return launch(kernel, config, device::GlobalPtr(static_cast<Element*>(dst) + problem.dst_offset),
                device::GlobalPtr(static_cast<const Element*>(src) + problem.src_offset),
                ChannelCopyShape{problem.pixels, problem.channels, problem.dst_pixel_stride,
                                 problem.src_pixel_stride});
}

Status check_pointer(std::string_view name, const void* pointer, int64_t alignment_bytes) {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  if (pointer != nullptr && address % static_cast<uintptr_t>(alignment_bytes) == 0) return {};
  return invalid_argument(str_cat("channel_copy ", name, ": expected memory aligned to ",
                                  alignment_bytes, " bytes, got ", pointer));
}

}  // namespace

Status channel_copy(void* dst, const void* src, const ChannelCopyProblem& problem,
                    const ChannelCopyVariant& variant, Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  YOLOCU_RETURN_IF_ERROR(check_pointer("dst", dst, problem.alignment_bytes));
  YOLOCU_RETURN_IF_ERROR(check_pointer("src", src, problem.alignment_bytes));
  const ChannelCopyTile tile = choose_tile(variant, problem);
  const LaunchConfig config{
      .grid = {tile.blocks}, .block = {tile.lanes, tile.pixels}, .stream = stream};
#define VARIANT(variant_name, algorithm, dtype, bytes)                                     \
  if (variant.name == #variant_name) {                                                     \
    using Element = Bits<size_bytes(DType::dtype)>::Type;                                  \
    constexpr auto kKernel =                                                               \
        kernel_of<ChannelCopyAlgorithm::algorithm, Bits<bytes>::Type, Element>();          \
    return launch_variant<Element>(dst, src, problem, named_kernel(variant.name, kKernel), \
                                   config);                                                \
  }
#include "kernels/copy/variants.inc"
#undef VARIANT
  return invalid_argument(str_cat("channel_copy: no variant is called ", variant.name));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

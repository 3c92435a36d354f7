// What the families ask of views, extents and pointers. Host code, no CUDA.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/base/dtype.h"
#include "kernels/channel_view.h"
#include "yolocu/status.h"

namespace yolocu {

// In the messages of all of these, `owner` says which tensor of which family: "pool x".

// kInvalidArgument unless `channels` >= 1 lie within a pixel of at most 2^30 elements.
Status check_view(std::string_view owner, const ChannelView& view, int64_t channels);

// kUnsupported unless `pixels` of the view are fewer than 2^31 elements, the reach of the kernels'
// 32-bit indices.
Status check_reach(std::string_view owner, const ChannelView& view, int64_t pixels);

// kInvalidArgument unless lowest <= value <= highest.
Status check_extent(std::string_view owner, std::string_view extent, int64_t value, int64_t lowest,
                    int64_t highest);

// kInvalidArgument unless alignment_bytes is a power of two of at least one element.
Status check_alignment(std::string_view owner, int64_t alignment_bytes, DType dtype);

// kInvalidArgument if the pointer is null or has less than alignment_bytes.
Status check_pointer(std::string_view owner, const void* pointer, int64_t alignment_bytes);

// True if the first channel of every pixel lies at a multiple of vector_bytes, in a buffer that
// begins at a multiple of alignment_bytes.
bool has_vectors(const ChannelView& view, DType dtype, int64_t alignment_bytes,
                 int64_t vector_bytes);

}  // namespace yolocu

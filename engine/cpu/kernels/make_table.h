// All kernels of one instruction set: included by the file that is compiled for it, and no other.
#pragma once

#include "engine/cpu/kernels/decode.h"
#include "engine/cpu/kernels/direct_conv.h"
#include "engine/cpu/kernels/kernel_table.h"
#include "engine/cpu/kernels/pool.h"
#include "engine/cpu/kernels/winograd_conv.h"

namespace yolocu::cpu {

template <typename Set>
struct Kernels {
  template <typename Conv>
  static void run(const ConvTask& task, int64_t chunk, std::byte* scratch) {
    Conv(task, scratch).run_chunk(chunk);
  }

  template <typename In, typename Out, SourceLayout kLayout>
  static ConvKernel direct_of(const ConvShape& shape) {
    if (shape.stride == 1) return run<DirectConv<Set, In, Out, kLayout, 1>>;
    if (shape.stride == 2) return run<DirectConv<Set, In, Out, kLayout, 2>>;
    return nullptr;
  }

  template <typename Out>
  static ConvKernel direct_into(const ConvShape& shape) {
    if (shape.layout == SourceLayout::kPicture) {
      if (shape.source != Element::kF32 || shape.kernel != 3 || shape.in_channels != 3) {
        return nullptr;
      }
      return direct_of<F32Element<Set>, Out, SourceLayout::kPicture>(shape);
    }
    if (shape.source == Element::kF32) {
      return direct_of<F32Element<Set>, Out, SourceLayout::kBlocked>(shape);
    }
    if constexpr (Set::kHasDot) {
      if (shape.source == Element::kBf16) {
        return direct_of<Bf16Element<Set>, Out, SourceLayout::kBlocked>(shape);
      }
      if (shape.source == Element::kI8) {
        return direct_of<Int8Element<Set>, Out, SourceLayout::kBlocked>(shape);
      }
    }
    return nullptr;
  }

  static ConvKernel direct(const ConvShape& shape) {
    if (shape.kernel * shape.kernel > kMaxTaps) return nullptr;
    if (shape.destination == Element::kF32) return direct_into<F32Element<Set>>(shape);
    if constexpr (Set::kHasDot) {
      if (shape.destination == Element::kBf16) return direct_into<Bf16Element<Set>>(shape);
      if (shape.destination == Element::kI8) return direct_into<Int8Element<Set>>(shape);
    }
    return nullptr;
  }

  template <typename Out>
  static ConvKernel winograd_into(const ConvShape& shape) {
    if (shape.source == Element::kF32) {
      return run<WinogradConv<Set, FloatWinograd<Set, F32Element<Set>>, Out>>;
    }
    if constexpr (Set::kHasDot) {
      if (shape.source == Element::kBf16) {
        return run<WinogradConv<Set, FloatWinograd<Set, Bf16Element<Set>>, Out>>;
      }
      if (shape.source == Element::kI8) return run<WinogradConv<Set, Int8Winograd<Set>, Out>>;
    }
    return nullptr;
  }

  static ConvKernel winograd(const ConvShape& shape) {
    if (shape.layout == SourceLayout::kPicture || shape.kernel != 3 || shape.stride != 1 ||
        shape.groups != 1) {
      return nullptr;
    }
    if (shape.destination == Element::kF32) return winograd_into<F32Element<Set>>(shape);
    if constexpr (Set::kHasDot) {
      if (shape.destination == Element::kBf16) return winograd_into<Bf16Element<Set>>(shape);
      if (shape.destination == Element::kI8) return winograd_into<Int8Element<Set>>(shape);
    }
    return nullptr;
  }

  static PoolKernel pool(const PoolShape& shape) {
    if (shape.element == Element::kF32) return pool_row<Set, F32Element<Set>>;
    if constexpr (Set::kHasDot) {
      if (shape.element == Element::kBf16) return pool_row<Set, Bf16Element<Set>>;
      if (shape.element == Element::kI8) return pool_row<Set, Int8Element<Set>>;
    }
    return nullptr;
  }

  static const KernelTable* table(const char* name) {
    static constexpr int64_t kLanes = Set::kLanes;
    static const KernelTable table = {.name = name,
                                      .lanes = kLanes,
                                      .tile_pixels = kTilePixels<Set>,
                                      .has_dot = Set::kHasDot,
                                      .direct = direct,
                                      .winograd = winograd,
                                      .pool = pool,
                                      .add = add_pixels<Set>,
                                      .sigmoid = sigmoid_all<Set>,
                                      .greatest = greatest<Set>,
                                      .expected_bins = expected_bins<Set>};
    return &table;
  }
};

}  // namespace yolocu::cpu

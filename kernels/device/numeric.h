// 16-bit and 8-bit floats as stored bits, functions of floats, and conversions that give the same
// bits on both targets: rounded to nearest even, subnormals kept, every NaN to the one positive NaN
// that the hardware gives. sm_80 and later; the e4m3 instruction is used from sm_89 on, the same
// formula before.
#pragma once

#include "kernels/device/target.h"

namespace yolocu::device {

// IEEE binary16.
struct Half {
  uint16_t bits;
};

// bfloat16: the upper half of a float.
struct Bfloat16 {
  uint16_t bits;
};

// FP8 with 4 bits of exponent (bias 7), 3 of mantissa: largest 448, no infinity, NaN 0x7F and 0xFF.
struct E4m3 {
  uint8_t bits;
};

inline namespace YOLOCU_TARGET {

// cvt.f32.f16. Exact.
YOLOCU_DEVICE float to_float(Half value);
// Exact; a shift (cvt.f32.bf16 needs sm_90).
YOLOCU_DEVICE float to_float(Bfloat16 value);
// Exact.
YOLOCU_DEVICE float to_float(E4m3 value);

// cvt.rn.f16.f32: infinity above 65504 (from 65520 on).
YOLOCU_DEVICE Half to_half(float value);
// cvt.rn.bf16.f32.
YOLOCU_DEVICE Bfloat16 to_bfloat16(float value);
// cvt.rn.satfinite.e4m3x2.f32: beyond 448, infinities included, 448 with the sign.
YOLOCU_DEVICE E4m3 to_e4m3(float value);

// to_half or to_bfloat16, for kernels that are templates of T.
template <typename T>
YOLOCU_DEVICE T from_float(float value);
// Bits of from_float<T>(low) and, from bit 16 on, of from_float<T>(high): one
// cvt.rn.{f16x2,bf16x2}.f32.
template <typename T>
YOLOCU_DEVICE uint32_t pack_pair(float low, float high);

// e^value by ex2.approx.ftz.f32. Relative error at most 2^-22 + |value| * 2^-23 (the product with
// log2(e) is rounded); infinity from 88.73 on, 0 below -104, and perhaps from -87.33 on: subnormal
// results may be 0, as keeping them costs four instructions. The bits differ between the targets.
YOLOCU_DEVICE float fast_exp(float value);
// 1 / value by rcp.approx.ftz.f32: at most 1 ulp; 0 of infinity, infinity of 0; subnormal values
// and results may be taken for 0.
YOLOCU_DEVICE float fast_reciprocal(float value);

// a * b by mul.rn.f64: rounded by itself, while the compiler is free to fuse the operator * with an
// addition.
YOLOCU_DEVICE double multiply_unfused(double a, double b);

}  // namespace YOLOCU_TARGET
}  // namespace yolocu::device

#include "kernels/device/e4m3.h"
#if defined(__CUDACC__)
#include "kernels/device/cuda/numeric.cuh"
#else
#include "kernels/device/emulated/numeric.h"
#endif

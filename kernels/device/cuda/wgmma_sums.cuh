// The accumulators of wgmma, 4 more for each 8 columns: YOLOCU_SUMS_TEXT_<n>, their names in the
// instruction for n columns, and YOLOCU_SUMS_<n>(r), the operands r(0), r(1), ... r(n / 2 - 1).
#pragma once

// clang-format off: one line for 8 columns.
#define YOLOCU_SUMS_TEXT_8 "%0, %1, %2, %3"
#define YOLOCU_SUMS_TEXT_16 YOLOCU_SUMS_TEXT_8 ", %4, %5, %6, %7"
#define YOLOCU_SUMS_TEXT_24 YOLOCU_SUMS_TEXT_16 ", %8, %9, %10, %11"
#define YOLOCU_SUMS_TEXT_32 YOLOCU_SUMS_TEXT_24 ", %12, %13, %14, %15"
#define YOLOCU_SUMS_TEXT_40 YOLOCU_SUMS_TEXT_32 ", %16, %17, %18, %19"
#define YOLOCU_SUMS_TEXT_48 YOLOCU_SUMS_TEXT_40 ", %20, %21, %22, %23"
#define YOLOCU_SUMS_TEXT_56 YOLOCU_SUMS_TEXT_48 ", %24, %25, %26, %27"
#define YOLOCU_SUMS_TEXT_64 YOLOCU_SUMS_TEXT_56 ", %28, %29, %30, %31"
#define YOLOCU_SUMS_TEXT_72 YOLOCU_SUMS_TEXT_64 ", %32, %33, %34, %35"
#define YOLOCU_SUMS_TEXT_80 YOLOCU_SUMS_TEXT_72 ", %36, %37, %38, %39"
#define YOLOCU_SUMS_TEXT_88 YOLOCU_SUMS_TEXT_80 ", %40, %41, %42, %43"
#define YOLOCU_SUMS_TEXT_96 YOLOCU_SUMS_TEXT_88 ", %44, %45, %46, %47"
#define YOLOCU_SUMS_TEXT_104 YOLOCU_SUMS_TEXT_96 ", %48, %49, %50, %51"
#define YOLOCU_SUMS_TEXT_112 YOLOCU_SUMS_TEXT_104 ", %52, %53, %54, %55"
#define YOLOCU_SUMS_TEXT_120 YOLOCU_SUMS_TEXT_112 ", %56, %57, %58, %59"
#define YOLOCU_SUMS_TEXT_128 YOLOCU_SUMS_TEXT_120 ", %60, %61, %62, %63"
#define YOLOCU_SUMS_TEXT_136 YOLOCU_SUMS_TEXT_128 ", %64, %65, %66, %67"
#define YOLOCU_SUMS_TEXT_144 YOLOCU_SUMS_TEXT_136 ", %68, %69, %70, %71"
#define YOLOCU_SUMS_TEXT_152 YOLOCU_SUMS_TEXT_144 ", %72, %73, %74, %75"
#define YOLOCU_SUMS_TEXT_160 YOLOCU_SUMS_TEXT_152 ", %76, %77, %78, %79"
#define YOLOCU_SUMS_TEXT_168 YOLOCU_SUMS_TEXT_160 ", %80, %81, %82, %83"
#define YOLOCU_SUMS_TEXT_176 YOLOCU_SUMS_TEXT_168 ", %84, %85, %86, %87"
#define YOLOCU_SUMS_TEXT_184 YOLOCU_SUMS_TEXT_176 ", %88, %89, %90, %91"
#define YOLOCU_SUMS_TEXT_192 YOLOCU_SUMS_TEXT_184 ", %92, %93, %94, %95"
#define YOLOCU_SUMS_TEXT_200 YOLOCU_SUMS_TEXT_192 ", %96, %97, %98, %99"
#define YOLOCU_SUMS_TEXT_208 YOLOCU_SUMS_TEXT_200 ", %100, %101, %102, %103"
#define YOLOCU_SUMS_TEXT_216 YOLOCU_SUMS_TEXT_208 ", %104, %105, %106, %107"
#define YOLOCU_SUMS_TEXT_224 YOLOCU_SUMS_TEXT_216 ", %108, %109, %110, %111"
#define YOLOCU_SUMS_TEXT_232 YOLOCU_SUMS_TEXT_224 ", %112, %113, %114, %115"
#define YOLOCU_SUMS_TEXT_240 YOLOCU_SUMS_TEXT_232 ", %116, %117, %118, %119"
#define YOLOCU_SUMS_TEXT_248 YOLOCU_SUMS_TEXT_240 ", %120, %121, %122, %123"
#define YOLOCU_SUMS_TEXT_256 YOLOCU_SUMS_TEXT_248 ", %124, %125, %126, %127"

#define YOLOCU_SUMS_8(r) r(0), r(1), r(2), r(3)
#define YOLOCU_SUMS_16(r) YOLOCU_SUMS_8(r), r(4), r(5), r(6), r(7)
#define YOLOCU_SUMS_24(r) YOLOCU_SUMS_16(r), r(8), r(9), r(10), r(11)
#define YOLOCU_SUMS_32(r) YOLOCU_SUMS_24(r), r(12), r(13), r(14), r(15)
#define YOLOCU_SUMS_40(r) YOLOCU_SUMS_32(r), r(16), r(17), r(18), r(19)
#define YOLOCU_SUMS_48(r) YOLOCU_SUMS_40(r), r(20), r(21), r(22), r(23)
#define YOLOCU_SUMS_56(r) YOLOCU_SUMS_48(r), r(24), r(25), r(26), r(27)
#define YOLOCU_SUMS_64(r) YOLOCU_SUMS_56(r), r(28), r(29), r(30), r(31)
#define YOLOCU_SUMS_72(r) YOLOCU_SUMS_64(r), r(32), r(33), r(34), r(35)
#define YOLOCU_SUMS_80(r) YOLOCU_SUMS_72(r), r(36), r(37), r(38), r(39)
#define YOLOCU_SUMS_88(r) YOLOCU_SUMS_80(r), r(40), r(41), r(42), r(43)
#define YOLOCU_SUMS_96(r) YOLOCU_SUMS_88(r), r(44), r(45), r(46), r(47)
#define YOLOCU_SUMS_104(r) YOLOCU_SUMS_96(r), r(48), r(49), r(50), r(51)
#define YOLOCU_SUMS_112(r) YOLOCU_SUMS_104(r), r(52), r(53), r(54), r(55)
#define YOLOCU_SUMS_120(r) YOLOCU_SUMS_112(r), r(56), r(57), r(58), r(59)
#define YOLOCU_SUMS_128(r) YOLOCU_SUMS_120(r), r(60), r(61), r(62), r(63)
#define YOLOCU_SUMS_136(r) YOLOCU_SUMS_128(r), r(64), r(65), r(66), r(67)
#define YOLOCU_SUMS_144(r) YOLOCU_SUMS_136(r), r(68), r(69), r(70), r(71)
#define YOLOCU_SUMS_152(r) YOLOCU_SUMS_144(r), r(72), r(73), r(74), r(75)
#define YOLOCU_SUMS_160(r) YOLOCU_SUMS_152(r), r(76), r(77), r(78), r(79)
#define YOLOCU_SUMS_168(r) YOLOCU_SUMS_160(r), r(80), r(81), r(82), r(83)
#define YOLOCU_SUMS_176(r) YOLOCU_SUMS_168(r), r(84), r(85), r(86), r(87)
#define YOLOCU_SUMS_184(r) YOLOCU_SUMS_176(r), r(88), r(89), r(90), r(91)
#define YOLOCU_SUMS_192(r) YOLOCU_SUMS_184(r), r(92), r(93), r(94), r(95)
#define YOLOCU_SUMS_200(r) YOLOCU_SUMS_192(r), r(96), r(97), r(98), r(99)
#define YOLOCU_SUMS_208(r) YOLOCU_SUMS_200(r), r(100), r(101), r(102), r(103)
#define YOLOCU_SUMS_216(r) YOLOCU_SUMS_208(r), r(104), r(105), r(106), r(107)
#define YOLOCU_SUMS_224(r) YOLOCU_SUMS_216(r), r(108), r(109), r(110), r(111)
#define YOLOCU_SUMS_232(r) YOLOCU_SUMS_224(r), r(112), r(113), r(114), r(115)
#define YOLOCU_SUMS_240(r) YOLOCU_SUMS_232(r), r(116), r(117), r(118), r(119)
#define YOLOCU_SUMS_248(r) YOLOCU_SUMS_240(r), r(120), r(121), r(122), r(123)
#define YOLOCU_SUMS_256(r) YOLOCU_SUMS_248(r), r(124), r(125), r(126), r(127)
// clang-format on

// What a launch is called in the name of a benchmark.
#pragma once

#include <string>

#include "engine/gpu/gpu_plan.h"

namespace yolocu::bench {

// The folder of kernels/ and, of decode/, the function: "conv", "pool", "decode_candidates".
std::string family_text(const gpu::Work& work);

// N x H x W x C of the input first: "1x160x160x128->128k3s1". See bench/README.md.
std::string shape_text(const gpu::Work& work);

// "conv_igemm_f16_b128x64x32_w64x32_s3_v16/splits:4".
std::string implementation_text(const gpu::Work& work);

}  // namespace yolocu::bench

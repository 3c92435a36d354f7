// Which kernel computes a convolution, and how its work is cut into panels and chunks. Arithmetic
// only; addresses come later.
#pragma once

#include <cstdint>

#include "engine/cpu/kernels/conv_task.h"
#include "engine/cpu/kernels/kernel_table.h"

namespace yolocu::cpu {

// kPlain: loops for what the kernels lack (windows above 64 taps, strides above 2); slow.
// kDepthwise: as many groups as channels, also by loops.
enum class ConvAlgorithm : uint8_t { kPlain, kDepthwise, kDirect, kWinograd };

const char* algorithm_name(ConvAlgorithm algorithm);

// kByDefinition: no Winograd, so that sums of small integers are exact.
enum class ConvPolicy : uint8_t { kFastest, kByDefinition };

struct ConvChoice {
  ConvAlgorithm algorithm = ConvAlgorithm::kPlain;
  ConvKernel kernel = nullptr;  // null where plain_conv() does it
};

// Winograd wherever it may: over all 3 x 3 convolutions of a network it reaches 2.1 (gelan-t)
// to 2.9 times (gelan-c) the GFLOP/s that are the processor's peak in fp32; see README.md. In int8
// where there are enough tiles.
ConvChoice choose_algorithm(const ConvShape& shape, const KernelTable& kernels, ConvPolicy policy);

// The task without addresses: panels, chunks for `threads` threads, scratch.
ConvTask plan_conv(const ConvShape& shape, const ConvChoice& choice, const KernelTable& kernels,
                   int threads);

// Of all panels, in elements of weight_element().
int64_t weight_elements(const ConvTask& task, ConvAlgorithm algorithm, int64_t lanes);

// Type of the weights: that of the source where it is multiplied as such; i16 for int8 in
// Winograd's products, otherwise f32.
Element weight_element(const ConvShape& shape, ConvAlgorithm algorithm);

}  // namespace yolocu::cpu

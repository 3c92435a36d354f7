// The packed model inside the program: its default. See embedded_model.S.in.
#pragma once

#include <cstddef>
#include <span>

extern "C" {
extern const std::byte yolocu_embedded_model_begin[];
extern const std::byte yolocu_embedded_model_end[];
}

namespace yolocu {

// A packed file, aligned to 64 bytes. Lives as long as the program.
inline std::span<const std::byte> embedded_model() {
  return {yolocu_embedded_model_begin, yolocu_embedded_model_end};
}

}  // namespace yolocu

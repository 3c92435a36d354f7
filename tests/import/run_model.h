// A model run on a tensor.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <utility>

#include "apps/npy.h"
#include "engine/executor.h"

namespace yolocu::testing {

// [B,3,H,W] -> [B,H,W,3]
inline void fill_input(std::span<float> nhwc, const NpyArray& nchw) {
  const int64_t pixels = nchw.shape[2] * nchw.shape[3];
  for (int64_t b = 0; b < nchw.shape[0]; ++b) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t i = 0; i < pixels; ++i) {
        nhwc[static_cast<size_t>((b * pixels + i) * 3 + c)] =
            nchw.values[static_cast<size_t>((b * 3 + c) * pixels + i)];
      }
    }
  }
}

// Plans and runs `model` on x [B,3,H,W]; nothing if a step failed (which fails the test).
inline std::unique_ptr<Executor> run_model(Model model, Device device, const NpyArray& x,
                                           Precision precision = Precision::kFp32) {
  auto executor = create_executor(
      std::make_shared<const Model>(std::move(model)), device,
      {.batch = x.shape[0], .height = x.shape[2], .width = x.shape[3], .precision = precision});
  if (!executor.ok()) {
    ADD_FAILURE() << executor.status().message();
    return nullptr;
  }
  fill_input((*executor)->input(), x);
  const Status status = (*executor)->run();
  EXPECT_TRUE(status.ok()) << status.message();
  return std::move(*executor);
}

}  // namespace yolocu::testing

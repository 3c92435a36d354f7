// Data for convolutions, and their run on a device.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "kernels/kernel_table.h"
#include "tests/kernels/conv_problems.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/conv.h"

namespace yolocu::testing {

enum class ConvNumbers : uint8_t { kIntegers, kFractions };

// Integers up to 2, whose sums are exact in f32, or fractions in [-1, 1).
class ConvGenerator {
 public:
  ConvGenerator(DType dtype, ConvNumbers numbers, uint32_t seed)
      : dtype_(dtype), numbers_(numbers), random_(seed) {}

  float number() {
    if (numbers_ == ConvNumbers::kIntegers) return static_cast<float>(integers_(random_));
    return fractions_(random_);
  }

  // [pixels, view.pixel_stride] with numbers in the view and NaN outside of it.
  ConvBuffer buffer(int64_t pixels, const ChannelView& view, int64_t channels) {
    ConvBuffer values(dtype_, pixels * view.pixel_stride, 0xFF);
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (int64_t c = 0; c < channels; ++c) {
        values.set(pixel * view.pixel_stride + view.offset + c, static_cast<double>(number()));
      }
    }
    return values;
  }

 private:
  DType dtype_;
  ConvNumbers numbers_;
  std::mt19937 random_;
  std::uniform_int_distribution<int> integers_{-2, 2};
  std::uniform_real_distribution<float> fractions_{-1.0f, 1.0f};
};

// The buffer of an output: bits that differ from place to place.
inline ConvBuffer untouched_buffer(const ConvProblem& problem, const ConvOutput& output) {
  const int64_t pixels = problem.out_pixels() * output.upsample * output.upsample;
  ConvBuffer buffer(problem.dtype, pixels * output.view.pixel_stride, 0);
  uint32_t next = 1;
  for (uint8_t& byte : buffer.bytes()) byte = static_cast<uint8_t>((next += 40503) >> 8);
  return buffer;
}

// Reproducible. NaN where results belong.
inline ConvData conv_data(const ConvCase& conv_case, ConvNumbers numbers, uint32_t seed) {
  const ConvProblem& problem = conv_case.problem;
  ConvGenerator generator(problem.dtype, numbers, seed);
  const int64_t pixels = problem.batch * problem.height * problem.width;
  ConvData data = {
      .x = generator.buffer(pixels, problem.x, problem.channels),
      .w = generator.buffer(problem.out_channels, {problem.depth(), 0}, problem.depth()),
      .y = untouched_buffer(problem, problem.first())};
  data.bias.resize(static_cast<size_t>(problem.out_channels));
  for (float& value : data.bias) value = generator.number();
  const auto clear = [&](ConvBuffer& buffer, const ConvOutput& output) {
    for_each_stored(problem, output, [&](int64_t at, int64_t) { buffer.set(at, NAN); });
  };
  clear(data.y, problem.first());
  if (problem.second) {
    data.second = untouched_buffer(problem, *problem.second);
    const bool in_y = conv_case.sharing == ConvSharing::kSecondInY;
    clear(in_y ? data.y : data.second, *problem.second);
  }
  if (problem.residual) {
    data.residual = generator.buffer(problem.out_pixels(), *problem.residual, problem.out_channels);
    if (conv_case.sharing == ConvSharing::kResidualInY) data.y = data.residual;
  }
  return data;
}

// The outputs' buffers after a launch.
struct ConvResult {
  ConvBuffer y, second;
  bool operator==(const ConvResult&) const = default;
};

// Memory that serves problems of up to so many bytes of workspace: its tickets are zero.
inline DeviceMemory conv_workspace(DeviceRuntime& runtime, Stream stream, int64_t bytes) {
  auto memory = DeviceMemory::create(runtime, std::max(bytes, kConvTicketBytes), "workspace");
  EXPECT_TRUE(memory.ok()) << memory.status().message();
  const Status status = runtime.fill(memory->data(), 0, kConvTicketBytes, stream);
  EXPECT_TRUE(status.ok()) << status.message();
  return std::move(memory).value();
}

// Nothing, and a failure, if there is an error.
inline ConvResult run_conv(DeviceRuntime& runtime, const KernelTable& kernels, Stream stream,
                           const ConvCase& conv_case, const ConvData& data,
                           const DeviceMemory& workspace) {
  const auto upload = [&](const auto& buffer, std::string_view name) {
    return to_device(runtime, stream, buffer.bytes(), name);
  };
  const DeviceMemory x = upload(data.x, "x"), w = upload(data.w, "w"), y = upload(data.y, "y"),
                     second = upload(data.second, "second"),
                     residual = upload(data.residual, "residual");
  const DeviceMemory bias =
      to_device(runtime, stream,
                {reinterpret_cast<const uint8_t*>(data.bias.data()), data.bias.size() * 4}, "bias");
  const ConvProblem& problem = conv_case.problem;
  ConvTensors tensors = {.y = y.data(),
                         .x = x.data(),
                         .w = w.data(),
                         .bias = bias.data<float>(),
                         .workspace = workspace.data()};
  if (problem.second) tensors.second = second.data();
  if (problem.residual) tensors.residual = residual.data();
  if (conv_case.sharing == ConvSharing::kSecondInY) tensors.second = y.data();
  if (conv_case.sharing == ConvSharing::kResidualInY) tensors.residual = y.data();
  const Status status = kernels.conv(tensors, problem, conv_case.choice(), stream);
  EXPECT_TRUE(status.ok()) << status.message();
  ConvResult result = {data.y, data.second};
  result.y.bytes() = to_host(runtime, stream, y);
  result.second.bytes() = to_host(runtime, stream, second);
  return result;
}

// The same with a workspace of its own.
inline ConvResult run_conv(DeviceRuntime& runtime, const KernelTable& kernels, Stream stream,
                           const ConvCase& conv_case, const ConvData& data) {
  const int64_t bytes = conv_workspace_bytes(conv_case.choice(), conv_case.problem);
  return run_conv(runtime, kernels, stream, conv_case, data,
                  conv_workspace(runtime, stream, bytes));
}

}  // namespace yolocu::testing

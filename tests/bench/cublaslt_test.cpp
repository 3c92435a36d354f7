// Our 1x1 convolutions against cuBLASLt, over the layers of official networks. Needs a GPU.
#include "bench/kernels/cublaslt.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "bench/kernels/case_data.h"
#include "bench/kernels/case_memory.h"
#include "bench/kernels/isolation.h"
#include "bench/kernels/product_case.h"
#include "engine/base/half.h"
#include "tests/kernels/kernel_device.h"

namespace yolocu {
namespace {

using bench::KernelCase;

// The product and bias of a case alone: what cuBLASLt can be asked.
KernelCase without_epilogue(const KernelCase& one) {
  KernelCase plain = one;
  gpu::ConvStep step = std::get<gpu::ConvStep>(one.work());
  step.problem.activation = Activation::kNone;
  step.problem.residual.reset();
  step.residual = gpu::kNoBuffer;
  bench::isolate(plain, step, one.step.options);
  return plain;
}

class CublasLt : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto opened = gpu::open_gpu_device(Device::kCuda, {});
    if (!opened.ok()) GTEST_SKIP() << "no device: " << opened.status().message();
    device_ = *std::move(opened);
    stream_ = make_stream(*device_.runtime).value();
  }

  template <typename T>
  std::vector<T> download(const void* from, int64_t count) {
    std::vector<T> values(static_cast<size_t>(count));
    const auto bytes = count * static_cast<int64_t>(sizeof(T));
    const Status copied = device_.runtime->download(values.data(), from, bytes, stream_.get());
    const Status done = device_.runtime->synchronize_stream(stream_.get());
    EXPECT_TRUE(copied.ok() && done.ok()) << copied.message() << done.message();
    return values;
  }

  // x w^T in f32 by cuBLASLt, [pixels, out_channels].
  std::vector<float> product(const ConvProblem& p, const void* x, const void* w) {
    const auto gemm = bench::CublasLtGemm::create(*device_.runtime, {.dtype = p.dtype,
                                                                     .d_dtype = DType::kF32,
                                                                     .m = p.out_pixels(),
                                                                     .n = p.out_channels,
                                                                     .k = p.channels,
                                                                     .a_stride = p.x.pixel_stride,
                                                                     .b_stride = p.channels,
                                                                     .d_stride = p.out_channels});
    EXPECT_TRUE(gemm.ok()) << gemm.status().message();
    const int64_t count = p.out_pixels() * p.out_channels;
    const auto d = DeviceMemory::create(*device_.runtime, count * 4, "product");
    EXPECT_TRUE(d.ok()) << d.status().message();
    if (!gemm.ok() || !d.ok()) return {};
    const Status status = gemm->enqueue(d->data(), x, w, stream_.get());
    EXPECT_TRUE(status.ok()) << status.message();
    return download<float>(d->data(), count);
  }

  void check(const KernelCase& one) {
    const gpu::ConvStep& step = std::get<gpu::ConvStep>(one.work());
    const ConvProblem& p = step.problem;
    const auto memory = bench::CaseMemory::create(device_, one, 1);
    ASSERT_TRUE(memory.ok()) << memory.status().message();
    const Status status = memory->enqueue(0, stream_.get());
    ASSERT_TRUE(status.ok()) << status.message();
    const auto y = download<uint16_t>(memory->at(0, step.y), p.out_pixels() * p.y.pixel_stride);
    const auto bias = download<float>(memory->at(0, one.extra.bias), p.out_channels);
    const std::vector<float> expected =
        product(p, memory->at<uint16_t>(0, step.x) + p.x.offset, memory->at(0, one.extra.weight));
    ASSERT_EQ(static_cast<int64_t>(expected.size()), p.out_pixels() * p.out_channels);
    // Two f32 sums of numbers up to 1, in any order; then one rounding to f16.
    const auto depth = static_cast<double>(p.channels + 1);
    const double sums = 2 * depth * depth * std::ldexp(1.0, -24);
    for (int64_t i = 0; i < p.out_pixels() * p.out_channels; ++i) {
      const int64_t pixel = i / p.out_channels, k = i % p.out_channels;
      const auto at = static_cast<size_t>(pixel * p.y.pixel_stride + p.y.offset + k);
      const double value = static_cast<double>(expected[static_cast<size_t>(i)]) +
                           static_cast<double>(bias[static_cast<size_t>(k)]);
      const double error = std::fabs(static_cast<double>(half_to_float(y[at])) - value);
      const double tolerance = sums + std::fabs(value) * std::ldexp(1.0, -11) + 1e-7;
      ASSERT_TRUE(error <= tolerance) << one.name() << ", pixel " << pixel << ", channel " << k
                                      << ": expected " << value << ", error " << error;
    }
  }

  gpu::GpuDevice device_;
  OwnedStream stream_;
};

TEST_P(CublasLt, AgreesOnEveryPointwiseLayer) {
  const auto network = bench::architecture_network(GetParam());
  ASSERT_TRUE(network.ok()) << network.status().message();
  const auto cases =
      bench::kernel_cases(*network, {.device = gpu::conv_device(device_.runtime->info())});
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  int checked = 0;
  for (const KernelCase& one : *cases) {
    if (!bench::is_product(one)) continue;
    ASSERT_NO_FATAL_FAILURE(check(without_epilogue(one)));
    ++checked;
  }
  EXPECT_GE(checked, 8);
}

INSTANTIATE_TEST_SUITE_P(Networks, CublasLt,
                         ::testing::Values("gelan-t", "gelan-c", "yolov7-tiny", "yolov7"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace yolocu

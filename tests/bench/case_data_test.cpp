// What cases hold: numbers that a launch treats as those of a picture.
#include "bench/kernels/case_data.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "bench/kernels/case_memory.h"
#include "engine/base/half.h"

namespace yolocu {
namespace {

using bench::CaseMemory;
using bench::KernelCase;

// The case of `family` at 64 x 64, whose three levels have 64, 16 and 4 pixels.
KernelCase small_case(const std::string& network, const std::string& family) {
  const auto opened = bench::architecture_network(network);
  EXPECT_TRUE(opened.ok());
  const auto cases = bench::kernel_cases(*opened, {.size = 64});
  EXPECT_TRUE(cases.ok());
  for (const KernelCase& one : *cases) {
    if (one.family == family) return one;
  }
  ADD_FAILURE() << "no " << family;
  return {};
}

class CaseRun : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = gpu::open_gpu_device(Device::kEmulated, {});
    ASSERT_TRUE(opened.ok());
    device_ = *std::move(opened);
    stream_ = make_stream(*device_.runtime).value();
  }

  int32_t run_and_read(const KernelCase& one, int buffer) {
    auto memory = CaseMemory::create(device_, one, 1);
    EXPECT_TRUE(memory.ok()) << memory.status().message();
    EXPECT_TRUE(memory->enqueue(0, stream_.get()).ok());
    int32_t number = -1;
    const auto copied =
        device_.runtime->download(&number, memory->at(0, buffer), sizeof(number), stream_.get());
    const Status done = device_.runtime->synchronize_stream(stream_.get());
    EXPECT_TRUE(copied.ok() && done.ok()) << done.message();
    return number;
  }

  gpu::GpuDevice device_;
  OwnedStream stream_;
};

// One pixel of 64 in each of three levels.
TEST_F(CaseRun, OfADflHeadThreeAnchorsPass) {
  const KernelCase one = small_case("gelan-t", "decode_candidates");
  EXPECT_EQ(run_and_read(one, std::get<gpu::CandidateStep>(one.work()).lists.counts), 3);
}

// Three anchors a pixel.
TEST_F(CaseRun, OfAnAnchorHeadNineAnchorsPass) {
  const KernelCase one = small_case("yolov7-tiny", "decode_candidates");
  EXPECT_EQ(run_and_read(one, std::get<gpu::CandidateStep>(one.work()).lists.counts), 9);
}

TEST_F(CaseRun, OneCandidateIsOneDetection) {
  const KernelCase one = small_case("gelan-t", "nms");
  ASSERT_EQ(one.candidates, 1);
  EXPECT_EQ(run_and_read(one, one.extra.detection_counts), 1);
}

TEST(CaseData, NumbersOfConvolutionsAreSmallAndFinite) {
  const KernelCase one = small_case("gelan-t", "conv");
  const std::vector<std::byte> data = bench::arena_data(one);
  ASSERT_EQ(static_cast<int64_t>(data.size()), one.step.arena.size_bytes);
  double sum = 0;
  for (size_t i = 0; i + 2 <= data.size(); i += 2) {
    uint16_t bits = 0;
    std::memcpy(&bits, &data[i], 2);
    const float number = half_to_float(bits);
    ASSERT_LE(std::fabs(number), 1.0f) << i;
    sum += static_cast<double>(number * number);
  }
  EXPECT_NEAR(sum / (static_cast<double>(data.size()) / 2), 1.0 / 3, 0.02);
}

TEST(CaseMemory, CopiesExceedEveryCache) {
  for (const char* family : {"conv", "nms"}) {
    const KernelCase one = small_case("gelan-t", family);
    const int64_t copies = bench::rotated_copies(one);
    EXPECT_TRUE(copies == 1024 || copies * one.step.arena.size_bytes >= bench::kRotatedBytes);
    EXPECT_GE(copies, 2);
  }
}

}  // namespace
}  // namespace yolocu

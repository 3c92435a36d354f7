// The cases of kernel_bench: that they are the official networks', and that each runs by itself.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "bench/kernels/card_roof.h"
#include "bench/kernels/case_counts.h"
#include "bench/kernels/kernel_case.h"
#include "tests/engine/test_graphs.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using bench::CaseOptions;
using bench::KernelCase;

std::vector<KernelCase> cases_of(const bench::Network& network, const CaseOptions& options = {}) {
  auto cases = bench::kernel_cases(network, options);
  EXPECT_TRUE(cases.ok()) << cases.status().message();
  return cases.ok() ? *std::move(cases) : std::vector<KernelCase>();
}

std::vector<KernelCase> cases_of(const std::string& name, const CaseOptions& options = {}) {
  const auto network = bench::architecture_network(name);
  EXPECT_TRUE(network.ok()) << network.status().message();
  return network.ok() ? cases_of(*network, options) : std::vector<KernelCase>();
}

// A file of bench/shapes: what the official code computes.
struct OfficialConvolutions {
  int64_t count = 0;
  double flops = 0;
};

OfficialConvolutions read_shapes(const std::string& name) {
  std::ifstream file(testing::source_dir() + "/bench/shapes/" + name + ".txt");
  OfficialConvolutions all;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string layer;
    double k = 0, s = 0, g = 0, ci = 0, co = 0, hi = 0, wi = 0, ho = 0, wo = 0;
    words >> layer >> k >> s >> g >> ci >> co >> hi >> wi >> ho >> wo;
    EXPECT_FALSE(words.fail()) << line;
    ++all.count;
    all.flops += 2 * k * k * ci / g * co * ho * wo;
  }
  return all;
}

class OfficialNetwork : public ::testing::TestWithParam<std::string> {};

TEST_P(OfficialNetwork, CasesAreItsConvolutions) {
  const OfficialConvolutions official = read_shapes(GetParam());
  ASSERT_GT(official.count, 0);
  int64_t count = 0;
  double flops = 0;
  for (const KernelCase& one : cases_of(GetParam())) {
    if (one.family != "conv") continue;
    count += one.count;
    flops += static_cast<double>(one.count) * one.flops;
  }
  EXPECT_EQ(count, official.count);
  EXPECT_DOUBLE_EQ(flops, official.flops);
}

INSTANTIATE_TEST_SUITE_P(Shapes, OfficialNetwork,
                         ::testing::Values("gelan-t", "gelan-c", "yolov7-tiny", "yolov7"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(KernelCases, HaveEveryFamilyAndDistinctNames) {
  std::set<std::string> families, names;
  for (const std::string& network : bench::default_networks()) {
    for (const KernelCase& one : cases_of(network)) {
      families.insert(one.family);
      EXPECT_TRUE(names.insert(one.name()).second) << one.name();
    }
  }
  EXPECT_EQ(families,
            (std::set<std::string>{"conv", "pool", "resize_sum", "space_to_depth", "letterbox",
                                   "decode_predictions", "decode_candidates", "nms"}));
}

// In a third concat a value is a copy.
bench::Network network_with_a_copy() {
  testing::ModelBuilder b(testing::Numbers::kIntegers);
  const int x = b.conv(0, 16, {});
  std::vector<int> heads;
  for (int i = 0; i < 3; ++i) heads.push_back(b.concat({b.conv(0, 8, {}), x}));
  return {"copy", b.finish(heads)->spec};
}

class EveryVariant : public ::testing::TestWithParam<DType> {};

// By itself, in memory that holds nothing else: an address outside of its arena is an error.
TEST_P(EveryVariant, RunsByItself) {
  const auto device = gpu::open_gpu_device(Device::kEmulated, {.launches = LaunchRecords::kKeep});
  ASSERT_TRUE(device.ok()) << device.status().message();
  const CaseOptions options = {
      .dtype = GetParam(), .batch = 2, .size = 8, .variants = CaseOptions::Variants::kAll};
  std::set<std::string> families;
  const bench::Network small = {"small", testing::small_network()->spec};
  for (const bench::Network& network : {small, network_with_a_copy()}) {
    for (const KernelCase& one : cases_of(network, options)) {
      families.insert(one.family);
      const auto counts = bench::count_case(*device, one);
      ASSERT_TRUE(counts.ok()) << one.name() << ": " << counts.status().message();
      EXPECT_GT(counts->counters.global_written_bytes, 0) << one.name();
      if (GetParam() != DType::kF32 && one.implementation.starts_with("conv_igemm")) {
        EXPECT_GE(static_cast<double>(counts->counters.tensor_flops), one.flops) << one.name();
      }
    }
  }
  EXPECT_TRUE(families.contains("channel_copy"));
  EXPECT_GE(families.size(), 7u);
}

INSTANTIATE_TEST_SUITE_P(Types, EveryVariant,
                         ::testing::Values(DType::kF16, DType::kBF16, DType::kF32),
                         [](const auto& test) { return std::string(dtype_name(test.param)); });

TEST(KernelCases, SayWhichNetworksThereAre) {
  const auto network = bench::architecture_network("gelan-x");
  testing::expect_refused(network.status(), StatusCode::kInvalidArgument, "gelan-c");
}

TEST(CardRoof, IsTheSlowerOfComputeAndMemory) {
  const auto card = bench::find_card_roof("NVIDIA A100-SXM4-40GB");
  ASSERT_TRUE(card.has_value());
  EXPECT_DOUBLE_EQ(bench::roof_us(*card, 312e6, 0), 1);
  EXPECT_DOUBLE_EQ(bench::roof_us(*card, 312e6, 1555e3 * 2), 2);
  EXPECT_FALSE(bench::find_card_roof("NVIDIA A1").has_value());
}

}  // namespace
}  // namespace yolocu

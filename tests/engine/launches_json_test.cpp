// Records of launches as JSON.
#include "engine/launches_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace yolocu {
namespace {

// Of 100 bytes that are read, 60 come by cp.async: they are not read twice.
TEST(LaunchesJson, CountsNoByteTwice) {
  LaunchRecord record{.kernel = "k", .grid = {2, 1, 1}, .block = {32, 1, 1}, .cluster = {1, 1, 1}};
  record.counters = emulation::Counters{.global_read_bytes = 100,
                                        .global_written_bytes = 7,
                                        .async_copied_bytes = 60,
                                        .tensor_flops = 9,
                                        .global_sectors = 4,
                                        .shared_passes = 5,
                                        .shared_ideal_passes = 3};
  const auto json = nlohmann::json::parse(launches_json(std::vector<LaunchRecord>{record}));
  const auto& launch = json["launches"][0];
  EXPECT_EQ(launch["bytes_read"], 100);
  EXPECT_EQ(launch["bytes_written"], 7);
  EXPECT_EQ(launch["tensor_flops"], 9);
  EXPECT_EQ(launch["sectors"], 4);
  EXPECT_EQ(launch["bank_conflicts"], 2);
}

TEST(LaunchesJson, HasNoCountersOfAGpu) {
  const std::vector<LaunchRecord> records = {
      {.kernel = "k", .grid = {}, .block = {}, .cluster = {}}};
  const auto json = nlohmann::json::parse(launches_json(records));
  EXPECT_FALSE(json["launches"][0].contains("bytes_read"));
}

}  // namespace
}  // namespace yolocu

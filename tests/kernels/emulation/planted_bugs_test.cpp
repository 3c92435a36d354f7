// Every planted error must be reported for every seed, early and late; the same kernel without it
// must never be.
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <thread>

#include "tests/kernels/emulation/planted/async.h"
#include "tests/kernels/emulation/planted/barriers.h"
#include "tests/kernels/emulation/planted/bulk_copy.h"
#include "tests/kernels/emulation/planted/cluster.h"
#include "tests/kernels/emulation/planted/matrix.h"
#include "tests/kernels/emulation/planted/mbarrier.h"
#include "tests/kernels/emulation/planted/memory.h"
#include "tests/kernels/emulation/planted/multicast.h"
#include "tests/kernels/emulation/planted/warp_calls.h"
#include "tests/kernels/emulation/planted/warpgroups.h"
#include "tests/kernels/emulation/planted/wgmma.h"

namespace yolocu::testing {
namespace {

using emulation::AsyncDelivery;
using emulation::EmulatedBuffer;
using emulation::EmulatedDevice;

std::vector<PlantedBug> planted_bugs() {
  std::vector<PlantedBug> all;
  for (const auto& topic : {barrier_bugs(), warp_call_bugs(), async_bugs(), memory_bugs(),
                            mbarrier_bugs(), cluster_bugs(), bulk_copy_bugs(), multicast_bugs(),
                            wgmma_bugs(), warpgroup_bugs(), matrix_bugs()}) {
    all.insert(all.end(), topic.begin(), topic.end());
  }
  return all;
}

TensorMapSpec words_map(void* address) {
  return {.type = MapType::kI32,
          .rank = 2,
          .address = address,
          .size = {32, 4},
          .stride_bytes = {0, 128},
          .box = {32, 4}};
}

TensorMapSpec tile_map(void* address) {
  return {.swizzle = Swizzle::k128B,
          .rank = 2,
          .address = address,
          .size = {64, 64},
          .stride_bytes = {0, 128},
          .box = {64, 64}};
}

TensorMapSpec pixels_map(void* address) {
  return {.mode = MapMode::kIm2col,
          .swizzle = Swizzle::k128B,
          .rank = 4,
          .address = address,
          .size = {64, 8, 8, 1},
          .stride_bytes = {0, 128, 1024, 8192},
          .box = {64},
          .pixels = 8,
          .lower = {-1, -1},
          .upper = {-1, -1}};
}

// What a kernel left: its error, or its result.
struct Ran {
  Status status;
  std::vector<int> out;
};

Status launch(EmulatedDevice& device, const AnyPlantedKernel& kernel, const PlantedBug& bug,
              emulation::EmulatedBuffer<int>& out) {
  auto in = filled_buffer(device, count_up<int>(128, 0), "in");
  if (const auto* plain = std::get_if<PlantedKernel>(&kernel)) {
    return device.launch(named_kernel(bug.name, *plain), bug.config, Out(out.data()),
                         In(in.data()));
  }
  auto tile = filled_buffer(device, std::vector<uint16_t>(64 * 64, 0x3C00), "tile");
  PlantedMaps maps;
  YOLOCU_ASSIGN_OR_RETURN(maps.words, device::make_tensor_map(words_map(in.data())));
  YOLOCU_ASSIGN_OR_RETURN(maps.result, device::make_tensor_map(words_map(out.data())));
  YOLOCU_ASSIGN_OR_RETURN(maps.tile, device::make_tensor_map(tile_map(tile.data())));
  YOLOCU_ASSIGN_OR_RETURN(maps.pixels, device::make_tensor_map(pixels_map(tile.data())));
  return device.launch(named_kernel(bug.name, std::get<PlantedMapKernel>(kernel)), bug.config,
                       Out(out.data()), In(in.data()), maps);
}

Ran run(EmulatedDevice& device, const AnyPlantedKernel& kernel, const PlantedBug& bug) {
  auto out = make_buffer<int>(device, 128, "out");
  Status status = launch(device, kernel, bug, out);
  return {std::move(status), out.download().value()};
}

bool is_expected(const PlantedBug& bug, const Status& status) {
  if (status.ok()) return false;
  // Every report names the kernel, the thread and the line.
  for (const char* part : {bug.name, "thread (", "tests/kernels/emulation/planted/"}) {
    if (status.message().find(part) == std::string::npos) return false;
  }
  for (const char* report : bug.reports) {
    if (status.message().find(report) != std::string::npos) return true;
  }
  return false;
}

// How many seeds: YOLOCU_EMULATION_SEEDS, or 10.
uint64_t seeds() {
  const char* wanted = std::getenv("YOLOCU_EMULATION_SEEDS");
  const long count = wanted == nullptr ? 0 : std::strtol(wanted, nullptr, 10);
  return count > 0 ? static_cast<uint64_t>(count) : 10;
}

constexpr AsyncDelivery kDeliveries[] = {AsyncDelivery::kLate, AsyncDelivery::kEarly};

struct Outcome {
  int missed = 0, alarms = 0;
};

Outcome try_seeds(const PlantedBug& bug) {
  constexpr int kMostReports = 3;  // of a bug; the rest is counted
  // A device remembers the buffers that were released, and a launch looks at all of them.
  constexpr uint64_t kSeedsPerDevice = 20;
  Outcome outcome;
  std::vector<int> first;  // result of the twin, which no order may change
  std::optional<EmulatedDevice> device;
  for (uint64_t seed = 1; seed <= seeds(); ++seed) {
    if (seed % kSeedsPerDevice == 1) device.emplace();
    for (const AsyncDelivery delivery : kDeliveries) {
      device->options() = {.seed = seed, .delivery = delivery};
      const auto where = [&] {
        return ::testing::Message() << bug.name << " seed " << seed
                                    << (delivery == AsyncDelivery::kLate ? " late" : " early");
      };
      const Status wrong = run(*device, bug.wrong, bug).status;
      if (!is_expected(bug, wrong) && ++outcome.missed <= kMostReports) {
        ADD_FAILURE() << where() << ": " << wrong.message();
      }
      Ran right = run(*device, bug.right, bug);
      if (first.empty()) first = right.out;
      if (right.status.ok() && right.out == first) continue;
      if (++outcome.alarms > kMostReports) continue;
      ADD_FAILURE() << "twin of " << where() << ": "
                    << (right.status.ok() ? "not the result of the first seed"
                                          : right.status.message());
    }
  }
  return outcome;
}

TEST(PlantedBugs, AreCaughtAndTheirTwinsAreNot) {
  const std::vector<PlantedBug> bugs = planted_bugs();
  std::atomic<size_t> next = 0, caught = 0;
  std::atomic<int> alarms = 0;
  {
    std::vector<std::jthread> threads;  // devices share nothing
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
      threads.emplace_back([&] {
        for (size_t bug = next++; bug < bugs.size(); bug = next++) {
          const Outcome outcome = try_seeds(bugs[bug]);
          caught += outcome.missed == 0 ? 1 : 0;
          alarms += outcome.alarms;
        }
      });
    }
  }
  std::cout << "planted bugs: " << caught << " of " << bugs.size() << " caught; twins: " << alarms
            << " alarms in " << seeds() << " seeds\n";
  EXPECT_EQ(caught, bugs.size());
  EXPECT_EQ(alarms, 0);
}

// What the races check sees is not all that keeps a late copy from going unnoticed.
TEST(PlantedBugs, LateCopiesArePoisonWithoutTheRaceCheck) {
  EmulatedDevice device({.races = emulation::RaceCheck::kOff});
  auto in = filled_buffer(device, count_up<int>(128, 0), "in");
  auto out = make_buffer<int>(device, 128, "out");
  const PlantedKernel kernel = async_copy<Version::kWrong, Async::kPendingTooMany>;
  const Status status =
      device.launch(named_kernel("late", kernel), {.block = {128}, .shared_bytes = 1024},
                    Out(out.data()), In(in.data()));
  // It ran to its end: only what it left in flight there is said.
  EXPECT_NE(status.message().find("never waited for"), std::string::npos) << status.message();
  const auto result = out.download().value();
  EXPECT_EQ(std::count(result.begin(), result.end(), 5), 0) << "no copied value may be seen";
}

// Needs the host's part: a kernel that outlives its buffer.
TEST(PlantedBugs, UseAfterReleaseIsNamed) {
  EmulatedDevice device;
  const int* dangling = nullptr;
  {
    auto in = filled_buffer(device, count_up<int>(128, 0), "gone");
    dangling = in.data();
  }
  auto out = make_buffer<int>(device, 128, "out");
  const PlantedKernel kernel = missing_sync_warp<Version::kRight>;
  const Status status =
      device.launch(named_kernel("late_read", kernel), {.block = {128}, .shared_bytes = 1024},
                    Out(out.data()), In(dangling));
  EXPECT_NE(status.message().find("global read of 'gone' after it was released"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace yolocu::testing

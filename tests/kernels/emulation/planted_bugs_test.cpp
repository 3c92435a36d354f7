// Every planted error must be reported for every seed, early and late; the same kernel without it
// must never be.
#include <cstdlib>
#include <iostream>

#include "tests/kernels/emulation/planted_kernels.h"

namespace yolocu::testing {
namespace {

using emulation::AsyncDelivery;
using emulation::EmulatedDevice;

// `reports`: one of these must be part of the message, as the order decides which is seen first.
struct PlantedBug {
  const char* name;
  PlantedKernel wrong, right;
  std::vector<const char*> reports;
};

#define PLANTED(kernel, ...)                                         \
  {                                                                  \
#kernel, kernel < Version::kWrong>, kernel < Version::kRight>, { \
      __VA_ARGS__                                                    \
    }                                                                \
  }
#define PLANTED_ASYNC(error, ...)                                    \
  {                                                                  \
    "async_copy " #error, async_copy<Version::kWrong, Async::error>, \
        async_copy<Version::kRight, Async::error>, {                 \
      __VA_ARGS__                                                    \
    }                                                                \
  }

const std::vector<PlantedBug>& planted_bugs() {
  static const std::vector<PlantedBug> kBugs = {
      PLANTED(missing_block_barrier, "uninitialised shared", "race: "),
      PLANTED(write_after_read, "race: "),
      PLANTED(overwrite_of_one_word, "race: "),
      PLANTED(race_between_warps, "race: "),
      PLANTED(missing_sync_warp, "uninitialised shared", "race: "),
      PLANTED(shuffle_instead_of_sync_warp, "race: "),
      PLANTED(divergent_barrier, "divergent barrier"),
      PLANTED(barrier_with_exited_warp, "deadlock"),
      PLANTED(named_barrier_short, "deadlock"),
      PLANTED(barrier_counts_differ, "barrier 1 waits for"),
      PLANTED(half_warps_at_barrier, "divergent barrier: only 16 lanes"),
      PLANTED(store_after_arrive, "uninitialised shared", "race: "),
      PLANTED(divergent_mask, "divergent warp call"),
      PLANTED(divergent_shuffle, "divergent warp call"),
      PLANTED(shuffle_from_outside_mask, "which takes no part"),
      PLANTED(vote_with_exited_lane, "deadlock"),
      PLANTED_ASYNC(kNoWait, "in flight"),
      PLANTED_ASYNC(kNoCommit, "in flight"),
      PLANTED_ASYNC(kPendingTooMany, "in flight"),
      PLANTED_ASYNC(kNoBarrier, "uninitialised shared", "race: ", "in flight"),
      PLANTED_ASYNC(kNeverWaited, "never waited for"),
      PLANTED(async_misaligned_source, "misaligned asynchronous copy"),
      PLANTED(global_read_out_of_bounds,
              "global read out of bounds: 4 bytes at offset 512 of 'in'"),
      PLANTED(global_write_out_of_bounds, "global write out of bounds"),
      PLANTED(misaligned_vector_load, "misaligned global read"),
      PLANTED(shared_out_of_bounds, "shared memory out of bounds"),
      PLANTED(misaligned_shared_store, "misaligned shared access"),
      PLANTED(uninitialised_shared_read, "uninitialised shared memory is read"),
      PLANTED(uninitialised_global_read, "uninitialised memory"),
  };
  return kBugs;
}

Status run(EmulatedDevice& device, PlantedKernel kernel, const char* name) {
  auto in = filled_buffer(device, count_up<int>(128, 0), "in");
  auto out = make_buffer<int>(device, 128, "out");
  return device.launch(named_kernel(name, kernel), {.block = {128}, .shared_bytes = 1024},
                       Out(out.data()), In(in.data()));
}

bool is_expected(const PlantedBug& bug, const Status& status) {
  if (status.ok()) return false;
  // Every report names the kernel, the thread and the line.
  for (const char* part : {bug.name, "thread (", "tests/kernels/emulation/planted_kernels.h:"}) {
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

TEST(PlantedBugs, AreCaughtAndTheirTwinsAreNot) {
  EmulatedDevice device;
  size_t caught = 0, alarms = 0;
  for (const PlantedBug& bug : planted_bugs()) {
    size_t missed = 0;
    for (uint64_t seed = 1; seed <= seeds(); ++seed) {
      for (const AsyncDelivery delivery : kDeliveries) {
        device.options() = {.seed = seed, .delivery = delivery};
        const Status wrong = run(device, bug.wrong, bug.name);
        if (!is_expected(bug, wrong)) {
          ++missed;
          ADD_FAILURE() << bug.name << " seed " << seed << ": " << wrong.message();
        }
        const Status right = run(device, bug.right, bug.name);
        if (!right.ok()) {
          ++alarms;
          ADD_FAILURE() << "twin of " << bug.name << " seed " << seed << ": " << right.message();
        }
      }
    }
    caught += missed == 0 ? 1 : 0;
  }
  std::cout << "planted bugs: " << caught << " of " << planted_bugs().size()
            << " caught; twins: " << alarms << " alarms in " << seeds() << " seeds\n";
  EXPECT_EQ(caught, planted_bugs().size());
  EXPECT_EQ(alarms, 0u);
}

// What the races check sees is not all that keeps a late copy from going unnoticed.
TEST(PlantedBugs, LateCopiesArePoisonWithoutTheRaceCheck) {
  EmulatedDevice device({.races = emulation::RaceCheck::kOff});
  auto in = filled_buffer(device, count_up<int>(128, 0), "in");
  auto out = make_buffer<int>(device, 128, "out");
  const PlantedKernel kernel = async_copy<Version::kWrong, Async::kPendingTooMany>;
  static_cast<void>(device.launch(named_kernel("late", kernel),
                                  {.block = {128}, .shared_bytes = 1024}, Out(out.data()),
                                  In(in.data())));
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

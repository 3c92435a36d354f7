// Planted errors in how blocks and grids are ordered: each must be reported for every seed, on one
// and on two host threads; the same kernel without it must never be.
#include <cstdlib>
#include <iostream>

#include "tests/kernels/emulation/planted_sync_kernels.h"

namespace yolocu::testing {
namespace {

using emulation::EmulatedDevice;

// `reports`: one of these must be part of the message.
struct PlantedSyncBug {
  const char* name;
  SyncKernel wrong, right;
  std::vector<const char*> reports;
  StartRule start = StartRule::kAfterPrevious;
};

constexpr SyncVersion kWrong = SyncVersion::kWrong, kRight = SyncVersion::kRight;
constexpr const char* kRace = "race on global memory: byte ";
constexpr const char* kUnwritten = "uninitialised memory";
constexpr const char* kEarly = "before wait_for_prior_grids: byte ";

template <Missing kMissing>
PlantedSyncBug message_bug(const char* name) {
  return {name, message<kWrong, kMissing>, message<kRight, kMissing>, {kRace}};
}

template <Order kOrder>
PlantedSyncBug split_sum_bug(const char* name) {
  return {name, split_sum<kWrong, kOrder>, split_sum<kRight, kOrder>, {kRace}};
}

template <Order kAcquiring, Order kReleasing>
PlantedSyncBug lock_bug(const char* name) {
  return {name,
          sum_under_lock<kWrong, kAcquiring, kReleasing>,
          sum_under_lock<kRight, kAcquiring, kReleasing>,
          {kRace}};
}

std::vector<PlantedSyncBug> message_bugs() {
  return {
      message_bug<Missing::kRelease>("missing_release"),
      message_bug<Missing::kAcquire>("missing_acquire"),
      message_bug<Missing::kReleaseFence>("missing_fence_of_sender"),
      message_bug<Missing::kAcquireFence>("missing_fence_of_receiver"),
      message_bug<Missing::kFenceAfterRead>("fence_before_the_read"),
      message_bug<Missing::kRmwAcquire>("release_instead_of_acquire"),
      {"release_before_block_barrier",
       release_before_block_barrier<kWrong>,
       release_before_block_barrier<kRight>,
       {kRace, kUnwritten}},
      {"acquire_without_block_barrier",
       acquire_without_block_barrier<kWrong>,
       acquire_without_block_barrier<kRight>,
       {kRace, kUnwritten}},
      {"write_after_release", write_after_release<kWrong>, write_after_release<kRight>, {kRace}},
      {"flag_by_plain_store", flag_by_plain_store<kWrong>, flag_by_plain_store<kRight>, {kRace}},
  };
}

std::vector<PlantedSyncBug> block_bugs() {
  return {
      {"blocks_write_one_word",
       blocks_write_one_word<kWrong>,
       blocks_write_one_word<kRight>,
       {kRace}},
      {"read_of_the_next_block",
       read_of_the_next_block<kWrong>,
       read_of_the_next_block<kRight>,
       {kRace}},
      {"plain_sum_beside_atomics",
       plain_sum_beside_atomics<kWrong>,
       plain_sum_beside_atomics<kRight>,
       {kRace}},
      split_sum_bug<Order::kRelaxed>("split_sum_relaxed"),
      split_sum_bug<Order::kRelease>("split_sum_release_only"),
      split_sum_bug<Order::kAcquire>("split_sum_acquire_only"),
      lock_bug<Order::kRelaxed, Order::kRelease>("lock_without_acquire"),
      lock_bug<Order::kAcquire, Order::kRelaxed>("unlock_without_release"),
      {"grid_barrier_without_block_barrier",
       grid_barrier_without_block_barrier<kWrong>,
       grid_barrier_without_block_barrier<kRight>,
       {kRace, kUnwritten}},
      {"flag_never_set",
       flag_never_set<kWrong>,
       flag_never_set<kRight>,
       {"1 threads (0) poll byte 4 of 'flags', which is 0, tests/"}},
  };
}

std::vector<PlantedSyncBug> grid_bugs() {
  constexpr StartRule kOverlap = StartRule::kOverlapPrevious;
  return {
      {"read_before_prior_grids",
       read_before_prior_grids<kWrong>,
       read_before_prior_grids<kRight>,
       {kEarly},
       kOverlap},
      {"write_before_prior_grids",
       write_before_prior_grids<kWrong>,
       write_before_prior_grids<kRight>,
       {kEarly},
       kOverlap},
      {"atomic_before_prior_grids",
       atomic_before_prior_grids<kWrong>,
       atomic_before_prior_grids<kRight>,
       {kEarly},
       kOverlap},
      {"async_copy_before_prior_grids",
       async_copy_before_prior_grids<kWrong>,
       async_copy_before_prior_grids<kRight>,
       {kEarly},
       kOverlap},
      {"no_wait_for_prior_grids",
       no_wait_for_prior_grids<kWrong>,
       no_wait_for_prior_grids<kRight>,
       {"no thread of it called wait_for_prior_grids"},
       kOverlap},
      {"prior_grids_for_one_warp",
       prior_grids_for_one_warp<kWrong>,
       prior_grids_for_one_warp<kRight>,
       {kEarly},
       kOverlap},
  };
}

YOLOCU_KERNEL copy_to_data(Ints out, Ints data) {
  const uint32_t i = block_rank() * 64 + thread_of_block();
  data.store(i, out.load(i));
}

Status run(EmulatedDevice& device, const PlantedSyncBug& bug, SyncKernel kernel) {
  auto out = filled_buffer(device, std::vector<int>(256, 5), "out");
  auto data = make_buffer<int>(device, 256, "data");
  auto flags = zero_words(device, 16, "flags");
  LaunchConfig config = {.grid = {4}, .block = {64}, .shared_bytes = 256};
  if (bug.start == StartRule::kOverlapPrevious) {
    YOLOCU_RETURN_IF_ERROR(device.launch(named_kernel("copy_to_data", copy_to_data), config,
                                         Ints(out.data()), Ints(data.data())));
  }
  config.start = bug.start;
  return device.launch(named_kernel(bug.name, kernel), config, Ints(out.data()), Ints(data.data()),
                       Words(flags.data()));
}

bool is_expected(const PlantedSyncBug& bug, const Status& status) {
  if (status.ok()) return false;
  for (const char* part : {bug.name, "thread ("}) {
    if (status.message().find(part) == std::string::npos) return false;
  }
  return std::any_of(bug.reports.begin(), bug.reports.end(), [&](const char* report) {
    return status.message().find(report) != std::string::npos;
  });
}

// How many seeds: YOLOCU_EMULATION_SEEDS, or 10.
uint64_t seeds() {
  const char* wanted = std::getenv("YOLOCU_EMULATION_SEEDS");
  const long count = wanted == nullptr ? 0 : std::strtol(wanted, nullptr, 10);
  return count > 0 ? static_cast<uint64_t>(count) : 10;
}

std::vector<PlantedSyncBug> planted_sync_bugs() {
  std::vector<PlantedSyncBug> bugs = message_bugs();
  for (const auto& part : {block_bugs(), grid_bugs()}) {
    bugs.insert(bugs.end(), part.begin(), part.end());
  }
  return bugs;
}

TEST(PlantedSyncBugs, AreCaughtAndTheirTwinsAreNot) {
  EmulatedDevice device;
  size_t caught = 0, alarms = 0;
  const auto bugs = planted_sync_bugs();
  for (const PlantedSyncBug& bug : bugs) {
    size_t missed = 0;
    for (uint64_t seed = 1; seed <= seeds(); ++seed) {
      for (const int workers : {1, 2}) {
        // Both deliveries with both numbers of workers, over two seeds.
        const bool early = (seed + static_cast<uint64_t>(workers)) % 2 == 0;
        device.options() = {
            .seed = seed,
            .delivery = early ? emulation::AsyncDelivery::kEarly : emulation::AsyncDelivery::kLate,
            .workers = workers};
        const Status wrong = run(device, bug, bug.wrong);
        if (!is_expected(bug, wrong)) {
          ++missed;
          ADD_FAILURE() << bug.name << " seed " << seed << " workers " << workers << ": "
                        << wrong.message();
        }
        const Status right = run(device, bug, bug.right);
        if (!right.ok()) {
          ++alarms;
          ADD_FAILURE() << "twin of " << bug.name << " seed " << seed << " workers " << workers
                        << ": " << right.message();
        }
      }
    }
    caught += missed == 0 ? 1 : 0;
  }
  std::cout << "planted bugs: " << caught << " of " << bugs.size() << " caught; twins: " << alarms
            << " alarms in " << seeds() << " seeds\n";
  EXPECT_EQ(caught, bugs.size());
  EXPECT_EQ(alarms, 0u);
}

}  // namespace
}  // namespace yolocu::testing

#include "kernels/emulation/launch_work.h"

#include <algorithm>
#include <numeric>

#include "engine/base/str_cat.h"
#include "kernels/emulation/report.h"

namespace yolocu::emulation {
namespace {

// A deadlock is taken for granted after 1,000 tries in which all did nothing but poll, or after
// 10,000 if some did other things that leave global memory unchanged: a loop that looks at a word
// now and then may come to an end by itself.
constexpr int kMostInVain = 10000;
constexpr int kWeightOfPolling = 10;
constexpr size_t kBlocksNamed = 8;  // in a deadlock's report

}  // namespace

uint64_t volume(const Index3& extent) {
  return uint64_t{extent.x} * extent.y * extent.z;
}

Index3 clusters_of(const Launch& launch) {
  return {launch.grid.x / launch.cluster.x, launch.grid.y / launch.cluster.y,
          launch.grid.z / launch.cluster.z};
}

ClusterOrder::ClusterOrder(Index3 grid, uint64_t seed) : grid_(grid), count_(volume(grid)) {
  Random random(seed);
  first_ = random.next() % count_;
  do {
    step_ = 1 + random.next() % count_;
  } while (std::gcd(step_, count_) != 1);
}

LaunchWork::LaunchWork(const Launch& launch, uint64_t workers, size_t residents_of_each)
    : launch_(launch),
      order_(clusters_of(launch), launch.options.seed),
      workers_(workers),
      residents_of_each_(residents_of_each),
      active_(workers) {}

std::optional<LaunchWork::Next> LaunchWork::take() {
  const uint64_t i = next_++;
  if (i >= order_.count()) return {};
  const uint64_t number = order_.cluster(i);
  const Index3 index = order_.index(number);
  return Next{
      static_cast<uint32_t>(number),
      {index.x * launch_.cluster.x, index.y * launch_.cluster.y, index.z * launch_.cluster.z}};
}

void LaunchWork::enter(const Residents& residents) {
  const std::scoped_lock lock(mutex_);
  residents_.push_back(&residents);
}

void LaunchWork::leave(const Residents& residents) {
  {
    const std::scoped_lock lock(mutex_);
    std::erase(residents_, &residents);
    --active_;
    for (const auto& resident : residents) counters_.add(resident->cluster.counters);
  }
  launch_.state->note_progress();  // the others may be all that are left
}

void LaunchWork::stop_with(Status status) {
  {
    const std::scoped_lock lock(mutex_);
    if (status_.ok()) status_ = std::move(status);
    stop_ = true;
  }
  launch_.state->note_progress();
}

void LaunchWork::wait_for_progress(uint64_t seen, Conduct conduct) {
  if (are_all_idle(seen, conduct)) return try_again(seen);
  launch_.state->progress.wait(seen);
}

// Counts the caller as idle. If it is the last one, nobody is left to move `progress`.
bool LaunchWork::are_all_idle(uint64_t seen, Conduct conduct) {
  const std::scoped_lock lock(mutex_);
  if (launch_.state->progress != seen) return false;
  if (idle_ == 0 || idle_at_ != seen) {
    idle_at_ = seen;
    idle_ = 0;
    conduct_ = Conduct::kOnlyPolled;
  }
  if (conduct == Conduct::kOther) conduct_ = Conduct::kOther;
  return ++idle_ == active_;
}

void LaunchWork::try_again(uint64_t seen) {
  if (seen != tried_at_) in_vain_ = 0;
  in_vain_ += conduct_ == Conduct::kOnlyPolled ? kWeightOfPolling : 1;
  if (in_vain_ >= kMostInVain) return stop_with(deadlock());
  tried_at_ = seen + 1;
  launch_.state->note_progress();
}

// Every worker waits, so that their clusters can be looked at.
Status LaunchWork::deadlock() const {
  Violation violation;
  std::vector<std::string> blocks;
  for (const Residents* residents : residents_) {
    for (const auto& resident : *residents) {
      if (!resident->is_running) continue;
      const Thread& waiting = resident->cluster.waiting_thread();
      if (blocks.empty()) {
        violation = {"", waiting.block->index, waiting.index, waiting.wait.site};
      }
      blocks.push_back(str_cat("block ", index_text(resident->cluster.blocks[0].index), ": ",
                               resident->cluster.waiting_text()));
    }
  }
  violation.what = "deadlock, no thread can run: ";
  for (size_t i = 0; i < std::min(blocks.size(), kBlocksNamed); ++i) {
    violation.what += str_cat(i == 0 ? "" : "; ", blocks[i]);
  }
  if (blocks.size() > kBlocksNamed) {
    violation.what += str_cat("; and ", blocks.size() - kBlocksNamed, " more");
  }
  return unavailable(violation_text(launch_.name, violation) + missing_blocks_text());
}

std::string LaunchWork::missing_blocks_text() const {
  const uint64_t begun = std::min(next_.load(), order_.count());
  if (begun == order_.count()) return {};
  return str_cat(
      "; ", (order_.count() - begun) * volume(launch_.cluster),
      " blocks are not resident; the kernel needs more than workers x resident_blocks = ", workers_,
      " x ", residents_of_each_);
}

}  // namespace yolocu::emulation

#include "kernels/emulation/worker.h"

#include <algorithm>
#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu::emulation {
namespace {

using Conduct = LaunchWork::Conduct;

// While others could go on, a further cluster is begun in 1 of this many choices: they may wait for
// it and yet never stand still.
constexpr uint32_t kChoicesPerStart = 8;
constexpr uint64_t kNothingSeen = UINT64_MAX;

// Grows when a cluster changes what threads that poll may see.
int64_t changes_of(const Cluster& cluster) {
  return cluster.counters.global_written_bytes - cluster.polled_written_bytes +
         cluster.counters.mbarrier_phases;
}

// Grows when a cluster does anything that is counted, but for polls.
int64_t acts_of(const Cluster& cluster) {
  const Counters& counters = cluster.counters;
  return changes_of(cluster) + counters.global_read_bytes - cluster.polled_read_bytes +
         counters.block_barriers + counters.cluster_barriers + counters.tensor_flops;
}

}  // namespace

size_t Worker::running() const {
  return static_cast<size_t>(std::count_if(residents_.begin(), residents_.end(),
                                           [](const auto& r) { return r->is_running; }));
}

StackPool* Worker::more_stacks() {
  if (residents_.empty()) return &stacks_;
  return &more_stacks_.emplace_back();
}

// nullptr if there is none.
Resident* Worker::free_place() {
  for (const auto& resident : residents_) {
    if (!resident->is_running) return resident.get();
  }
  if (is_full_ || residents_.size() >= work_.residents_of_each()) return nullptr;
  const Launch& launch = work_.launch();
  StackPool* stacks = more_stacks();
  if (stacks->reserve(Cluster::thread_count(launch))) {
    return residents_.emplace_back(std::make_unique<Resident>(launch, *stacks)).get();
  }
  is_full_ = true;
  if (residents_.empty()) {
    work_.stop_with(
        resource_exhausted(str_cat("kernel ", launch.name, ": no room for the emulated stacks")));
  }
  return nullptr;
}

Resident* Worker::start_next() {
  Resident* resident = free_place();
  if (resident == nullptr) return nullptr;
  const auto next = work_.take();
  if (!next) return nullptr;
  const Launch& launch = work_.launch();
  resident->cluster.start(next->number, next->first_block, launch.options.seed + next->number);
  resident->is_running = true;
  launch.state->note_progress();
  return resident;
}

// Whoever may find something new, or a cluster that begins; nullptr: all must wait.
Resident* Worker::pick(uint64_t progress) {
  std::vector<Resident*> ready;
  for (const auto& resident : residents_) {
    if (resident->is_running && resident->seen != progress) ready.push_back(resident.get());
  }
  if (ready.empty() || random_.below(kChoicesPerStart) == 0) {
    if (Resident* started = start_next()) return started;
  }
  if (ready.empty()) return nullptr;
  return ready[random_.below(static_cast<uint32_t>(ready.size()))];
}

void Worker::step(Resident& resident, uint64_t progress) {
  Cluster& cluster = resident.cluster;
  const int64_t changes = changes_of(cluster), acts = acts_of(cluster);
  const Cluster::Progress outcome = cluster.resume();
  resident.seen = outcome == Cluster::Progress::kYielding ? kNothingSeen : progress;
  if (acts_of(cluster) != acts) conduct_ = Conduct::kOther;
  if (outcome == Cluster::Progress::kFinished) {
    resident.is_running = false;
    if (const auto& violation = cluster.violation()) {
      work_.stop_with(unavailable(violation_text(work_.launch().name, *violation)));
    }
  } else if (changes_of(cluster) == changes) {
    return;
  }
  work_.launch().state->note_progress();
}

void Worker::run() {
  work_.enter(residents_);
  while (!work_.is_stopped()) {
    const uint64_t progress = work_.launch().state->progress;
    if (Resident* next = pick(progress)) {
      step(*next, progress);
    } else if (running() > 0) {
      work_.wait_for_progress(progress, std::exchange(conduct_, Conduct::kOnlyPolled));
    } else {
      break;
    }
  }
  for (const auto& resident : residents_) {
    if (resident->is_running) resident->cluster.abandon();
  }
  work_.leave(residents_);
}

}  // namespace yolocu::emulation

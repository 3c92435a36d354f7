#include "engine/cpu/threads.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>
#include <thread>

namespace yolocu::cpu {
namespace {

// Sleeping threads cost some kilobytes each; on larger machines spinning hurts less.
constexpr int kMaxSleepingThreads = 65;

int affinity_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  // More processors than the set holds.
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Processors that quota microseconds a period are worth, rounded up; no limit if there is no quota.
int processors_of_quota(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp((quota + period - 1) / period, 1.0, 1e6));
}

// Control groups of version 2 ("200000 100000", or "max 100000"), then of version 1.
int quota_processors() {
  double quota = 0;
  double period = 0;
  if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file) {
    file >> quota >> period;
    return file ? processors_of_quota(quota, period) : std::numeric_limits<int>::max();
  }
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  return processors_of_quota(quota, period);
}

}  // namespace

int usable_processors() {
  return std::max(1, std::min(affinity_processors(), quota_processors()));
}

int choose_threads(int wish) {
  const int usable = usable_processors();
  return wish > 0 ? std::min(wish, usable) : usable;
}

ThreadScope::ThreadScope(int threads) : previous_(omp_get_max_threads()) {
  omp_set_num_threads(threads);
}

ThreadScope::~ThreadScope() {
  omp_set_num_threads(previous_);
}

std::shared_ptr<SleepingTeam> SleepingTeam::share() {
  static std::mutex mutex;
  static std::weak_ptr<SleepingTeam> shared;
  const std::lock_guard lock(mutex);
  std::shared_ptr<SleepingTeam> team = shared.lock();
  if (team == nullptr) {
    team = std::make_shared<SleepingTeam>();
    shared = team;
  }
  return team;
}

SleepingTeam::SleepingTeam() : owner_(getpid()) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  // libgomp counts the sleeping threads but their leader, and one working thread at least.
  const int threads = omp_get_num_procs() + 1;
  if (threads > kMaxSleepingThreads) return;
  try {
    leader_ = std::thread([this, threads] { sleep(threads); });
  } catch (const std::system_error&) {  // pictures only take longer without it
  }
}

SleepingTeam::~SleepingTeam() {
  if (!leader_.joinable()) return;
  if (getpid() != owner_) {  // the child of a fork has no such thread
    leader_.detach();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  end_.notify_all();
  leader_.join();
}

void SleepingTeam::sleep(int threads) {
#pragma omp parallel num_threads(threads)
  {
    std::unique_lock lock(mutex_);
    end_.wait(lock, [this] { return ending_; });
  }
}

}  // namespace yolocu::cpu

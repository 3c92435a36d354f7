#include "engine/cpu/threads.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <thread>

namespace yolocu::cpu {
namespace {

// Sleeping threads cost some kilobytes each; on larger machines spinning hurts less.
constexpr int kMaxSleepingThreads = 65;

}  // namespace

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

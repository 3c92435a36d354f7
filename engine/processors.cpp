#include "engine/processors.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <thread>

namespace yolocu {
namespace {

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

}  // namespace yolocu

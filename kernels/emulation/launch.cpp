#include "kernels/emulation/launch.h"

#include <atomic>
#include <mutex>
#include <numeric>
#include <thread>

#include "engine/base/str_cat.h"
#include "kernels/emulation/block.h"

namespace yolocu::emulation {
namespace {

// Blocks in an order drawn from the seed: i -> (first + i * step) mod count, with a step that has
// no divisor in common with count, visits each once.
class BlockOrder {
 public:
  BlockOrder(Index3 grid, uint64_t seed)
      : grid_(grid), count_(uint64_t{grid.x} * grid.y * grid.z), random_(seed) {
    first_ = random_.next() % count_;
    do {
      step_ = 1 + random_.next() % count_;
    } while (std::gcd(step_, count_) != 1);
  }

  uint64_t count() const { return count_; }
  // Number of the i-th block to run. A grid has fewer than 2^63 blocks; those of more than 2^32
  // run in order.
  uint64_t block(uint64_t i) const {
    return count_ > UINT32_MAX ? i : (first_ + i % count_ * step_) % count_;
  }
  Index3 index(uint64_t block) const {
    return {static_cast<uint32_t>(block % grid_.x),
            static_cast<uint32_t>(block / grid_.x % grid_.y),
            static_cast<uint32_t>(block / grid_.x / grid_.y)};
  }

 private:
  Index3 grid_;
  uint64_t count_, first_, step_;
  Random random_;
};

// What the workers of one launch share.
struct Work {
  const Launch& launch;
  BlockOrder order;
  std::atomic<uint64_t> next = 0;
  std::atomic<bool> stop = false;
  std::mutex mutex;  // guards the rest
  Status status = {};
  Counters counters = {};
};

void stop_with(Work& work, Status status) {
  const std::scoped_lock lock(work.mutex);
  if (work.status.ok()) work.status = std::move(status);
  work.stop = true;
}

void run_blocks(Work& work, StackPool& stacks) {
  const Launch& launch = work.launch;
  if (!stacks.reserve(size_t{launch.block.x} * launch.block.y * launch.block.z)) {
    return stop_with(work, resource_exhausted(str_cat("kernel ", launch.name,
                                                      ": no room for the emulated stacks")));
  }
  Block block(launch, stacks);
  while (!work.stop) {
    const uint64_t i = work.next++;
    if (i >= work.order.count()) break;
    const uint64_t number = work.order.block(i);
    const auto violation = block.run(work.order.index(number), launch.options.seed + number);
    if (violation) stop_with(work, unavailable(violation_text(launch.name, *violation)));
  }
  const std::scoped_lock lock(work.mutex);
  work.counters.add(block.counters);
}

Index3 to_index(const Extent3& extent) {
  return {static_cast<uint32_t>(extent.x), static_cast<uint32_t>(extent.y),
          static_cast<uint32_t>(extent.z)};
}

}  // namespace

Status EmulatedDevice::run(std::string_view name, const LaunchConfig& config,
                           std::function<void()> kernel) {
  YOLOCU_RETURN_IF_ERROR(check_launch_limits(name, config));
  const Launch launch{name,
                      to_index(config.grid),
                      to_index(config.block),
                      static_cast<uint32_t>(config.shared_bytes),
                      options_,
                      &memory_,
                      std::move(kernel)};
  Work work{.launch = launch, .order = BlockOrder(launch.grid, options_.seed), .mutex = {}};
  memory_.begin_launch();
  const uint64_t workers =
      std::min(static_cast<uint64_t>(std::max(options_.workers, 1)), work.order.count());
  while (stacks_.size() < workers) stacks_.push_back(std::make_unique<StackPool>());
  {
    std::vector<std::jthread> others;
    for (uint64_t i = 1; i < workers; ++i) {
      others.emplace_back([&work, &stacks = *stacks_[i]] { run_blocks(work, stacks); });
    }
    run_blocks(work, *stacks_[0]);
  }
  memory_.end_launch();
  counters_ = work.counters;
  return work.status;
}

}  // namespace yolocu::emulation

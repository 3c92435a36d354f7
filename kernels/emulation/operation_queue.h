// The asynchronous work of an emulated device: what waits for what, and in which order it runs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/emulation/random.h"
#include "yolocu/status.h"

namespace yolocu::emulation {

// Memory of the host that a copy reads or writes.
struct HostBytes {
  std::byte* begin = nullptr;
  size_t size = 0;

  bool overlaps(const HostBytes& other) const {
    return begin < other.begin + other.size && other.begin < begin + size;
  }
};

// One kernel, copy or fill. A graph's is run again by each launch.
struct Work {
  std::function<Status()> run;
  HostBytes reads = {}, writes = {};
};

// Work that was enqueued, or a mere point in a stream if there is none.
struct Operation {
  std::shared_ptr<const Work> work;
  std::vector<std::shared_ptr<Operation>> after;  // empty once it is done
  uint32_t lane = 0;                              // number of its stream
  bool is_done = false;
  std::chrono::steady_clock::time_point finished = {};
};

using OperationPtr = std::shared_ptr<Operation>;

// Nothing runs before somebody waits for it; then the seed draws one of the legal orders, such that
// one stream may run far ahead of another. Host memory that a pending copy will write is poison,
// unless a pending copy still reads it.
class OperationQueue {
 public:
  explicit OperationQueue(uint64_t seed) : random_(seed) {}

  // Elements of `after` may be nullptr.
  OperationPtr add(std::shared_ptr<const Work> work, std::vector<OperationPtr> after,
                   uint32_t lane);

  // Runs pending operations until `target` is done; with nullptr, until none is left. The first
  // error of one is returned, and drops all that are pending.
  Status run_until(const OperationPtr& target);

 private:
  size_t draw_ready();
  uint32_t priority(uint32_t lane) const;
  void poison(const HostBytes& bytes);
  void drop_all();

  std::vector<OperationPtr> pending_;  // in the order of their enqueuing
  Random random_;
  uint64_t turn_ = 0;  // gives every lane its priority, until the next one is drawn
};

}  // namespace yolocu::emulation

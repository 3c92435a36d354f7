#include "kernels/emulation/operation_queue.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace yolocu::emulation {
namespace {

constexpr int kPoison = 0xFF;  // as in device memory: NaN in every float type

bool is_ready(const Operation& operation) {
  return std::all_of(operation.after.begin(), operation.after.end(),
                     [](const OperationPtr& before) { return before->is_done; });
}

void finish(Operation& operation) {
  operation.is_done = true;
  operation.finished = std::chrono::steady_clock::now();
  operation.after.clear();
}

}  // namespace

OperationPtr OperationQueue::add(std::shared_ptr<const Work> work, std::vector<OperationPtr> after,
                                 uint32_t lane) {
  std::erase_if(after, [](const OperationPtr& before) { return !before || before->is_done; });
  if (work != nullptr) poison(work->writes);
  pending_.push_back(std::make_shared<Operation>(
      Operation{.work = std::move(work), .after = std::move(after), .lane = lane}));
  return pending_.back();
}

Status OperationQueue::run_until(const OperationPtr& target) {
  const auto is_over = [&] { return target ? target->is_done : pending_.empty(); };
  turn_ = random_.next();
  while (!is_over()) {
    const auto drawn = pending_.begin() + static_cast<std::ptrdiff_t>(draw_ready());
    const OperationPtr operation = *drawn;
    pending_.erase(drawn);
    const Status status = operation->work ? operation->work->run() : Status();
    finish(*operation);
    if (!status.ok()) {
      drop_all();
      return status;
    }
  }
  return {};
}

// Index of the ready operation whose lane comes first. There always is one: operations wait only
// for older ones.
size_t OperationQueue::draw_ready() {
  // Lanes seldom change places: most orders that betray a missing wait have one stream far ahead.
  constexpr uint32_t kOperationsPerTurn = 8;
  if (random_.below(kOperationsPerTurn) == 0) turn_ = random_.next();
  size_t first = pending_.size();
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (!is_ready(*pending_[i])) continue;
    const bool leads =
        first == pending_.size() || priority(pending_[i]->lane) > priority(pending_[first]->lane);
    if (leads) first = i;
  }
  assert(first < pending_.size() && "an operation waits for one that is not pending");
  return first;
}

uint32_t OperationQueue::priority(uint32_t lane) const {
  return Random(turn_ * 0x10001u + lane).next();
}

void OperationQueue::poison(const HostBytes& bytes) {
  if (bytes.size == 0) return;
  for (const OperationPtr& operation : pending_) {
    if (operation->work != nullptr && operation->work->reads.overlaps(bytes)) return;
  }
  std::memset(bytes.begin, kPoison, bytes.size);
}

void OperationQueue::drop_all() {
  for (const OperationPtr& operation : pending_) finish(*operation);
  pending_.clear();
}

}  // namespace yolocu::emulation

// Who waits where: the table of a deadlock's report.
#include <algorithm>
#include <map>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"

namespace yolocu::emulation {
namespace {

constexpr size_t kThreadsNamed = 8;  // of those that do the same

std::string barrier_text(const Thread& thread) {
  const Barrier& named = thread.block->barriers[thread.wait.detail];
  return str_cat("wait at barrier ", thread.wait.detail, " (", named.arrived, " of ",
                 named.expected, " came)");
}

std::string mbarrier_text(const Thread& thread) {
  const MBarrierState* barrier = thread.block->mbarriers.find(thread.wait.detail);
  if (barrier == nullptr) return "wait at an mbarrier that is gone";
  return str_cat("wait at the mbarrier at offset ", thread.wait.detail, " (phase ", barrier->phase,
                 ", ", barrier->pending, " arrivals and ", barrier->expected_bytes,
                 " bytes missing)");
}

std::string poll_text(const Thread& thread) {
  const Poll& poll = thread.poll;
  if (poll.word == nullptr || poll.site.line != thread.wait.site.line)
    return "look again and again";
  return str_cat("poll ", thread.cluster->launch.memory->place_of(poll.word), ", which is ",
                 poll.value);
}

std::string wait_text(const Thread& thread) {
  const Cluster& cluster = *thread.cluster;
  switch (thread.wait.kind) {
    case WaitKind::kBarrier: return barrier_text(thread);
    case WaitKind::kCollective:
    case WaitKind::kWarpOps: return "wait for other lanes";
    case WaitKind::kMBarrier: return mbarrier_text(thread);
    case WaitKind::kClusterBarrier:
      return str_cat("wait at the cluster's barrier (", cluster.cluster_barrier.arrived, " of ",
                     cluster.threads.size(), " came)");
    case WaitKind::kPoll: return poll_text(thread);
    case WaitKind::kExited: return "have exited";
    case WaitKind::kNone: break;
  }
  return "can run";
}

std::string threads_text(const std::vector<uint32_t>& ids) {
  std::string text = str_cat(ids.size(), " threads (");
  for (size_t i = 0; i < std::min(ids.size(), kThreadsNamed); ++i) {
    text += str_cat(i == 0 ? "" : ",", ids[i]);
  }
  return text + (ids.size() > kThreadsNamed ? ",..) " : ") ");
}

}  // namespace

std::string Cluster::waiting_text() const {
  std::map<std::string, std::vector<uint32_t>> groups;
  for (const Thread& thread : threads) {
    std::string what = wait_text(thread);
    if (thread.wait.kind != WaitKind::kExited && thread.wait.kind != WaitKind::kNone) {
      what += str_cat(", ", place_text(thread.wait.site));
    }
    groups[what].push_back(thread.id);
  }
  std::string text;
  for (const auto& [what, ids] : groups) {
    text += str_cat(text.empty() ? "" : "; ", threads_text(ids), what);
  }
  return text;
}

}  // namespace yolocu::emulation

#include "kernels/emulation/outside_use.h"

#include <algorithm>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"

namespace yolocu::emulation {
namespace {

Block& block_of_cluster(Thread& thread, uint32_t block_rank, CallSite site) {
  std::vector<Block>& blocks = thread.cluster->blocks;
  if (block_rank < blocks.size()) return blocks[block_rank];
  thread.cluster->fail(
      thread, site,
      str_cat("expected a block of the cluster in 0..", blocks.size() - 1, ", got ", block_rank));
}

}  // namespace

void OutsideUses::record(uint32_t number, uint32_t clock, CallSite site) {
  for (Use& use : uses_) {
    if (use.number != number) continue;
    use = {number, std::max(use.clock, clock), site};
    return;
  }
  uses_.push_back({number, clock, site});
}

void OutsideUses::clear(ClockPool& clocks) {
  uses_.clear();
  clocks.release(exited_);
  clocks.release(joined_);
  exited_ = joined_ = nullptr;
}

Block& block_for_use(Thread& thread, uint32_t block_rank, CallSite site) {
  Block& block = block_of_cluster(thread, block_rank, site);
  if (&block == thread.block) return block;
  if (thread.cluster_rounds == 0) {
    thread.cluster->fail(thread, site,
                         "access to another block of the cluster before any sync_cluster: the "
                         "block may not have started");
  }
  if (block.exited == block.thread_count) {
    thread.cluster->fail(
        thread, site, str_cat("access to block ", block_rank, " of the cluster after it exited"));
  }
  block.outside_uses.record(thread.id, thread.clock, site);
  return block;
}

void finish_outside_uses(Thread& thread) {
  Cluster& cluster = *thread.cluster;
  Block& block = *thread.block;
  OutsideUses& uses = block.outside_uses;
  if (uses.empty()) return;  // what comes later is after this exit, whatever the thread knew
  if (uses.exited_ == nullptr) uses.exited_ = cluster.clocks.create();
  if (uses.joined_ != thread.known) {
    join(*uses.exited_, *thread.known);
    cluster.clocks.share(uses.joined_, thread.known);
  }
  if (block.exited + 1 < block.thread_count) return;
  for (const OutsideUses::Use& use : uses.uses_) {
    if (use.clock <= uses.exited_->known[use.number]) continue;
    const bool is_load = use.number >= cluster.threads.size();
    cluster.fail(thread, use.site,
                 is_load
                     ? "the block exits with a bulk load that nobody in it waited for"
                     : str_cat("the block exits, and nothing orders this access of thread ",
                               use.number, " of the cluster before: a sync_cluster is missing"));
  }
}

}  // namespace yolocu::emulation

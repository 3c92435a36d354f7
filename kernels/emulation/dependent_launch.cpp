// Programmatic dependent launch. Grids run one after the other, so all that is left of a wait is
// that the thread, and whoever is ordered after it, may touch what earlier grids touched.
#include "kernels/emulation/cluster.h"

namespace yolocu::emulation {

void wait_for_prior_grids(CallSite) {
  Thread& thread = *running_thread;
  if (thread.known->prior_grids_are_over) return;
  if (thread.cluster->launch.start == StartRule::kAfterPrevious) return;
  ClockPool& clocks = thread.cluster->clocks;
  Clock* known = clocks.copy(*thread.known);
  known->prior_grids_are_over = true;
  clocks.share(thread.known, known);
  clocks.release(known);
}

void allow_next_grid(CallSite) {}

}  // namespace yolocu::emulation

// How many processors there are to use.
#pragma once

namespace yolocu {

// Processors that this process may use: its affinity mask, cut by the quota of its control group.
// At least 1.
int usable_processors();

// What a caller's wish comes to: 0 is all usable processors, and more than those are not used.
int choose_threads(int wish);

}  // namespace yolocu

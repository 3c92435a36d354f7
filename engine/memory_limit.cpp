#include "engine/memory_limit.h"

#include <unistd.h>

#include <algorithm>

#include "engine/base/str_cat.h"

namespace yolocu {

int64_t memory_limit_bytes() {
  constexpr int64_t kMost = int64_t{64} << 30;
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_bytes <= 0) return kMost;
  return std::min(kMost, pages * page_bytes);
}

Status check_memory(double bytes) {
  const int64_t limit = memory_limit_bytes();
  if (bytes <= static_cast<double>(limit)) return {};
  return resource_exhausted(str_cat("this batch and size need ", bytes / (1 << 20),
                                    " MiB for activations and weights; the limit is ", limit >> 20,
                                    " MiB"));
}

}  // namespace yolocu

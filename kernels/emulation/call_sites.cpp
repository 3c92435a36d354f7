#include "kernels/emulation/call_sites.h"

namespace yolocu::emulation {

uint32_t SiteTable::number(CallSite site) {
  if (site.file == nullptr) return 0;
  const std::scoped_lock lock(mutex_);
  const auto next = static_cast<uint32_t>(sites_.size()) + 1;
  const std::pair key(site.file, site.line);
  if (const auto found = numbers_.find(key); found != numbers_.end()) return found->second;
  if (next > kMost) return 0;
  numbers_.emplace(key, next);
  sites_.push_back(site);
  return next;
}

CallSite SiteTable::site(uint32_t number) const {
  const std::scoped_lock lock(mutex_);
  return number == 0 || number > sites_.size() ? CallSite{} : sites_[number - 1];
}

}  // namespace yolocu::emulation

#include "kernels/emulation/global_memory.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "engine/base/str_cat.h"
#include "kernels/emulation/report.h"

namespace yolocu::emulation {
namespace {

constexpr size_t kAlignment = 256;                     // cudaMalloc's
constexpr size_t kRedZone = 4096;                      // on both sides
constexpr size_t kQuarantineBytes = size_t{64} << 20;  // freed memory that is remembered
constexpr int64_t kMostBytes = int64_t{1} << 40;       // beyond any device; keeps sums in range
constexpr int kPoison = 0xFF;

constexpr size_t kGranule = GlobalShadow::kGranule;

std::string_view verb_of(GlobalAccess kind) {
  switch (kind) {
    case GlobalAccess::kRead: return "read";
    case GlobalAccess::kWrite: return "write";
    default: return "atomic access";
  }
}

uint32_t read_relaxed(uint16_t& bytes) {
  return std::atomic_ref<uint16_t>(bytes).load(std::memory_order_relaxed);
}

// Bits of the bytes of a granule that [offset, end) covers.
uint32_t bytes_of_granule(size_t granule, size_t offset, size_t end) {
  const size_t first = std::max(offset, granule * kGranule);
  const size_t last = std::min(end, (granule + 1) * kGranule);
  return ((1u << (last - first)) - 1) << (first % kGranule);
}

void mark_written(uint16_t* granules, size_t offset, size_t end) {
  for (size_t i = offset / kGranule; i * kGranule < end; ++i) {
    const uint32_t bytes = bytes_of_granule(i, offset, end);
    if ((bytes & ~read_relaxed(granules[i])) == 0) continue;
    std::atomic_ref<uint16_t>(granules[i])
        .fetch_or(static_cast<uint16_t>(bytes), std::memory_order_relaxed);
  }
}

// The first byte of [offset, end) that was never written; `end` if all were.
size_t first_unwritten(uint16_t* granules, size_t offset, size_t end) {
  for (size_t i = offset / kGranule; i * kGranule < end; ++i) {
    const uint32_t written = read_relaxed(granules[i]);
    const uint32_t missing = bytes_of_granule(i, offset, end) & ~written;
    if (missing != 0) return i * kGranule + static_cast<size_t>(std::countr_zero(missing));
  }
  return end;
}

bool is_aligned(const GlobalRequest& request) {
  return (reinterpret_cast<uintptr_t>(request.address) & (request.alignment - 1)) == 0;
}

uint64_t volume(const Index3& extent) {
  return uint64_t{extent.x} * extent.y * extent.z;
}

Index3 index_of(uint64_t number, const Index3& extent) {
  return {static_cast<uint32_t>(number % extent.x),
          static_cast<uint32_t>(number / extent.x % extent.y),
          static_cast<uint32_t>(number / extent.x / extent.y)};
}

// "block (x,y,z) thread (x,y,z)".
std::string thread_text(const LaunchShape& shape, uint32_t cluster, uint32_t thread) {
  const Index3 clusters = {shape.grid.x / shape.cluster.x, shape.grid.y / shape.cluster.y,
                           shape.grid.z / shape.cluster.z};
  const uint64_t per_block = volume(shape.block);
  const Index3 at = index_of(cluster, clusters);
  const Index3 inside = index_of(thread / per_block, shape.cluster);
  const Index3 block = {at.x * shape.cluster.x + inside.x, at.y * shape.cluster.y + inside.y,
                        at.z * shape.cluster.z + inside.z};
  return str_cat("block ", index_text(block), " thread ",
                 index_text(index_of(thread % per_block, shape.block)));
}

}  // namespace

void GlobalMemory::Allocation::Release::operator()(std::byte* memory) const {
  std::free(memory);
}

Result<void*> GlobalMemory::allocate(int64_t bytes, std::string name) {
  if (bytes < 0 || bytes > kMostBytes) {
    return invalid_argument(str_cat("emulated memory '", name, "': cannot hold ", bytes, " bytes"));
  }
  const auto size = static_cast<size_t>(bytes);
  const size_t total = (size + kAlignment - 1) / kAlignment * kAlignment + 2 * kRedZone;
  Allocation allocation;
  allocation.memory.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, total)));
  const size_t granules = (size + kGranule - 1) / kGranule;
  allocation.written = ZeroPages(std::max<size_t>(granules, 1) * sizeof(uint16_t));
  allocation.shadow = GlobalShadow(size);
  if (allocation.memory == nullptr || allocation.written.data() == nullptr ||
      !allocation.shadow.valid()) {
    return resource_exhausted(
        str_cat("emulated memory '", name, "': no room for ", bytes, " bytes"));
  }
  std::memset(allocation.memory.get(), kPoison, total);
  allocation.name = std::move(name);
  allocation.begin = allocation.memory.get() + kRedZone;
  allocation.bytes = size;
  const std::scoped_lock lock(mutex_);
  allocation.shadow.set_sharing(sharing_);
  void* pointer = allocation.begin;
  by_begin_.insert_or_assign(allocation.memory.get(), std::move(allocation));
  return pointer;
}

Status GlobalMemory::release(void* pointer) {
  if (pointer == nullptr) return {};
  const std::scoped_lock lock(mutex_);
  Allocation* allocation = find(pointer);
  if (allocation == nullptr || allocation->begin != pointer) {
    return invalid_argument("emulated memory: a pointer that was never allocated is released");
  }
  if (allocation->state == State::kFreed) {
    return invalid_argument(str_cat("emulated memory '", allocation->name, "' is released twice"));
  }
  allocation->state = State::kFreed;
  allocation->written = {};
  allocation->shadow = {};
  freed_.push_back(allocation->memory.get());
  freed_bytes_ += allocation->bytes + 2 * kRedZone;
  while (freed_bytes_ > kQuarantineBytes) {
    const auto oldest = by_begin_.find(freed_.front());
    freed_bytes_ -= oldest->second.bytes + 2 * kRedZone;
    by_begin_.erase(oldest);
    freed_.pop_front();
  }
  return {};
}

// The allocation in whose memory, red zones included, the address lies.
const GlobalMemory::Allocation* GlobalMemory::find(const void* address) const {
  const auto* at = static_cast<const std::byte*>(address);
  auto next = by_begin_.upper_bound(at);
  if (next == by_begin_.begin()) return nullptr;
  const Allocation& allocation = std::prev(next)->second;
  return at < allocation.begin + allocation.bytes + kRedZone ? &allocation : nullptr;
}

GlobalMemory::Allocation* GlobalMemory::find(const void* address) {
  return const_cast<Allocation*>(static_cast<const GlobalMemory*>(this)->find(address));
}

Status GlobalMemory::check_range(const void* address, int64_t bytes) const {
  const Allocation* allocation = find(address);
  const auto* at = static_cast<const std::byte*>(address);
  if (allocation == nullptr || allocation->state == State::kFreed || bytes < 0 ||
      at < allocation->begin || bytes > allocation->begin + allocation->bytes - at) {
    return invalid_argument(str_cat("emulated memory: a copy of ", bytes, " bytes lies outside ",
                                    allocation == nullptr ? "every allocation" : allocation->name));
  }
  return {};
}

Status GlobalMemory::check_copy(const void* address, int64_t bytes) const {
  const std::shared_lock lock(mutex_);
  return check_range(address, bytes);
}

Status GlobalMemory::upload(void* dst, const void* src, int64_t bytes) {
  if (bytes == 0) return {};
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_range(dst, bytes));
  std::memcpy(dst, src, static_cast<size_t>(bytes));
  Allocation& allocation = *find(dst);
  const auto first = static_cast<size_t>(static_cast<std::byte*>(dst) - allocation.begin);
  mark_written(static_cast<uint16_t*>(allocation.written.data()), first,
               first + static_cast<size_t>(bytes));
  first_in_chain_ = epoch_ + 1;
  return {};
}

Status GlobalMemory::download(void* dst, const void* src, int64_t bytes) {
  if (bytes == 0) return {};
  const std::scoped_lock lock(mutex_);
  YOLOCU_RETURN_IF_ERROR(check_range(src, bytes));
  std::memcpy(dst, src, static_cast<size_t>(bytes));
  first_in_chain_ = epoch_ + 1;
  return {};
}

LaunchEpoch GlobalMemory::begin_launch(const LaunchShape& shape, GlobalShadow::Sharing sharing) {
  {
    const std::scoped_lock lock(mutex_);
    if (epoch_ == AccessRecord::kMostEpochs) {
      for (auto& [begin, allocation] : by_begin_) allocation.shadow.clear();
      epoch_ = 0;
      first_in_chain_ = 1;
      shapes_.clear();
    }
    ++epoch_;
    if (shape.start == StartRule::kAfterPrevious) first_in_chain_ = epoch_;
    shapes_.erase(shapes_.begin(), shapes_.lower_bound(first_in_chain_));
    shapes_.insert_or_assign(epoch_, shape);
    if (sharing != sharing_) {
      for (auto& [begin, allocation] : by_begin_) allocation.shadow.set_sharing(sharing);
      sharing_ = sharing;
    }
  }
  mutex_.lock_shared();
  return {epoch_, first_in_chain_};
}

std::string GlobalMemory::outside_text(const GlobalRequest& request) const {
  const std::string_view verb = verb_of(request.kind);
  if (!is_aligned(request)) {
    return str_cat("misaligned global ", verb, ": ", request.alignment, " bytes at ",
                   request.address);
  }
  const Allocation* allocation = find(request.address);
  if (allocation == nullptr) {
    return str_cat("global ", verb, " at ", request.address, ", which is in no allocation");
  }
  if (allocation->state == State::kFreed) {
    return str_cat("global ", verb, " of '", allocation->name, "' after it was released");
  }
  return str_cat("global ", verb, " out of bounds: ", request.size, " bytes at offset ",
                 static_cast<const std::byte*>(request.address) - allocation->begin, " of '",
                 allocation->name, "', which has ", allocation->bytes);
}

// The allocation that has all of the request's bytes, which are aligned; nullptr if none.
GlobalMemory::Allocation* GlobalMemory::locate(Worker& worker, const GlobalRequest& request) {
  if (!is_aligned(request)) return nullptr;
  const auto has = [&request](const Allocation* allocation) {
    const auto offset = static_cast<size_t>(reinterpret_cast<uintptr_t>(request.address) -
                                            reinterpret_cast<uintptr_t>(allocation->begin));
    return offset < allocation->bytes && request.size <= allocation->bytes - offset;
  };
  for (Allocation* recent : worker.recent_) {
    if (recent != nullptr && has(recent)) return recent;
  }
  Allocation* found = find(request.address);
  if (found == nullptr || found->state == State::kFreed || !has(found)) return nullptr;
  worker.recent_[worker.next_++ % Worker::kRecent] = found;
  return found;
}

std::string GlobalMemory::check_written(Allocation& allocation, const GlobalRequest& request) {
  const auto offset =
      static_cast<size_t>(static_cast<const std::byte*>(request.address) - allocation.begin);
  auto* granules = static_cast<uint16_t*>(allocation.written.data());
  const size_t end = offset + request.size;
  if (reads(request.kind)) {
    const size_t unwritten = first_unwritten(granules, offset, end);
    if (unwritten != end) {
      return str_cat("global ", verb_of(request.kind), " of uninitialised memory: byte ", unwritten,
                     " of '", allocation.name, "'");
    }
  }
  if (writes(request.kind)) mark_written(granules, offset, end);
  return {};
}

std::string GlobalMemory::check(Worker& worker, const GlobalAccessor& by,
                                const GlobalRequest& request) {
  Allocation* allocation = locate(worker, request);
  if (allocation == nullptr) return outside_text(request);
  const auto offset =
      static_cast<size_t>(static_cast<const std::byte*>(request.address) - allocation->begin);
  const size_t granule = offset / kGranule;
  if (offset + request.size <= (granule + 1) * kGranule) {
    // Nearly all accesses of a correct kernel end here.
    const uint32_t bytes = bytes_of_granule(granule, offset, offset + request.size);
    auto& written = static_cast<uint16_t*>(allocation->written.data())[granule];
    if ((bytes & ~read_relaxed(written)) == 0 &&
        allocation->shadow.try_access(by, request.kind, granule, bytes, request.site)) {
      return {};
    }
  }
  return check_closely(*allocation, offset, by, request);
}

// A race comes first: it may be why the bytes are not there yet.
std::string GlobalMemory::check_closely(Allocation& allocation, size_t offset,
                                        const GlobalAccessor& by, const GlobalRequest& request) {
  const auto conflict =
      allocation.shadow.access(by, request.kind, offset, request.size, request.site);
  if (conflict) return conflict_text(allocation, by, request.kind, *conflict);
  return check_written(allocation, request);
}

std::string GlobalMemory::check_bounds(Worker& worker, const GlobalRequest& request) {
  Allocation* allocation = locate(worker, request);
  return allocation == nullptr ? outside_text(request) : check_written(*allocation, request);
}

void GlobalMemory::prefetch(Worker& worker, const void* address) {
  const Allocation* allocation = locate(worker, {.address = address, .size = 1});
  if (allocation == nullptr) return;
  const auto offset =
      static_cast<size_t>(static_cast<const std::byte*>(address) - allocation->begin);
  allocation->shadow.prefetch(offset / kGranule);
  __builtin_prefetch(address);
}

std::string GlobalMemory::access(AccessKind kind, const void* address, size_t size) {
  Worker worker(*this);
  const GlobalAccess access = kind == AccessKind::kRead     ? GlobalAccess::kRead
                              : kind == AccessKind::kAtomic ? GlobalAccess::kAtomicUpdate
                                                            : GlobalAccess::kWrite;
  return check_bounds(worker,
                      {.kind = access, .address = address, .size = size, .alignment = size});
}

std::string GlobalMemory::place_of(const void* address) const {
  const Allocation* allocation = find(address);
  if (allocation == nullptr) return str_cat("address ", address);
  return str_cat("byte ", static_cast<const std::byte*>(address) - allocation->begin, " of '",
                 allocation->name, "'");
}

std::string GlobalMemory::conflict_text(const Allocation& allocation, const GlobalAccessor& by,
                                        GlobalAccess kind, const GlobalConflict& conflict) const {
  const std::string_view did = conflict.atomic   ? "accessed atomically"
                               : conflict.writes ? "written"
                                                 : "read";
  const std::string byte = str_cat("byte ", conflict.byte, " of '", allocation.name, "'");
  const std::string place = place_text(sites_.site(conflict.site));
  const LaunchShape& shape = shapes_.at(conflict.epoch);
  if (conflict.epoch != by.epoch) {
    return str_cat("global ", verb_of(kind), " before wait_for_prior_grids: ", byte, " was ", did,
                   " by kernel ", shape.kernel, " at ", place, ", which may still run");
  }
  return str_cat("race on global memory: ", byte, " was ", did, " by ",
                 thread_text(shape, conflict.cluster, conflict.thread), " at ", place,
                 " and nothing orders this ", verb_of(kind), " after it");
}

}  // namespace yolocu::emulation

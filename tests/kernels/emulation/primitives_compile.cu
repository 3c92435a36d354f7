// Every primitive, for every type and hint, through nvcc: what the emulated tests run must also
// assemble for each architecture of the build. Nothing here is run.
#include "kernels/device/async.h"
#include "kernels/device/atomics.h"
#include "kernels/device/memory.h"
#include "kernels/device/numeric.h"
#include "kernels/device/threads.h"
#include "kernels/device/warp.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {

using device::GlobalPtr;
using device::LoadHint;
using device::StoreHint;

template <typename V, LoadHint kLoad, StoreHint kStore>
YOLOCU_KERNEL move(GlobalPtr<uint8_t> out, GlobalPtr<const uint8_t> in) {
  const auto bytes = device::shared_memory<uint8_t>(64);
  const int64_t at = device::thread_rank() * int64_t{sizeof(V)};
  bytes.store<V>(at, in.load<V, kLoad>(at));
  device::sync_block();
  out.store<V, kStore>(at, bytes.load<V>(at));
}

#define INSTANTIATE(V)                                                                         \
  template YOLOCU_KERNEL move<V, LoadHint::kNone, StoreHint::kNone>(GlobalPtr<uint8_t>,        \
                                                                    GlobalPtr<const uint8_t>); \
  template YOLOCU_KERNEL move<V, LoadHint::kReadOnly, StoreHint::kStreaming>(                  \
      GlobalPtr<uint8_t>, GlobalPtr<const uint8_t>);                                           \
  template YOLOCU_KERNEL move<V, LoadHint::kReadOnlyL2Prefetch, StoreHint::kStreaming>(        \
      GlobalPtr<uint8_t>, GlobalPtr<const uint8_t>);                                           \
  template YOLOCU_KERNEL move<V, LoadHint::kStreaming, StoreHint::kStreaming>(                 \
      GlobalPtr<uint8_t>, GlobalPtr<const uint8_t>);
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)
INSTANTIATE(float)
INSTANTIATE(device::Words2)
INSTANTIATE(device::Words4)

YOLOCU_KERNEL copy_and_synchronise(GlobalPtr<int> out, GlobalPtr<const int> in) {
  const auto words = device::shared_memory<int>();
  device::copy_async<16>(words, 0, in, 0, 8);
  device::copy_async<8>(words, 4, in, 4);
  device::copy_async<4>(words, 6, in, 6);
  device::commit_copies();
  device::wait_copies<1>();
  device::wait_all_copies();
  device::sync_barrier(1, 64);
  device::arrive_barrier(2, 64);
  device::sync_warp();
  out.store(0, device::sync_block_count(words.load(0)));
}

YOLOCU_KERNEL exchange_and_update(GlobalPtr<int> out, GlobalPtr<float> sum) {
  const auto words = device::shared_memory<uint32_t>();
  const int value = device::warp_sum(static_cast<int>(device::lane()));
  const int old = device::atomic_add(out, 0, value) + device::atomic_min(out, 1, value) +
                  device::atomic_or(out, 2, value) + device::atomic_exchange(out, 3, value) +
                  device::atomic_compare_exchange(out, 4, value, 5);
  device::atomic_max(words, 0, device::ballot(old));
  device::atomic_add(sum, 0, device::shuffle(1.0f, 1) + device::shuffle_up(2.0f, 1));
  out.store(5, device::any_lane(old) + device::all_lanes(old) + device::warp_max(old));
  out.store(6, static_cast<int>(device::shuffle_down(3.0, 1) + device::shuffle_xor(4.0, 1)));
  const Index3 at[] = {device::thread_index(), device::block_index(), device::block_extent(),
                       device::grid_extent()};
  for (const Index3& index : at) device::atomic_add(words, 1, index.x + index.y + index.z);
  device::atomic_add(words, 2, device::warp_rank() + device::thread_count());
}

YOLOCU_KERNEL convert(GlobalPtr<float> values) {
  const float value = values.load(0);
  values.store(1, device::to_float(device::to_half(value)));
  values.store(2, device::to_float(device::to_bfloat16(value)));
  values.store(3, device::to_float(device::to_e4m3(value)));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

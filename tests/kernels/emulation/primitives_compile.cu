// Every primitive, for every type and hint, through nvcc: what the emulated tests run must also
// assemble for each architecture of the build. Nothing here is run.
#include "kernels/device/async.h"
#include "kernels/device/atomics.h"
#include "kernels/device/cluster.h"
#include "kernels/device/dependent_launch.h"
#include "kernels/device/fence.h"
#include "kernels/device/mbarrier.h"
#include "kernels/device/memory.h"
#include "kernels/device/numeric.h"
#include "kernels/device/scalar.h"
#include "kernels/device/tensor_map.h"
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
  values.store(4, static_cast<float>(device::multiply_unfused(value, 3.0) - 1.0));
}

YOLOCU_KERNEL compute_scalars(GlobalPtr<float> values, GlobalPtr<uint32_t> words) {
  values.store(0, device::multiply_rounded(values.load(1), values.load(2)) - values.load(3));
  values.store(6, device::fused_multiply_add(values.load(1), values.load(2), values.load(3)));
  values.store(4, device::float_of_bits(words.load(0)));
  words.store(1, device::bit_count(words.load(1)) + device::lowest_bit(words.load(2)));
  words.store(3, device::float_bits(values.load(5)));
}

template <device::Order kOrder>
YOLOCU_KERNEL update_in_order(GlobalPtr<int32_t> x, GlobalPtr<uint32_t> y, GlobalPtr<float> z) {
  x.store(8, device::atomic_add<kOrder>(x, 0, 1) + device::atomic_min<kOrder>(x, 1, 2) +
                 device::atomic_max<kOrder>(x, 2, 3) + device::atomic_or<kOrder>(x, 3, 4) +
                 device::atomic_exchange<kOrder>(x, 4, 5) +
                 device::atomic_compare_exchange<kOrder>(x, 5, 6, 7));
  y.store(8, device::atomic_add<kOrder>(y, 0, 1) + device::atomic_min<kOrder>(y, 1, 2) +
                 device::atomic_max<kOrder>(y, 2, 3) + device::atomic_or<kOrder>(y, 3, 4) +
                 device::atomic_exchange<kOrder>(y, 4, 5) +
                 device::atomic_compare_exchange<kOrder>(y, 5, 6, 7));
  z.store(8, device::atomic_add<kOrder>(z, 0, 1.0f));
}
#define INSTANTIATE_ORDER(order)                                \
  template YOLOCU_KERNEL update_in_order<device::Order::order>( \
      GlobalPtr<int32_t>, GlobalPtr<uint32_t>, GlobalPtr<float>);
INSTANTIATE_ORDER(kRelaxed)
INSTANTIATE_ORDER(kAcquire)
INSTANTIATE_ORDER(kRelease)
INSTANTIATE_ORDER(kAcquireRelease)

YOLOCU_KERNEL pass_flags(GlobalPtr<uint32_t> flags, GlobalPtr<const int32_t> signs) {
  device::wait_for_prior_grids();
  device::fence_device();
  device::store_release(
      flags, 0,
      device::load_acquire(flags, 1) + static_cast<uint32_t>(device::load_acquire(signs, 0)));
  device::allow_next_grid();
}

YOLOCU_KERNEL use_barriers(GlobalPtr<uint8_t> in) {
  const auto barrier = device::shared_memory<uint64_t>(256);
  device::mbarrier_init(barrier, 3);
  device::fence_mbarrier_init();
  device::sync_block();
  device::copy_async<16>(device::shared_memory<uint8_t>(), 0, in, 0);
  device::wait_all_copies();
  device::mbarrier_expect(barrier, 16);
  device::mbarrier_arrive(barrier);
  device::mbarrier_arrive_expect(barrier, 32);
  device::mbarrier_arrive_remote(barrier, device::cluster_block_rank() ^ 1);
  if (device::mbarrier_test(barrier, 0) == 0) device::mbarrier_wait(barrier, 0);
  device::mbarrier_wait_cluster(barrier, 1);
  device::mbarrier_invalidate(barrier);
}

template <typename V>
YOLOCU_KERNEL reach_neighbour(GlobalPtr<uint32_t> out) {
  const auto own = device::shared_memory<V>();
  const device::RemoteSharedPtr<V> remote(own, 1);
  device::arrive_cluster();
  device::wait_cluster();
  const V value = remote.load(device::thread_rank());
  device::sync_cluster();
  remote.store(device::thread_rank(), value);
  const Index3 block = device::cluster_block_index(), extent = device::cluster_extent();
  out.store(0, block.x + block.y + block.z + extent.x + extent.y + extent.z +
                   device::cluster_block_count() + remote.block_rank());
  device::sync_cluster();
}
template YOLOCU_KERNEL reach_neighbour<uint8_t>(GlobalPtr<uint32_t>);
template YOLOCU_KERNEL reach_neighbour<uint16_t>(GlobalPtr<uint32_t>);
template YOLOCU_KERNEL reach_neighbour<float>(GlobalPtr<uint32_t>);
template YOLOCU_KERNEL reach_neighbour<device::Words2>(GlobalPtr<uint32_t>);
template YOLOCU_KERNEL reach_neighbour<device::Words4>(GlobalPtr<uint32_t>);

template <int kRank>
YOLOCU_KERNEL move_boxes(YOLOCU_KERNEL_PARAM device::TensorMap map,
                         device::BoxCoordinates<kRank> at) {
  const auto box = device::shared_memory<device::Half>();
  const auto barrier = device::shared_memory<uint64_t>(4096);
  device::prefetch_map(map);
  device::load_box(box, map, barrier, at);
  device::load_box_multicast(box, map, barrier, at, 3);
  device::mbarrier_wait(barrier, 0);
  device::fence_async_proxy();
  device::fence_async_proxy_in_block();
  device::store_box(map, at, box);
  device::commit_stores();
  device::wait_stores_read<1>();
  device::wait_stores<0>();
}
#define INSTANTIATE_BOXES(rank)                                                  \
  template YOLOCU_KERNEL move_boxes<rank>(YOLOCU_KERNEL_PARAM device::TensorMap, \
                                          device::BoxCoordinates<rank>);
INSTANTIATE_BOXES(1)
INSTANTIATE_BOXES(2)
INSTANTIATE_BOXES(3)
INSTANTIATE_BOXES(4)
INSTANTIATE_BOXES(5)

template <int kRank>
YOLOCU_KERNEL load_pixels(YOLOCU_KERNEL_PARAM device::TensorMap map,
                          device::BoxCoordinates<kRank> at, device::BoxCoordinates<kRank - 2> tap) {
  const auto pixels = device::shared_memory<device::Half>();
  const auto barrier = device::shared_memory<uint64_t>(4096);
  device::load_im2col(pixels, map, barrier, at, tap);
  device::load_im2col_multicast(pixels, map, barrier, at, tap, 3);
  device::mbarrier_wait(barrier, 0);
}
#define INSTANTIATE_PIXELS(rank)                                                  \
  template YOLOCU_KERNEL load_pixels<rank>(YOLOCU_KERNEL_PARAM device::TensorMap, \
                                           device::BoxCoordinates<rank>,          \
                                           device::BoxCoordinates<rank - 2>);
INSTANTIATE_PIXELS(3)
INSTANTIATE_PIXELS(4)
INSTANTIATE_PIXELS(5)

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

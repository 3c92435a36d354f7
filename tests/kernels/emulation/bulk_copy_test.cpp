// Bulk copies end to end: what one instruction leaves in shared or global memory, byte by byte.
#include <gtest/gtest.h>

#include "tests/kernels/emulation/box_oracle.h"
#include "tests/kernels/emulation/bulk_copy_support.h"

namespace yolocu::testing {
namespace {

using device::GlobalPtr;
using device::TensorMap;
using emulation::AsyncDelivery;
using emulation::BoxAccess;
using emulation::EmulatedBuffer;
using emulation::EmulatedDevice;

constexpr AsyncDelivery kDeliveries[] = {AsyncDelivery::kLate, AsyncDelivery::kEarly};
constexpr uint32_t kBoxAt = 1024;

using LoadKernel = void (*)(GlobalPtr<uint32_t>, const CopyArguments);
constexpr LoadKernel kLoads[] = {load_one_box<1>, load_one_box<2>, load_one_box<3>, load_one_box<4>,
                                 load_one_box<5>};

EmulatedBuffer<uint8_t> upload_bytes(EmulatedDevice& device, const std::vector<std::byte>& bytes) {
  std::vector<uint8_t> values(bytes.size());
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return filled_buffer(device, values, "tensor");
}

// Shared memory of each block of a cluster after the copy, without the first 16 bytes.
std::vector<std::vector<std::byte>> run_load(EmulatedDevice& device, LoadKernel kernel,
                                             CopyArguments arguments, int64_t blocks = 1) {
  const auto shape = emulation::box_shape(arguments.map.spec);
  arguments.bytes = static_cast<uint32_t>(shape.moved_bytes());
  arguments.shared_bytes = static_cast<uint32_t>(arguments.address + shape.footprint_bytes() + 64);
  auto out = make_buffer<uint32_t>(device, blocks * arguments.shared_bytes / 4, "out");
  const Status status = device.launch(named_kernel("load", kernel),
                                      {.grid = {blocks},
                                       .block = {64},
                                       .cluster = {blocks},
                                       .shared_bytes = arguments.shared_bytes},
                                      GlobalPtr(out.data()), arguments);
  EXPECT_TRUE(status.ok()) << status.message();
  const auto words = out.download().value();
  std::vector<std::vector<std::byte>> images(static_cast<size_t>(blocks));
  for (size_t i = 0; i < images.size(); ++i) {
    images[i].resize(arguments.shared_bytes);
    std::memcpy(images[i].data(), words.data() + i * arguments.shared_bytes / 4,
                arguments.shared_bytes);
  }
  return images;
}

// Bytes of `image` from the box on are expected, those around it untouched.
void expect_image(const std::vector<std::byte>& image, uint32_t box_at,
                  const std::vector<std::byte>& box) {
  for (size_t i = 16; i < image.size(); ++i) {
    const bool in_box = i >= box_at && i < box_at + box.size();
    const std::byte expected = in_box ? box[i - box_at] : emulation::kUntouched;
    ASSERT_EQ(image[i], expected) << "byte " << i;
  }
}

TEST(BulkLoad, BoxesByTheirDefinition) {
  RandomAccesses random(3);
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    BoxAccess access = emulation::random_box(random);
    const auto chunk = static_cast<int32_t>(16 / map_type_bytes(access.map.type));
    access.at[0] = access.at[0] / chunk * chunk;
    access.shared_address = 1024 * static_cast<uint32_t>(random.between(1, 3));
    access.map.fill =
        access.map.type != MapType::kU8 && i % 3 == 0 ? MapFill::kNan : MapFill::kZero;
    EmulatedDevice device({.seed = static_cast<uint64_t>(i), .delivery = kDeliveries[i % 2]});
    auto tensor = upload_bytes(device, random.memory());
    access.map.address = tensor.data();
    const auto map = device::make_tensor_map(access.map);
    ASSERT_OK(map);
    const auto images =
        run_load(device, kLoads[access.map.rank - 1],
                 {.map = map.value(), .at = access.at, .address = access.shared_address});
    const bool is_nan = access.map.fill == MapFill::kNan;
    const auto fill =
        is_nan ? std::array{std::byte{0xF7}, std::byte{0x7F}} : std::array<std::byte, 2>{};
    expect_image(images[0], access.shared_address, emulation::expected_image(access, fill));
  }
}

TEST(BulkLoad, MulticastReachesTheBlocksOfItsMask) {
  RandomAccesses random(4);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    EmulatedDevice device({.seed = seed, .delivery = kDeliveries[seed % 2]});
    BoxAccess access;
    access.map = {.swizzle = Swizzle::k64B, .rank = 2, .size = {24, 9}, .box = {32, 8}};
    random.place_tensor(access.map);
    auto tensor = upload_bytes(device, random.memory());
    access.map.address = tensor.data();
    access.at = {8, 3};
    access.shared_address = kBoxAt;
    const auto mask = static_cast<uint16_t>(1 + random.between(0, 14));
    const auto images =
        run_load(device, load_one_box<2>,
                 {.map = {access.map}, .at = access.at, .address = kBoxAt, .block_mask = mask}, 4);
    const auto box = emulation::expected_image(access, {});
    for (size_t block = 0; block < 4; ++block) {
      SCOPED_TRACE(block);
      expect_image(images[block], kBoxAt,
                   (mask >> block & 1) != 0 ? box : std::vector<std::byte>{});
    }
  }
}

TEST(BulkLoad, CountsItsBytes) {
  EmulatedDevice device;
  auto tensor = filled_buffer(device, std::vector<uint16_t>(64, 1), "tensor");
  TensorMapSpec map{
      .rank = 2, .address = tensor.data(), .size = {8, 8}, .stride_bytes = {0, 16}, .box = {8, 4}};
  run_load(device, load_one_box<2>, {.map = {map}, .at = {0, 6}, .address = kBoxAt});
  EXPECT_EQ(device.counters().bulk_copied_bytes, 64);
  EXPECT_EQ(device.counters().global_read_bytes, 32) << "two rows lie outside";
}

// ---- stores -------------------------------------------------------------------------------------

// Byte i of shared memory from `address` on is (i * 7) % 251; the box that lies there is stored.
template <int kRank>
YOLOCU_KERNEL store_one_box(YOLOCU_KERNEL_PARAM CopyArguments arguments) {
  const auto bytes = device::shared_memory<uint8_t>();
  for (uint32_t i = device::thread_rank(); i < arguments.shared_bytes; i += 64) {
    bytes.store(i, static_cast<uint8_t>(i * 7 % 251));
  }
  device::fence_async_proxy();
  device::sync_block();
  if (device::thread_rank() == 0) {
    device::store_box(arguments.map, coordinates<kRank>(arguments.at),
                      device::shared_memory<uint32_t>(arguments.address));
    device::commit_stores();
    device::wait_stores_read<0>();
  }
  device::sync_block();
  for (uint32_t i = device::thread_rank(); i < arguments.shared_bytes; i += 64) bytes.store(i, 0);
  if (device::thread_rank() == 0) device::wait_stores<0>();
}

using StoreKernel = void (*)(const CopyArguments);
constexpr StoreKernel kStores[] = {store_one_box<1>, store_one_box<2>, store_one_box<3>,
                                   store_one_box<4>, store_one_box<5>};

// Every byte of the tensor after the store, from the coordinates of each element of the box; 16
// bytes of a row that begin inside are written whole.
void expect_stored(const BoxAccess& access, std::vector<std::byte> expected,
                   const std::vector<uint8_t>& actual) {
  const TensorMapSpec& map = access.map;
  const int64_t size = map_type_bytes(map.type), row_bytes = map.box[0] * size;
  const int64_t pitch = map.swizzle == Swizzle::kNone ? row_bytes : swizzle_span_bytes(map.swizzle);
  std::array<int64_t, 5> count = {1, 1, 1, 1, 1};
  for (int d = 0; d < map.rank; ++d) count[d] = map.box[d];
  for (int64_t flat = 0; flat < count[0] * count[1] * count[2] * count[3] * count[4]; ++flat) {
    int64_t rest = flat, offset = 0;
    bool inside = true;
    for (int d = 0; d < map.rank; ++d) {
      const int64_t coordinate = access.at[d] + rest % count[d];
      rest /= count[d];
      inside = inside && coordinate < map.size[d];
      offset += coordinate * (d == 0 ? size : map.stride_bytes[d]);
    }
    if (!inside || flat % count[0] * size % 16 != 0) continue;
    const int64_t logical =
        access.shared_address + flat / count[0] * pitch + flat % count[0] * size;
    const int64_t from = emulation::physical(logical, map.swizzle);
    for (int64_t i = 0; i < 16; ++i) {
      expected[static_cast<size_t>(offset + i)] = static_cast<std::byte>((from + i) * 7 % 251);
    }
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(static_cast<std::byte>(actual[i]), expected[i]) << "byte " << i;
  }
}

TEST(BulkStore, BoxesByTheirDefinition) {
  RandomAccesses random(5);
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    BoxAccess access = emulation::random_box(random);
    const auto chunk = static_cast<int32_t>(16 / map_type_bytes(access.map.type));
    for (int d = 0; d < access.map.rank; ++d) {
      access.map.traversal[d] = 1;
      access.at[d] = std::max(access.at[d], 0);
    }
    access.at[0] = access.at[0] / chunk * chunk;
    access.shared_address = 1024 * static_cast<uint32_t>(random.between(0, 2));
    EmulatedDevice device({.seed = static_cast<uint64_t>(i), .delivery = kDeliveries[i % 2]});
    auto tensor = upload_bytes(device, random.memory());
    access.map.address = tensor.data();
    const auto shape = emulation::box_shape(access.map);
    const auto shared_bytes =
        static_cast<uint32_t>(access.shared_address + shape.footprint_bytes());
    ASSERT_OK(device.launch(named_kernel("store", kStores[access.map.rank - 1]),
                            {.block = {64}, .shared_bytes = shared_bytes},
                            {.map = {access.map},
                             .at = access.at,
                             .address = access.shared_address,
                             .shared_bytes = shared_bytes}));
    expect_stored(access, random.memory(), tensor.download().value());
  }
}

TEST(BulkStore, WritesPastATensorThatEndsWithinAChunk) {
  EmulatedDevice device;
  const auto store = [&](size_t bytes) {
    auto tensor = upload_bytes(device, std::vector<std::byte>(bytes));
    const TensorMapSpec map = {
        .type = MapType::kU8, .rank = 1, .address = tensor.data(), .size = {100}, .box = {64}};
    return device.launch(named_kernel("store", store_one_box<1>),
                         {.block = {64}, .shared_bytes = 128},
                         {.map = {map}, .at = {64}, .address = 0, .shared_bytes = 128});
  };
  ASSERT_OK(store(112));
  const Status status = store(100);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("out of bounds"), std::string::npos) << status.message();
}

// Rows of the box that lie outside the tensor are dropped, so nobody has to write them.
YOLOCU_KERNEL store_half_box(YOLOCU_KERNEL_PARAM TensorMap map) {
  const auto words = device::shared_memory<uint32_t>();
  if (device::thread_rank() < 8) words.store(device::thread_rank(), device::thread_rank() + 1);
  device::fence_async_proxy();
  device::sync_warp();
  if (device::lane() == 0) {
    device::store_box<2>(map, {{0, 3}}, words);
    device::commit_stores();
    device::wait_stores<0>();
  }
}

TEST(BulkStore, DroppedRowsMayBeUninitialised) {
  EmulatedDevice device;
  auto tensor = filled_buffer(device, std::vector<uint32_t>(20, 9), "tensor");
  const TensorMap map{{.type = MapType::kU32,
                       .rank = 2,
                       .address = tensor.data(),
                       .size = {4, 5},
                       .stride_bytes = {0, 16},
                       .box = {4, 8}}};
  ASSERT_OK(device.launch(named_kernel("store_half_box", store_half_box),
                          {.block = {32}, .shared_bytes = 128}, map));
  std::vector<uint32_t> expected(20, 9);
  std::iota(expected.begin() + 12, expected.end(), 1);
  EXPECT_EQ(tensor.download().value(), expected);
}

}  // namespace
}  // namespace yolocu::testing

// Loads captured on hardware, and im2col loads of convolutions as CUTLASS drives them, end to end.
#include <gtest/gtest.h>

#include "tests/kernels/emulation/bulk_copy_support.h"
#include "tests/kernels/emulation/captured_loads.h"

namespace yolocu::testing {
namespace {

using device::GlobalPtr;
using emulation::AsyncDelivery;
using emulation::BoxAccess;
using emulation::EmulatedDevice;
using nlohmann::json;

using LoadKernel = void (*)(GlobalPtr<uint32_t>, const CopyArguments);

LoadKernel kernel_for(const TensorMapSpec& map) {
  if (map.mode == MapMode::kIm2col) {
    constexpr LoadKernel kLoads[] = {load_one_im2col<3>, load_one_im2col<4>, load_one_im2col<5>};
    return kLoads[map.rank - 3];
  }
  return map.rank == 2 ? load_one_box<2> : load_one_box<3>;
}

// Words of shared memory after the load.
std::vector<uint32_t> run_load(EmulatedDevice& device, const BoxAccess& access, uint32_t bytes) {
  CopyArguments arguments{.map = {access.map},
                          .at = access.at,
                          .tap = access.taps,
                          .address = access.shared_address,
                          .bytes = bytes};
  arguments.shared_bytes = static_cast<uint32_t>(
      access.shared_address + emulation::box_shape(access.map).footprint_bytes());
  auto out = make_buffer<uint32_t>(device, arguments.shared_bytes / 4, "out");
  const Status status = device.launch(named_kernel("load", kernel_for(access.map)),
                                      {.block = {32}, .shared_bytes = arguments.shared_bytes},
                                      GlobalPtr(out.data()), arguments);
  EXPECT_TRUE(status.ok()) << status.message();
  return out.download().value();
}

// Where a chunk that was captured at `physical` of a box at `base` lies if the box begins at 1024:
// most captures begin off the pattern, which the hardware takes and the emulator does not.
size_t moved_chunk(uint32_t physical, uint32_t base, Swizzle swizzle) {
  return emulation::swizzled(1024 + emulation::swizzled(physical, swizzle) - base, swizzle);
}

TEST(CapturedLoads, EndToEnd) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("tma_hw_cases");
  const auto cases = hardware_table("tma_hw_cases")["cases"];
  size_t compared = 0;
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    std::vector<uint32_t> memory;
    BoxAccess access = emulation::captured_access(cases[i], memory);
    const uint32_t base = std::exchange(access.shared_address, 1024);
    for (const auto delivery : {AsyncDelivery::kLate, AsyncDelivery::kEarly}) {
      EmulatedDevice device({.seed = i, .delivery = delivery});
      auto tensor = filled_buffer(device, memory, "tensor");
      access.map.address = tensor.data();
      const auto words = run_load(device, access, cases[i]["tx_bytes"].get<uint32_t>());
      for (const json& chunk : cases[i]["chunks"]) {  // [physical address, first word]
        const size_t at = moved_chunk(chunk[0].get<uint32_t>(), base, access.map.swizzle);
        EXPECT_EQ(words[at / 4], chunk[1].get<uint32_t>()) << chunk;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 200u);
}

TEST(Im2colLoads, OfConvolutions) {
  YOLOCU_REQUIRE_HARDWARE_TABLE("im2col");
  const auto problems = hardware_table("im2col")["problems"];
  uint64_t loads = 0;
  for (const json& problem : problems) {
    std::vector<uint16_t> memory;
    BoxAccess access = emulation::convolution_access(problem, memory);
    std::iota(memory.begin(), memory.end(), uint16_t{1});
    for (const json& load : problem["loads"]) {
      SCOPED_TRACE("loads " + load["coords"].dump() + " tap " + load["offsets"].dump());
      emulation::copy_numbers(load["coords"], access.at);
      emulation::copy_numbers(load["offsets"], access.taps);
      EmulatedDevice device(
          {.seed = ++loads,
           .delivery = loads % 2 == 0 ? AsyncDelivery::kLate : AsyncDelivery::kEarly});
      auto tensor = filled_buffer(device, memory, "tensor");
      access.map.address = tensor.data();
      const auto words = run_load(device, access, 16 * 128);
      const json& pixels = load["pixels"];  // [n, h, w], -1 outside
      for (uint32_t row = 0; row < pixels.size(); ++row) {
        const json& pixel = pixels[row];
        for (uint32_t c = 0; c < 64; c += 2) {
          uint32_t expected = 0;
          if (pixel[0].get<int64_t>() >= 0) {
            const int64_t offset = pixel[0].get<int64_t>() * access.map.stride_bytes[3] +
                                   pixel[1].get<int64_t>() * access.map.stride_bytes[2] +
                                   pixel[2].get<int64_t>() * access.map.stride_bytes[1];
            std::memcpy(&expected, &memory[static_cast<size_t>(offset / 2 + access.at[0] + c)], 4);
          }
          const uint32_t chunk = c / 8 ^ row % 8;  // 128B swizzle of a pattern's row
          ASSERT_EQ(words[(1024 + row * 128 + chunk * 16 + c % 8 * 2) / 4], expected)
              << pixel << " row " << row << " channel " << c;
        }
      }
    }
  }
  EXPECT_GT(loads, 150u);
}

}  // namespace
}  // namespace yolocu::testing

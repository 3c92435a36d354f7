#include "tests/kernels/kernel_device.h"

#include "kernels/emulation/runtime.h"

namespace yolocu::testing {

Result<KernelDevice> open_device(DeviceKind kind, uint64_t seed) {
  KernelDevice device;
  if (kind == DeviceKind::kEmulated) {
    device.runtime = std::make_unique<emulation::EmulatedRuntime>(
        emulation::EmulationOptions{.seed = seed, .workers = 2});
    device.kernels = &emulated_kernels();
  } else {
    YOLOCU_ASSIGN_OR_RETURN(device.runtime, cuda_runtime());
    device.kernels = &cuda_kernels();
  }
  YOLOCU_ASSIGN_OR_RETURN(device.stream, make_stream(*device.runtime));
  return device;
}

std::string device_text(const DeviceInfo& info) {
  return info.name + " (sm_" + std::to_string(info.compute_major) +
         std::to_string(info.compute_minor) + ", " + std::to_string(info.multiprocessors) +
         " multiprocessors)";
}

DeviceMemory to_device(DeviceRuntime& runtime, Stream stream, std::span<const uint8_t> bytes,
                       std::string_view name) {
  const auto size = static_cast<int64_t>(bytes.size());
  auto memory = DeviceMemory::create(runtime, size, name);
  EXPECT_TRUE(memory.ok()) << memory.status().message();
  if (!memory.ok()) return {};
  const Status copied = runtime.upload(memory->data(), bytes.data(), size, stream);
  EXPECT_TRUE(copied.ok()) << copied.message();
  const Status done = runtime.synchronize_stream(stream);
  EXPECT_TRUE(done.ok()) << done.message();
  return std::move(memory).value();
}

std::vector<uint8_t> to_host(DeviceRuntime& runtime, Stream stream, const DeviceMemory& memory) {
  std::vector<uint8_t> bytes(static_cast<size_t>(memory.size_bytes()));
  Status status = runtime.download(bytes.data(), memory.data(), memory.size_bytes(), stream);
  if (status.ok()) status = runtime.synchronize_stream(stream);
  EXPECT_TRUE(status.ok()) << status.message();
  return status.ok() ? bytes : std::vector<uint8_t>();
}

}  // namespace yolocu::testing

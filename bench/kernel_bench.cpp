// Every launch of our networks' plans, one at a time: times on a GPU, counts on the emulated
// device. README.md of this folder says how to read them.
#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/kernels/card_roof.h"
#include "bench/kernels/kernel_case.h"
#include "bench/kernels/networks.h"
#include "bench/kernels/registration.h"
#include "engine/base/str_cat.h"

namespace yolocu::bench {
namespace {

struct Arguments {
  std::string device = "emulated", precision = "fp16", variants = "selected";
  std::vector<std::string> networks, models;
  int64_t batch = 1, size = 0;
  int workers = 0;
};

// Those that are left of Google Benchmark's own.
void add_options(CLI::App& app, Arguments& arguments) {
  app.set_help_flag("-h,--flags", "this list; --help is Google Benchmark's");
  app.add_option("--device", arguments.device, "emulated: counts; cuda: times")
      ->check(CLI::IsMember({"emulated", "cuda"}));
  app.add_option("--network", arguments.networks, "official networks by name, such as gelan-c");
  app.add_option("--model", arguments.models, "packed files")->check(CLI::ExistingFile);
  app.add_option("--variants", arguments.variants,
                 "selected: what plans launch; all: what else might do, too")
      ->check(CLI::IsMember({"selected", "all"}));
  app.add_option("--precision", arguments.precision, "of activations and weights")
      ->check(CLI::IsMember({"fp16", "bf16", "fp32"}));
  app.add_option("--batch", arguments.batch, "pictures")->check(CLI::Range(1, 4096));
  app.add_option("--size", arguments.size, "height and width of the input; 0: the network's own")
      ->check(CLI::Range(0, 16384));
  app.add_option("--workers", arguments.workers, "host threads of the emulated device; 0: all");
}

Result<std::vector<Network>> open_networks(const Arguments& arguments) {
  const bool is_default = arguments.networks.empty() && arguments.models.empty();
  std::vector<Network> networks;
  for (const std::string& name : is_default ? default_networks() : arguments.networks) {
    YOLOCU_ASSIGN_OR_RETURN(Network network, architecture_network(name));
    networks.push_back(std::move(network));
  }
  for (const std::string& path : arguments.models) {
    YOLOCU_ASSIGN_OR_RETURN(Network network, packed_network(path));
    networks.push_back(std::move(network));
  }
  return networks;
}

Result<std::vector<KernelCase>> make_cases(const Arguments& arguments, const DeviceInfo& device) {
  YOLOCU_ASSIGN_OR_RETURN(const Precision precision, parse_precision(arguments.precision));
  CaseOptions options = {
      .batch = arguments.batch, .size = arguments.size, .device = gpu::conv_device(device)};
  YOLOCU_ASSIGN_OR_RETURN(options.dtype, gpu::gpu_dtype(precision));
  if (arguments.variants == "all") options.variants = CaseOptions::Variants::kAll;
  YOLOCU_ASSIGN_OR_RETURN(const std::vector<Network> networks, open_networks(arguments));
  std::vector<KernelCase> cases;
  for (const Network& network : networks) {
    YOLOCU_ASSIGN_OR_RETURN(std::vector<KernelCase> more, kernel_cases(network, options));
    std::move(more.begin(), more.end(), std::back_inserter(cases));
  }
  return cases;
}

// What the numbers are of, beside Google Benchmark's own lines about the host.
void add_context(const DeviceInfo& device, bool is_cuda) {
  benchmark::AddCustomContext("device", is_cuda ? device.name : "emulated");
  benchmark::AddCustomContext("compute_capability",
                              str_cat(device.compute_major, ".", device.compute_minor));
  benchmark::AddCustomContext("multiprocessors", std::to_string(device.multiprocessors));
  if (!is_cuda) return benchmark::AddCustomContext("numbers", "counts, not times");
  const auto card = find_card_roof(device.name);
  benchmark::AddCustomContext(
      "roof", card ? str_cat(card->tensor_tflops, " TFLOP/s, ", card->memory_gb_per_s, " GB/s")
                   : "unknown card: see bench/kernels/card_roof.cpp");
}

Status run(const Arguments& arguments) {
  const bool is_cuda = arguments.device == "cuda";
  YOLOCU_ASSIGN_OR_RETURN(const Device kind, parse_device(arguments.device));
  YOLOCU_ASSIGN_OR_RETURN(
      const gpu::GpuDevice device,
      gpu::open_gpu_device(kind, {.launches = is_cuda ? LaunchRecords::kDrop : LaunchRecords::kKeep,
                                  .workers = arguments.workers}));
  YOLOCU_ASSIGN_OR_RETURN(const std::vector<KernelCase> cases,
                          make_cases(arguments, device.runtime->info()));
  add_context(device.runtime->info(), is_cuda);
  if (is_cuda) {
    register_timings(device, cases);
  } else {
    register_counts(device, cases);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return {};
}

}  // namespace
}  // namespace yolocu::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  CLI::App app(
      "Launches of our networks, one at a time; --benchmark_... as Google Benchmark has it",
      "kernel_bench");
  yolocu::bench::Arguments arguments;
  yolocu::bench::add_options(app, arguments);
  CLI11_PARSE(app, argc, argv);
  const yolocu::Status status = yolocu::bench::run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "kernel_bench: %s\n", status.message().c_str());
  return 1;
}

// Runs every primitive of kernels/device on the emulated device and on a GPU: see README.md.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "tests/conformance/registry.h"
#include "tests/conformance/report.h"

namespace yolocu::conformance {
namespace {

constexpr const char* kUsage =
    "usage: conformance [--device emulated|cuda|all] [--seeds N] [--input-seed N] [--case TEXT]\n"
    "                   [--json FILE] [--list]\n"
    "Exit status: 0 if nothing is wrong, 1 if something is, 2 for arguments that make no sense.\n";

enum class Devices : uint8_t { kAll, kEmulated, kCuda };

struct Options {
  Devices devices = Devices::kAll;
  int seeds = 4;
  uint64_t input_seed = 1;
  std::string name_part = {}, json = {};
  bool list = false;
};

bool set_option(Options& options, const std::string& name, const std::string& value) {
  if (name == "--device") {
    options.devices = value == "emulated" ? Devices::kEmulated
                      : value == "cuda"   ? Devices::kCuda
                                          : Devices::kAll;
    return value == "emulated" || value == "cuda" || value == "all";
  }
  if (name == "--seeds") return (options.seeds = std::atoi(value.c_str())) > 0;
  if (name == "--input-seed") {
    options.input_seed = std::strtoull(value.c_str(), nullptr, 10);
  } else if (name == "--case") {
    options.name_part = value;
  } else if (name == "--json") {
    options.json = value;
  } else {
    return false;
  }
  return true;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--list") == 0) {
      options.list = true;
    } else if (i + 1 == argc || !set_option(options, argv[i], argv[i + 1])) {
      return std::nullopt;
    } else {
      ++i;
    }
  }
  return options;
}

// cuda_case: nullptr in a build without CUDA.
CaseResult judge(const Options& options, const CudaDevice& device, const Case& emulated_case,
                 const Case* cuda_case) {
  CaseResult result{.name = emulated_case.name};
  const Bytes input = emulated_case.input(options.input_seed);
  EmulatedRuns runs{.outcome = {Verdict::kSkipped, "--device cuda"}};
  if (options.devices != Devices::kCuda) runs = judge_emulated(emulated_case, input, options.seeds);
  result.emulated = runs.outcome;
  result.cuda = {Verdict::kSkipped, "--device emulated"};
  if (options.devices == Devices::kEmulated) return result;
  result.cuda = cuda_case == nullptr ? Outcome{Verdict::kSkipped, "the build has no CUDA"}
                                     : judge_cuda(*cuda_case, input, device, runs.output);
  return result;
}

Report judge_all(const Options& options) {
  const Cases emulated = emulated_target::all_cases(), cuda = cuda_target::all_cases();
  Report report{.device = {.why_not = "--device emulated"},
                .seeds = options.seeds,
                .input_seed = options.input_seed};
  if (options.devices != Devices::kEmulated) report.device = find_cuda_device();
  std::printf("%s\n", device_line(report.device).c_str());
  for (size_t i = 0; i < emulated.size(); ++i) {
    if (emulated[i].name.find(options.name_part) == std::string::npos) continue;
    report.results.push_back(
        judge(options, report.device, emulated[i], cuda.empty() ? nullptr : &cuda[i]));
    std::printf("%s\n", line_of(report.results.back()).c_str());
    std::fflush(stdout);
  }
  std::printf("%s\n", summary_of(report).c_str());
  return report;
}

int run(const Options& options) {
  if (options.list) {
    for (const Case& test : emulated_target::all_cases()) std::printf("%s\n", test.name.c_str());
    return 0;
  }
  const Report report = judge_all(options);
  if (report.results.empty() || (options.devices == Devices::kCuda && !report.device.usable)) {
    std::fprintf(stderr, "nothing was run\n");
    return 2;
  }
  if (!options.json.empty()) {
    const Status written = write_json(report, options.json);
    if (!written.ok()) {
      std::fprintf(stderr, "%s\n", written.message().c_str());
      return 2;
    }
  }
  return any_wrong(report) ? 1 : 0;
}

}  // namespace
}  // namespace yolocu::conformance

int main(int argc, char** argv) {
  const auto options = yolocu::conformance::parse(argc, argv);
  if (options.has_value()) return yolocu::conformance::run(*options);
  std::fputs(yolocu::conformance::kUsage, stderr);
  return 2;
}

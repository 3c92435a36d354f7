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

// What one case does on the devices asked for.
class Judge {
 public:
  explicit Judge(const Options& options)
      : options_(options),
        worker_(case_worker(cuda_, options.input_seed, [] { return cuda_runtime(); })) {
    if (options.devices != Devices::kEmulated) device_ = find_cuda_device();
  }

  const Cases& cases() const { return emulated_; }
  const CudaDevice& device() const { return device_; }

  CaseResult judge(size_t i) {
    const Bytes input = emulated_[i].input(options_.input_seed);
    EmulatedRuns runs{.outcome = {Verdict::kSkipped, "--device cuda"}};
    if (options_.devices != Devices::kCuda) {
      runs = judge_emulated(emulated_[i], input, options_.seeds);
    }
    return {emulated_[i].name, runs.outcome, judge_on_cuda(i, input, runs.output)};
  }

 private:
  Outcome judge_on_cuda(size_t i, const Bytes& input, const Bytes& emulated) {
    if (options_.devices == Devices::kEmulated) return {Verdict::kSkipped, "--device emulated"};
    if (cuda_.empty()) return {Verdict::kSkipped, "the build has no CUDA"};
    const Outcome outcome = can_run(cuda_[i], device_);
    if (outcome.verdict == Verdict::kSkipped) return outcome;
    return judge_cuda(cuda_[i], input, worker_.run(i), emulated);
  }

  const Options& options_;
  const Cases emulated_ = emulated_target::all_cases();
  const Cases cuda_ = cuda_target::all_cases();  // none in a build without CUDA
  CudaDevice device_ = {.why_not = "--device emulated"};
  IsolatedWorker worker_;
};

Report judge_all(const Options& options) {
  Judge judge(options);
  Report report{.device = judge.device(), .seeds = options.seeds, .input_seed = options.input_seed};
  std::printf("%s\n", device_line(report.device).c_str());
  for (size_t i = 0; i < judge.cases().size(); ++i) {
    if (judge.cases()[i].name.find(options.name_part) == std::string::npos) continue;
    report.results.push_back(judge.judge(i));
    std::printf("%s\n", line_of(report.results.back()).c_str());
  }
  if (any_wrong(report)) std::printf("\nWrong:\n%s\n", wrong_lines(report).c_str());
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
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // progress is to be seen in pipes, too
  const auto options = yolocu::conformance::parse(argc, argv);
  if (options.has_value()) return yolocu::conformance::run(*options);
  std::fputs(yolocu::conformance::kUsage, stderr);
  return 2;
}

#include "tests/conformance/report.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/str_cat.h"

namespace yolocu::conformance {
namespace {

constexpr size_t kNameWidth = 44;

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string version_text(int version) {
  return str_cat(version / 1000, ".", version % 1000 / 10);
}

std::string counts_of(const std::vector<CaseResult>& results, Outcome CaseResult::*target) {
  const auto count = [&](Verdict verdict) {
    return std::count_if(results.begin(), results.end(), [&](const CaseResult& result) {
      return (result.*target).verdict == verdict;
    });
  };
  return str_cat(count(Verdict::kOk), " ok, ", count(Verdict::kWrong), " wrong, ",
                 count(Verdict::kSkipped), " skipped");
}

bool is_wrong(const CaseResult& result) {
  return result.emulated.verdict == Verdict::kWrong || result.cuda.verdict == Verdict::kWrong;
}

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

nlohmann::ordered_json json_of(const CudaDevice& device) {
  if (!device.usable) return {{"none", device.why_not}};
  return {
      {"name", device.info.name},
      {"compute_capability", str_cat(device.info.compute_major, ".", device.info.compute_minor)},
      {"code_architecture", device.features.architecture},
      {"driver", version_text(device.driver_version)},
      {"runtime", version_text(device.runtime_version)}};
}

}  // namespace

std::string text_of(const Outcome& outcome) {
  if (outcome.verdict == Verdict::kOk) return "ok";
  return outcome.verdict == Verdict::kSkipped ? "skipped: " + outcome.why : outcome.why;
}

std::string line_of(const CaseResult& result) {
  return padded(result.name, kNameWidth) + " | " + padded(text_of(result.emulated), 8) + " | " +
         text_of(result.cuda);
}

std::string summary_of(const Report& report) {
  return str_cat(report.results.size(),
                 " cases. emulated: ", counts_of(report.results, &CaseResult::emulated),
                 "; cuda: ", counts_of(report.results, &CaseResult::cuda));
}

std::string device_line(const CudaDevice& device) {
  if (!device.usable) return "GPU cases skipped: " + device.why_not;
  return str_cat("GPU: ", device.info.name, ", compute capability ", device.info.compute_major, ".",
                 device.info.compute_minor, ", code of sm_", device.features.architecture / 10,
                 ", driver for CUDA ", version_text(device.driver_version));
}

std::string wrong_lines(const Report& report) {
  std::string lines;
  for (const CaseResult& result : report.results) {
    if (is_wrong(result)) lines += line_of(result) + "\n";
  }
  return lines;
}

bool any_wrong(const Report& report) {
  return std::any_of(report.results.begin(), report.results.end(), is_wrong);
}

Status write_json(const Report& report, const std::string& path) {
  nlohmann::ordered_json json = {{"program", "conformance"},
                                 {"date", date_text()},
                                 {"device", json_of(report.device)},
                                 {"emulator_seeds", report.seeds},
                                 {"input_seed", report.input_seed},
                                 {"summary", summary_of(report)},
                                 {"cases", nlohmann::ordered_json::array()}};
  for (const CaseResult& result : report.results) {
    json["cases"].push_back({{"name", result.name},
                             {"emulated", text_of(result.emulated)},
                             {"cuda", text_of(result.cuda)}});
  }
  std::ofstream file(path);
  file << json.dump(1) << "\n";
  file.close();
  return file ? Status() : unavailable("cannot write " + path);
}

}  // namespace yolocu::conformance

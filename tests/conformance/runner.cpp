#include "tests/conformance/runner.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/base/str_cat.h"
#include "kernels/emulation/runtime.h"
#include "tests/conformance/compare.h"

namespace yolocu::conformance {
namespace {

using emulation::AsyncDelivery;

// The first context of a machine may have to wait for its driver to load. Then one takes 0.3 s on
// an H100, and a case milliseconds.
constexpr std::chrono::milliseconds kQueryLimit{60000}, kCaseLimit{10000};

Outcome wrong(std::string why) {
  return {Verdict::kWrong, std::move(why)};
}

std::string seed_text(uint64_t seed, AsyncDelivery delivery) {
  return str_cat("seed ", seed, delivery == AsyncDelivery::kLate ? ", late" : ", early", ": ");
}

std::string needs_text(Needs needs) {
  switch (needs) {
    case Needs::kSm80: return "sm_80";
    case Needs::kSm89: return "sm_89";
    case Needs::kSm90: return "sm_90";
    case Needs::kMulticast: return "sm_90a or sm_100a";
    case Needs::kWgmma: break;
  }
  return "sm_90a";
}

// As JSON, so that it can come from another process.
Result<Bytes> describe_cuda_device() {
  YOLOCU_ASSIGN_OR_RETURN(const DeviceList list, query_devices());
  YOLOCU_ASSIGN_OR_RETURN(const std::unique_ptr<DeviceRuntime> runtime, cuda_runtime());
  YOLOCU_ASSIGN_OR_RETURN(const CodeFeatures features, query_code_features(*runtime));
  const DeviceInfo& info = runtime->info();
  const nlohmann::json json = {{"name", info.name},
                               {"major", info.compute_major},
                               {"minor", info.compute_minor},
                               {"driver", list.driver_version},
                               {"runtime", list.runtime_version},
                               {"features",
                                {features.architecture, features.has_sm89, features.has_sm90,
                                 features.has_multicast, features.has_wgmma}}};
  const std::string text = json.dump();
  return Bytes(text.begin(), text.end());
}

}  // namespace

bool has(const CodeFeatures& features, Needs needs) {
  switch (needs) {
    case Needs::kSm80: return true;
    case Needs::kSm89: return features.has_sm89 != 0;
    case Needs::kSm90: return features.has_sm90 != 0;
    case Needs::kMulticast: return features.has_multicast != 0;
    case Needs::kWgmma: break;
  }
  return features.has_wgmma != 0;
}

CudaDevice find_cuda_device() {
  IsolatedWorker worker([](size_t) { return describe_cuda_device(); }, kQueryLimit);
  const Result<Bytes> described = worker.run(0);
  if (!described.ok()) return {.why_not = described.status().message()};
  const auto json = nlohmann::json::parse(described->begin(), described->end());
  const auto features = json["features"].get<std::vector<int32_t>>();
  return {.usable = true,
          .info = {.name = json["name"],
                   .compute_major = json["major"],
                   .compute_minor = json["minor"]},
          .driver_version = json["driver"],
          .runtime_version = json["runtime"],
          .features = {features[0], features[1], features[2], features[3], features[4]}};
}

Result<Bytes> run_case(const Case& test, DeviceRuntime& runtime, const Bytes& input) {
  YOLOCU_ASSIGN_OR_RETURN(const OwnedStream stream, make_stream(runtime));
  const auto input_bytes = static_cast<int64_t>(input.size());
  YOLOCU_ASSIGN_OR_RETURN(const DeviceMemory in,
                          DeviceMemory::create(runtime, std::max<int64_t>(input_bytes, 1), "in"));
  YOLOCU_ASSIGN_OR_RETURN(const DeviceMemory out,
                          DeviceMemory::create(runtime, test.output_bytes, "out"));
  YOLOCU_RETURN_IF_ERROR(runtime.upload(in.data(), input.data(), input_bytes, stream.get()));
  YOLOCU_RETURN_IF_ERROR(runtime.fill(out.data(), kUnwritten, test.output_bytes, stream.get()));
  YOLOCU_RETURN_IF_ERROR(
      test.run({.out = out.data<uint8_t>(), .in = in.data<uint8_t>(), .stream = stream.get()}));
  Bytes output(static_cast<size_t>(test.output_bytes));
  YOLOCU_RETURN_IF_ERROR(
      runtime.download(output.data(), out.data(), test.output_bytes, stream.get()));
  YOLOCU_RETURN_IF_ERROR(runtime.synchronize_stream(stream.get()));
  return output;
}

EmulatedRuns judge_emulated(const Case& test, const Bytes& input, int seeds) {
  Bytes first;
  for (uint64_t seed = 1; seed <= static_cast<uint64_t>(seeds); ++seed) {
    for (const AsyncDelivery delivery : {AsyncDelivery::kLate, AsyncDelivery::kEarly}) {
      emulation::EmulatedRuntime runtime({.seed = seed, .delivery = delivery});
      const Result<Bytes> output = run_case(test, runtime, input);
      if (!output.ok()) return {wrong(seed_text(seed, delivery) + output.status().message())};
      if (first.empty()) first = *output;
      const std::string apart = difference(*output, std::span<const uint8_t>(first));
      if (!apart.empty()) return {wrong(seed_text(seed, delivery) + "not as seed 1: " + apart)};
    }
  }
  const std::string unexpected = difference(first, test.expect(input));
  return {unexpected.empty() ? Outcome{} : wrong(unexpected), first};
}

IsolatedWorker case_worker(const Cases& cases, uint64_t input_seed, MakeRuntime make_runtime) {
  auto work = [&cases, input_seed, make_runtime = std::move(make_runtime),
               runtime = std::shared_ptr<DeviceRuntime>()](size_t item) mutable -> Result<Bytes> {
    if (!runtime) {
      YOLOCU_ASSIGN_OR_RETURN(runtime, make_runtime());
    }
    return run_case(cases[item], *runtime, cases[item].input(input_seed));
  };
  return IsolatedWorker(std::move(work), kCaseLimit);
}

Outcome can_run(const Case& test, const CudaDevice& device) {
  if (!device.usable) return {Verdict::kSkipped, device.why_not};
  if (has(device.features, test.needs)) return {};
  return {Verdict::kSkipped,
          str_cat("needs ", needs_text(test.needs), ", the code for this device is of sm_",
                  device.features.architecture / 10)};
}

Outcome judge_cuda(const Case& test, const Bytes& input, const Result<Bytes>& output,
                   const Bytes& emulated) {
  if (!output.ok()) return wrong(output.status().message());
  const Expectation expected = test.expect(input);
  const std::string unexpected = difference(*output, expected);
  if (!unexpected.empty()) return wrong(unexpected);
  if (emulated.empty()) return {};
  const std::string apart = difference_between(*output, emulated, expected.tolerance);
  return apart.empty() ? Outcome{} : wrong("as emulated: " + apart);
}

}  // namespace yolocu::conformance

#include "apps/bench_output.h"

#include <nlohmann/json.hpp>

#include "apps/console.h"
#include "apps/text_table.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kEmulatedNote =
    "emulated: the host's time for the emulation, which says nothing of a GPU";

std::string size_text(InputSize size) {
  return str_cat(size.width, "x", size.height);
}

double gflops(const BenchResult& result) {
  return result.flops / (result.network.median_ms * 1e6);
}

void add_times(Json& json, const TimeSummary& times) {
  json["median_ms"] = times.median_ms;
  json["min_ms"] = times.min_ms;
  json["p99_ms"] = times.p99_ms;
  json["iterations"] = times.iterations;
}

std::string times_text(const TimeSummary& times) {
  return str_cat(fixed(times.median_ms, 3), " ms median, ", fixed(times.min_ms, 3), " min, ",
                 fixed(times.p99_ms, 3), " p99 of ", times.iterations);
}

double step_gflops(const StepTime& step) {
  return step.median_ms > 0 ? step.flops / (step.median_ms * 1e6) : 0;
}

Json layers_json(const std::vector<StepTime>& layers) {
  Json list = Json::array();
  for (const StepTime& step : layers) {
    list.push_back({{"node", step.node},
                    {"implementation", step.implementation},
                    {"median_ms", step.median_ms},
                    {"mflops", step.flops / 1e6},
                    {"gflops", step_gflops(step)}});
  }
  return list;
}

std::string layers_text(const std::vector<StepTime>& layers) {
  std::vector<TableRow> rows = {{"layer", "kernel", "ms", "MFLOPs", "GFLOP/s"}};
  for (const StepTime& step : layers) {
    const bool computes = step.flops > 0;
    rows.push_back({step.node, step.implementation, fixed(step.median_ms, 3),
                    computes ? fixed(step.flops / 1e6, 1) : "",
                    computes ? fixed(step_gflops(step), 1) : ""});
  }
  return text_table(rows,
                    {Align::kLeft, Align::kLeft, Align::kRight, Align::kRight, Align::kRight});
}

std::string end_to_end_text(const BenchResult& result) {
  if (result.batch > 1) return "not measured: pictures go one by one, see --batch 1";
  if (!result.end_to_end) return "not measured";
  const std::string from =
      result.image.empty() ? "a picture" : one_line(result.image) + ", decoding included,";
  return str_cat(times_text(*result.end_to_end), ", ", from, " of ", size_text(result.picture));
}

}  // namespace

std::string bench_json(const BenchResult& result) {
  Json json;
  json["model"] = result.model;
  json["architecture"] = result.architecture;
  json["device"] = device_name(result.device);
  json["precision"] = precision_name(result.precision);
  json["batch"] = result.batch;
  json["size"] = size_text(result.size);
  json["threads"] = result.threads;
  add_times(json, result.network);
  json["gflops"] = gflops(result);
  json["end_to_end"] = nullptr;
  if (result.end_to_end) {
    Json& end_to_end = json["end_to_end"] = Json::object();
    end_to_end["picture"] = size_text(result.picture);
    if (!result.image.empty()) end_to_end["image"] = result.image;
    end_to_end["batch"] = 1;
    add_times(end_to_end, *result.end_to_end);
  }
  if (!result.layers.empty()) json["layers"] = layers_json(result.layers);
  if (result.device == Device::kEmulated) json["note"] = kEmulatedNote;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string bench_text(const BenchResult& result) {
  std::string text =
      str_cat(one_line(result.model), " (", one_line(result.architecture), "), ",
              size_text(result.size), ", batch ", result.batch, ", ",
              precision_name(result.precision), " on ", device_name(result.device), ", ",
              result.threads, result.threads == 1 ? " thread\n" : " threads\n");
  text += str_cat("  network     ", times_text(result.network), ", ", fixed(gflops(result), 1),
                  " GFLOP/s\n");
  text += str_cat("  end to end  ", end_to_end_text(result), "\n");
  if (result.device == Device::kEmulated) text += str_cat("  ", kEmulatedNote, "\n");
  if (!result.layers.empty()) text += "\n" + layers_text(result.layers);
  return text;
}

}  // namespace yolocu

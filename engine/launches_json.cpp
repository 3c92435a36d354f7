#include "engine/launches_json.h"

#include <nlohmann/json.hpp>

namespace yolocu {
namespace {

nlohmann::ordered_json record_json(const LaunchRecord& record) {
  const auto extents = [](const Extent3& e) { return nlohmann::ordered_json{e.x, e.y, e.z}; };
  nlohmann::ordered_json json = {{"kernel", record.kernel},
                                 {"grid", extents(record.grid)},
                                 {"block", extents(record.block)},
                                 {"shared_bytes", record.shared_bytes}};
  if (record.counters) {
    const emulation::Counters& c = *record.counters;
    json["tensor_flops"] = c.tensor_flops;
    json["sectors"] = c.global_sectors;
    json["bank_conflicts"] = c.shared_passes - c.shared_ideal_passes;
    json["bytes_read"] = c.global_read_bytes;
    json["bytes_written"] = c.global_written_bytes;
  }
  return json;
}

}  // namespace

std::string launches_json(std::span<const LaunchRecord> launches) {
  std::string text = "{\"launches\":[";
  for (size_t i = 0; i < launches.size(); ++i) {
    text += i == 0 ? "\n" : ",\n";
    text += record_json(launches[i]).dump();
  }
  return text + (launches.empty() ? "]}\n" : "\n]}\n");
}

}  // namespace yolocu

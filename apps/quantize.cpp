#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/image_io.h"
#include "apps/inputs.h"
#include "apps/model_source.h"
#include "apps/text_table.h"
#include "engine/base/str_cat.h"
#include "engine/preprocess/letterbox.h"
#include "engine/quantize/quantizer.h"
#include "weights/format/file_io.h"
#include "weights/format/packed_file.h"

namespace yolocu {
namespace {

using nlohmann::ordered_json;
using quantize::QuantizedModel;
using quantize::QuantizeReport;
using quantize::UnitReport;

struct Pictures {
  std::vector<std::string> paths;
  ExitCode exit_code = kExitOk;  // kExitFailure: some could not be read
};

// At most `limit` readable pictures, evenly from all. Others are reported and left out.
Result<Pictures> find_pictures(const QuantizeArguments& arguments) {
  std::vector<std::string> all;
  for (const std::string& input : arguments.images) {
    YOLOCU_ASSIGN_OR_RETURN(const std::vector<std::string> found, expand_input(input));
    all.insert(all.end(), found.begin(), found.end());
  }
  Pictures pictures;
  const size_t count = std::min(all.size(), static_cast<size_t>(arguments.limit));
  for (size_t i = 0; i < count; ++i) {
    const std::string& path = all[i * all.size() / count];
    const Status status = read_image(path).status();
    if (status.ok()) {
      pictures.paths.push_back(path);
    } else {
      report_failure(status);
      pictures.exit_code = kExitFailure;
    }
  }
  if (!pictures.paths.empty()) return pictures;
  return not_found("none of the pictures can be read; --images needs some like those to detect in");
}

Result<QuantizedModel> quantize_with(const std::vector<std::string>& paths,
                                     const std::shared_ptr<const Model>& model,
                                     const QuantizeArguments& arguments) {
  const ModelSpec& spec = model->spec;
  const quantize::QuantizeOptions options = {
      .calibration = arguments.calibration,
      .keep = arguments.keep,
      .max_error = arguments.max_error,
      .max_float = arguments.max_float,
      .error_pictures = arguments.error_pictures,
      .height = arguments.size.height > 0 ? arguments.size.height : spec.input_size,
      .width = arguments.size.width > 0 ? arguments.size.width : spec.input_size,
      .threads = arguments.threads};
  std::vector<uint8_t> scratch;
  const auto load = [&](int64_t index, std::span<float> input) -> Status {
    YOLOCU_ASSIGN_OR_RETURN(const Image picture, read_image(paths[static_cast<size_t>(index)]));
    return letterbox(input, options.height, options.width, spec.letterbox.pad_value, picture.view(),
                     scratch);
  };
  return quantize::quantize_model(model, static_cast<int64_t>(paths.size()), load, options);
}

std::string percent(double part, double whole) {
  return fixed(whole > 0 ? 100 * part / whole : 0, 1) + " %";
}

struct LayerCount {
  size_t int8 = 0, all = 0;
};

LayerCount count_layers(const QuantizeReport& report) {
  LayerCount count{.all = report.fixed_in_float.size()};
  for (const UnitReport& unit : report.units) {
    count.all += unit.convolutions.size();
    if (unit.is_int8) count.int8 += unit.convolutions.size();
  }
  return count;
}

std::string int8_text(const QuantizeReport& report) {
  const LayerCount count = count_layers(report);
  return str_cat(count.int8, " of ", count.all, " convolutions, ",
                 percent(report.int8_flops, report.flops), " of ", fixed(report.flops / 1e9, 2),
                 " GFLOPs");
}

// The notes of the source and what was done, for `info`: the keys of FORMAT.md.
PackedNotes notes_of(const QuantizeArguments& arguments, const QuantizeReport& report,
                     size_t pictures) {
  const auto file = map_file(arguments.model);
  PackedNotes notes = file.ok() ? read_packed_notes(file->bytes()) : PackedNotes{};
  notes["quantization.calibration"] =
      str_cat(quantize::calibration_name(arguments.calibration), ", ", pictures, " pictures at ",
              report.width, "x", report.height);
  notes["quantization.layers"] = int8_text(report);
  notes["quantization.error"] = fixed(report.error, 4);
  return notes;
}

// Of one name, or "model.15.cv1 and 4 more".
std::string layer_names(const Graph& graph, const std::vector<int>& nodes) {
  const std::string name = one_line(graph.nodes[static_cast<size_t>(nodes.front())].name);
  return nodes.size() == 1 ? name : str_cat(name, " and ", nodes.size() - 1, " more");
}

std::string kept_table(const Graph& graph, const QuantizeReport& report) {
  std::vector<TableRow> rows = {{"in floating point", "MFLOPs", "error if int8", "why"}};
  for (const UnitReport& unit : report.units) {
    if (unit.is_int8) continue;
    rows.push_back({layer_names(graph, unit.convolutions), fixed(unit.flops / 1e6, 1),
                    fixed(unit.error, 4), "sensitive"});
  }
  for (const int node : report.fixed_in_float) {
    rows.push_back({layer_names(graph, {node}), "", "", "reads the picture, or what a head holds"});
  }
  if (rows.size() == 1) return "";
  return text_table(rows, {Align::kLeft, Align::kRight, Align::kRight, Align::kLeft});
}

std::string report_text(const QuantizeArguments& arguments, const Graph& graph,
                        const QuantizeReport& report, size_t pictures) {
  return str_cat(one_line(arguments.output), ": int8 in ", int8_text(report), "; ",
                 quantize::calibration_name(arguments.calibration), " calibration on ", pictures,
                 " pictures at ", report.width, "x", report.height,
                 "\nerror of the predictions: ", fixed(report.error, 4),
                 " (all in int8: ", fixed(report.error_of_all, 4), ")\n",
                 kept_table(graph, report));
}

ordered_json layer_json(const Graph& graph, const UnitReport& unit) {
  ordered_json layers = ordered_json::array();
  for (const int node : unit.convolutions) {
    layers.push_back(one_line(graph.nodes[static_cast<size_t>(node)].name));
  }
  return {{"convolutions", layers},
          {"int8", unit.is_int8},
          {"error_alone", unit.error},
          {"flops", unit.flops}};
}

std::string report_json(const QuantizeArguments& arguments, const Graph& graph,
                        const QuantizeReport& report, size_t pictures) {
  ordered_json units = ordered_json::array();
  for (const UnitReport& unit : report.units) units.push_back(layer_json(graph, unit));
  ordered_json fixed_in_float = ordered_json::array();
  for (const int node : report.fixed_in_float) {
    fixed_in_float.push_back(one_line(graph.nodes[static_cast<size_t>(node)].name));
  }
  const LayerCount count = count_layers(report);
  const ordered_json document = {{"model", one_line(arguments.model)},
                                 {"output", one_line(arguments.output)},
                                 {"calibration", quantize::calibration_name(arguments.calibration)},
                                 {"pictures", pictures},
                                 {"height", report.height},
                                 {"width", report.width},
                                 {"convolutions", count.all},
                                 {"int8_convolutions", count.int8},
                                 {"flops", report.flops},
                                 {"int8_flops", report.int8_flops},
                                 {"error_all_int8", report.error_of_all},
                                 {"error", report.error},
                                 {"units", std::move(units)},
                                 {"fixed_in_float", std::move(fixed_in_float)}};
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<ExitCode> quantize_file(const QuantizeArguments& arguments) {
  std::error_code error;
  if (std::filesystem::equivalent(arguments.model, arguments.output, error)) {
    return invalid_argument(arguments.output + ": the output would replace the model");
  }
  YOLOCU_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, open_model(arguments.model));
  YOLOCU_ASSIGN_OR_RETURN(const Pictures pictures, find_pictures(arguments));
  const auto quantized = quantize_with(pictures.paths, model, arguments);
  if (!quantized.ok()) return quantized.status().with_context(arguments.model);
  const QuantizeReport& report = quantized->report;
  const size_t count = pictures.paths.size();
  YOLOCU_RETURN_IF_ERROR(
      write_packed_file(*quantized->model, arguments.output, notes_of(arguments, report, count)));
  const Graph& graph = model->spec.graph;
  const std::string json = report_json(arguments, graph, report, count);
  if (arguments.json == "-") {
    YOLOCU_RETURN_IF_ERROR(print(json));
  } else {
    YOLOCU_RETURN_IF_ERROR(print(report_text(arguments, graph, report, count)));
    if (!arguments.json.empty()) {
      YOLOCU_RETURN_IF_ERROR(write_file(arguments.json, std::as_bytes(std::span(json))));
    }
  }
  return pictures.exit_code;
}

}  // namespace

int quantize_command(const QuantizeArguments& arguments) {
  const Result<ExitCode> outcome = quantize_file(arguments);
  return outcome.ok() ? *outcome : report_failure(outcome.status());
}

}  // namespace yolocu

#include <algorithm>
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/embedded_model.h"
#include "apps/model_source.h"
#include "apps/plan_table.h"
#include "apps/text_table.h"
#include "engine/base/checked.h"
#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"
#include "weights/format/file_io.h"
#include "weights/format/packed_file.h"
#include "weights/format/quantization.h"

namespace yolocu {
namespace {

struct Description {
  const Model& model;
  std::vector<ValueShape> shapes;
  int64_t height = 0, width = 0;  // of the network input
};

Result<Description> describe(const Model& model, InputSize size) {
  YOLOCU_ASSIGN_OR_RETURN(std::vector<ValueShape> shapes, infer_shapes(model.spec.graph));
  const int64_t width = size.width > 0 ? size.width : model.spec.input_size;
  const int64_t height = size.height > 0 ? size.height : model.spec.input_size;
  YOLOCU_RETURN_IF_ERROR(check_input_size(shapes, height, width));
  return Description{model, std::move(shapes), height, width};
}

std::string file_size_text(const std::string& path) {
  std::error_code error;
  const auto bytes = path.empty() ? embedded_model().size()
                                  : static_cast<size_t>(std::filesystem::file_size(path, error));
  return error ? "unknown" : fixed(static_cast<double>(bytes) / 1e6, 2) + " MB";
}

std::string class_list(std::span<const std::string> names) {
  constexpr size_t kShown = 10;
  std::string text = str_cat(names.size(), ": ");
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + one_line(names[i]);
  }
  return text + (names.size() > kShown ? ", ..." : "");
}

// The notes of the file, of which a file of an older writer has none.
PackedNotes notes_of(const std::string& path) {
  if (path.empty()) return read_packed_notes(embedded_model());
  const auto file = map_file(path);
  return file.ok() ? read_packed_notes(file->bytes()) : PackedNotes{};
}

bool is_int8(const Op& op) {
  const auto* conv = std::get_if<ConvOp>(&op);
  return conv != nullptr && !conv->accumulator_scale.empty();
}

std::string int8_text(const Description& d) {
  const Graph& graph = d.model.spec.graph;
  double flops = 0;
  int64_t count = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!is_int8(graph.nodes[i].op)) continue;
    ++count;
    flops += conv_node_flops(graph, d.shapes, i, d.height, d.width);
  }
  const double all = conv_flops(graph, d.shapes, d.height, d.width);
  return str_cat(count, " convolutions, ", fixed(100 * flops / all, 1), " % of the compute");
}

std::string card(const Description& d, const std::string& path) {
  const ModelSpec& spec = d.model.spec;
  const ModelSummary summary = summarize(d.model);
  const std::string size = str_cat(d.width, "x", d.height);
  std::string text = one_line(model_label(path)) + "\n";
  const auto line = [&](std::string_view key, const std::string& value) {
    text += "  " + padded(key, 14) + one_line(value) + "\n";
  };
  line("architecture", spec.architecture);
  line("classes", class_list(spec.class_names));
  line("layers", str_cat(summary.layers, ", of which ", summary.convolutions, " convolutions"));
  line("parameters", str_cat(quantity(summary.parameters), ", weights ", summary.weight_types));
  line("compute", fixed(conv_flops(d.model.spec.graph, d.shapes, d.height, d.width) / 1e9, 2) +
                      " GFLOPs at " + size);
  if (is_quantized(spec.graph)) line("int8", int8_text(d));
  line("predictions",
       str_cat(prediction_count(spec.graph, d.shapes, d.height, d.width), " at ", size));
  line("input", str_cat("default ", spec.input_size, "x", spec.input_size, ", any multiple of ",
                        graph_stride(d.shapes)));
  line("letterbox", str_cat("centred, padded with ", spec.letterbox.pad_value));
  line("source", spec.source_name.empty() ? "unknown" : spec.source_name);
  if (!spec.source_sha256.empty()) line("", "sha256 " + spec.source_sha256);
  const PackedNotes notes = notes_of(path);
  const auto note = [&](std::string_view key, std::string_view shown, const std::string& unit) {
    const auto found = notes.find(key);
    if (found != notes.end()) line(shown, printable(found->second) + unit);
  };
  note("conversion.dialect", "dialect", "");
  note("conversion.folded", "folded", "");
  note("conversion.head", "head", "");
  note("conversion.branch", "branch", "");
  note("conversion.dropped_nodes", "dropped", " nodes that the predictions do not need");
  note("quantization.calibration", "calibration", "");
  note("quantization.error", "int8 error", " of the predictions when it was quantized");
  line("file", file_size_text(path) + ", checksum ok");  // opening has verified it
  return text;
}

std::string shape_of(const Description& d, size_t node) {
  const ValueShape& shape = d.shapes[node];
  if (shape.kind == ValueShape::Kind::kPredictions) {
    return str_cat(prediction_count(d.model.spec.graph, d.shapes, d.height, d.width), " x ",
                   shape.channels);
  }
  return str_cat(shape.extent.at(d.height), "x", shape.extent.at(d.width), "x", shape.channels);
}

// "3x3 stride 2 groups 4 silu" of a convolution, the window of a pool, empty for others.
std::string attributes(const Op& op) {
  if (const auto* conv = std::get_if<ConvOp>(&op)) {
    std::string text = str_cat(conv->kernel, "x", conv->kernel);
    if (conv->stride != 1) text += str_cat(" stride ", conv->stride);
    if (conv->groups != 1) text += str_cat(" groups ", conv->groups);
    if (conv->activation != Activation::kNone) {
      text += str_cat(" ", activation_name(conv->activation));
    }
    if (is_int8(op)) text += " int8";
    return text;
  }
  const auto window = [](const auto& pool) {
    return str_cat(pool.kernel, "x", pool.kernel, " stride ", pool.stride);
  };
  if (const auto* pool = std::get_if<MaxPoolOp>(&op)) return window(*pool);
  if (const auto* pool = std::get_if<AvgPoolOp>(&op)) return window(*pool);
  return "";
}

TableRow layer_row(const Description& d, size_t node) {
  const Node& n = d.model.spec.graph.nodes[node];
  TableRow row = {std::to_string(node),
                  n.name,
                  std::string(op_name(n.op)),
                  shape_of(d, node),
                  attributes(n.op),
                  "",
                  ""};
  const auto* conv = std::get_if<ConvOp>(&n.op);
  if (conv == nullptr) return row;
  const int64_t in_channels = d.shapes[static_cast<size_t>(n.inputs[0])].channels;
  const int64_t weights = checked_element_count(conv_weight_shape(*conv, in_channels)).value_or(0);
  const double flops = conv_node_flops(d.model.spec.graph, d.shapes, node, d.height, d.width);
  row[5] = std::to_string(weights + (conv->bias.empty() ? 0 : conv->out_channels));
  row[6] = fixed(flops / 1e6, 1);
  return row;
}

std::string layer_table(const Description& d) {
  std::vector<TableRow> rows = {
      {"#", "name", "op", "output", "attributes", "parameters", "MFLOPs"}};
  for (size_t i = 0; i < d.shapes.size(); ++i) rows.push_back(layer_row(d, i));
  return "\n" + text_table(rows, std::vector<Align>(rows[0].size(), Align::kLeft));
}

// The plan of the GPU unless another device is asked for: the only one with kernels of ours.
Result<std::string> plan_of(const InfoArguments& arguments, std::shared_ptr<const Model> model) {
  const Device device = arguments.device == Device::kAuto ? Device::kCuda : arguments.device;
  YOLOCU_ASSIGN_OR_RETURN(const PlanReport report, report_plan(std::move(model), device,
                                                               {.batch = arguments.batch,
                                                                .height = arguments.size.height,
                                                                .width = arguments.size.width,
                                                                .precision = arguments.precision}));
  return plan_table(report);
}

Status info(const InfoArguments& arguments) {
  YOLOCU_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> model, open_model(arguments.model));
  const Result<Description> description = describe(*model, arguments.size);
  if (!description.ok()) return description.status().with_context(model_label(arguments.model));
  std::string text = card(*description, arguments.model);
  if (arguments.layers == LayerTable::kShow) text += layer_table(*description);
  if (arguments.plan == PlanTable::kShow) {
    const Result<std::string> plan = plan_of(arguments, model);
    if (!plan.ok()) return plan.status().with_context(model_label(arguments.model));
    text += *plan;
  }
  return print(text);
}

}  // namespace

int info_command(const InfoArguments& arguments) {
  return report(info(arguments));
}

}  // namespace yolocu

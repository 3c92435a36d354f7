#include "weights/format/graph_json.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <variant>

#include "engine/base/str_cat.h"
#include "weights/format/strict_json.h"

namespace yolocu {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int64_t kMaxAttribute = std::numeric_limits<int32_t>::max();
constexpr std::string_view kLetterboxPolicy = "centered";

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// Names go into one-line messages and tables, so they hold no control characters.
Status check_name(std::string_view what, const std::string& name) {
  if (name.empty() || name.size() > 255 || std::any_of(name.begin(), name.end(), is_control)) {
    return invalid_argument(str_cat(what, " ", quote_name(name),
                                    ": expected 1 to 255 bytes without control characters"));
  }
  return {};
}

Result<Activation> parse_activation(const std::string& name) {
  for (const Activation activation :
       {Activation::kNone, Activation::kSilu, Activation::kLeakyRelu, Activation::kRelu}) {
    if (activation_name(activation) == name) return activation;
  }
  return unsupported("unknown activation " + quote_name(name));
}

// The attributes of each op, in the order of the document. One list serves reading and writing:
// a visitor gets the stored name and the member.
template <typename V>
void visit_attributes(V& v, InputOp& op) {
  v("channels", op.channels);
}
template <typename V>
void visit_attributes(V& v, ConvOp& op) {
  v("out_channels", op.out_channels);
  v("kernel", op.kernel);
  v("stride", op.stride);
  v("padding", op.padding);
  v("groups", op.groups);
  v("activation", op.activation);
  if (op.activation == Activation::kLeakyRelu) v("negative_slope", op.negative_slope);
  v("weight", op.weight);
  v("bias", op.bias);
  if (v.version < 2) return;
  v("accumulator_scale", op.accumulator_scale);
  v("output_scale", op.output_scale);
}
template <typename V>
void visit_attributes(V& v, MaxPoolOp& op) {
  v("kernel", op.kernel);
  v("stride", op.stride);
  v("padding", op.padding);
}
template <typename V>
void visit_attributes(V& v, AvgPoolOp& op) {
  v("kernel", op.kernel);
  v("stride", op.stride);
}
template <typename V>
void visit_attributes(V& v, UpsampleOp& op) {
  v("factor", op.factor);
}
template <typename V>
void visit_attributes(V&, ConcatOp&) {}
template <typename V>
void visit_attributes(V& v, AddOp& op) {
  if (v.version >= 2) v("output_scale", op.output_scale);
}
template <typename V>
void visit_attributes(V& v, SliceOp& op) {
  v("begin", op.begin);
  v("channels", op.channels);
}
template <typename V>
void visit_attributes(V&, SpaceToDepthOp&) {}
template <typename V>
void visit_attributes(V& v, DecodeDflOp& op) {
  v("classes", op.classes);
  v("bins", op.bins);
  v("strides", op.strides);
}
template <typename V>
void visit_attributes(V& v, DecodeAnchorOp& op) {
  v("classes", op.classes);
  v("strides", op.strides);
  v("anchors", op.anchors);
}

// Writes attributes. fp32 becomes the shortest decimal of its exact value as fp64, so it is read
// back bit by bit.
struct AttributeWriter {
  ordered_json& out;
  int version = 1;

  template <typename T>
  void operator()(const char* name, const T& value) {
    out[name] = value;
  }
  void operator()(const char* name, Activation value) { out[name] = activation_name(value); }
};

// Reads attributes.
struct AttributeReader {
  Fields& in;
  int version = 1;

  void operator()(const char* name, int64_t& value) { value = in.integer(name, 0, kMaxAttribute); }
  void operator()(const char* name, float& value) { value = in.number(name); }
  void operator()(const char* name, std::string& value) { value = in.text(name); }
  void operator()(const char* name, std::vector<float>& value) { value = in.numbers(name); }
  void operator()(const char* name, std::vector<std::vector<float>>& value) {
    value = in.number_lists(name);
  }
  void operator()(const char* name, Activation& value) {
    const std::string text = in.text(name);
    if (!in.ok()) return;
    const auto parsed = parse_activation(text);
    in.require(parsed.status(), str_cat("'", name, "'"));
    if (parsed.ok()) value = *parsed;
  }
};

// The op called `name` with default attributes.
template <size_t I = 0>
std::optional<Op> default_op(std::string_view name) {
  if constexpr (I < std::variant_size_v<Op>) {
    const Op op(std::in_place_index<I>);
    return op_name(op) == name ? op : default_op<I + 1>(name);
  } else {
    return std::nullopt;
  }
}

// "H", "H/8" or "H/8-1".
std::string extent_text(char axis, Extent extent) {
  std::string text(1, axis);
  if (extent.divisor != 1) text += "/" + std::to_string(extent.divisor);
  if (extent.offset > 0) text += '+';
  if (extent.offset != 0) text += std::to_string(extent.offset);
  return text;
}

template <typename Json>
Json shape_json(const ValueShape& shape) {
  if (shape.kind == ValueShape::Kind::kPredictions) return {"N", "A", shape.channels};
  return {"N", extent_text('H', shape.extent), extent_text('W', shape.extent), shape.channels};
}

Status check_tensor_names(const Op& op) {
  const auto* conv = std::get_if<ConvOp>(&op);
  if (conv == nullptr) return {};
  YOLOCU_RETURN_IF_ERROR(check_name("weight", conv->weight));
  for (const auto& [what, name] : {std::pair("bias", &conv->bias),
                                   std::pair("accumulator_scale", &conv->accumulator_scale)}) {
    if (!name->empty()) YOLOCU_RETURN_IF_ERROR(check_name(what, *name));
  }
  return {};
}

ordered_json node_json(const Node& node, const ValueShape& shape, int version) {
  ordered_json attributes = ordered_json::object();
  AttributeWriter writer{attributes, version};
  std::visit([&](auto op) { visit_attributes(writer, op); }, node.op);
  return {{"name", node.name},
          {"op", op_name(node.op)},
          {"inputs", node.inputs},
          {"attributes", std::move(attributes)},
          {"shape", shape_json<ordered_json>(shape)}};
}

Result<Op> parse_op(const std::string& name, const json& attributes, int version) {
  std::optional<Op> op = default_op(name);
  if (!op) return unsupported("unknown op " + quote_name(name));
  Fields fields(attributes);
  AttributeReader reader{fields, version};
  std::visit([&](auto& concrete) { visit_attributes(reader, concrete); }, *op);
  YOLOCU_RETURN_IF_ERROR(fields.finish().with_context(name));
  YOLOCU_RETURN_IF_ERROR(check_tensor_names(*op).with_context(name));
  return std::move(*op);
}

Result<Node> parse_node(const json& value, int version) {
  Fields fields(value);
  Node node{.name = fields.text("name"), .inputs = {}, .op = {}};
  const std::string name = fields.text("op");
  for (const int64_t input : fields.integers("inputs", 0, kMaxAttribute)) {
    node.inputs.push_back(static_cast<int>(input));
  }
  const json& attributes = fields.object("attributes");
  fields.array("shape");  // compared once all shapes are known
  YOLOCU_RETURN_IF_ERROR(fields.finish());
  YOLOCU_RETURN_IF_ERROR(check_name("name", node.name));
  YOLOCU_ASSIGN_OR_RETURN(node.op, parse_op(name, attributes, version));
  return node;
}

Result<Graph> parse_graph(const json& nodes, int version) {
  Graph graph;
  for (const json& value : nodes) {
    auto node = parse_node(value, version);
    if (!node.ok()) {
      const bool named = value.is_object() && value.contains("name") && value["name"].is_string();
      const std::string name = named ? " " + quote_name(value["name"].get<std::string>()) : "";
      // A name that must not be written is, once it is read, a broken file.
      const Status error = node.status();
      const bool bad_name = error.code() == StatusCode::kInvalidArgument;
      return Status(bad_name ? StatusCode::kCorrupt : error.code(), error.message())
          .with_context(str_cat("node ", graph.nodes.size(), name));
    }
    graph.nodes.push_back(std::move(*node));
  }
  return graph;
}

// What is stored for readers that do not infer shapes must be what we infer.
Status check_stored_shapes(const json& nodes, int64_t stored_stride, const Graph& graph) {
  auto shapes = infer_shapes(graph);
  if (!shapes.ok()) return corrupt(shapes.status().message());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const json expected = shape_json<json>((*shapes)[i]);
    const json& stored = nodes[i]["shape"];
    if (stored != expected) {
      return corrupt(str_cat("node ", i, " ", quote_name(graph.nodes[i].name), ": expected shape ",
                             expected.dump(), ", got another one"));
    }
  }
  const int64_t stride = graph_stride(*shapes);
  if (stride == stored_stride) return {};
  return corrupt(str_cat("'stride': expected ", stride, ", got ", stored_stride));
}

Status parse_letterbox(const json& value, LetterboxPolicy& letterbox) {
  Fields fields(value);
  const std::string policy = fields.text("policy");
  letterbox.pad_value = static_cast<int>(fields.integer("pad_value", 0, 255));
  YOLOCU_RETURN_IF_ERROR(fields.finish());
  if (policy == kLetterboxPolicy) return {};
  return unsupported("unknown policy " + quote_name(policy));
}

Status parse_source(const json& value, ModelSpec& spec) {
  Fields fields(value);
  spec.source_name = fields.text("name");
  spec.source_sha256 = fields.text("sha256");
  return fields.finish();
}

Status check_texts(const ModelSpec& spec) {
  YOLOCU_RETURN_IF_ERROR(json_string(spec.architecture).status().with_context("architecture"));
  YOLOCU_RETURN_IF_ERROR(json_string(spec.source_name).status().with_context("source name"));
  for (const std::string& name : spec.class_names) {
    YOLOCU_RETURN_IF_ERROR(json_string(name).status().with_context("class name"));
  }
  for (const Node& node : spec.graph.nodes) {
    YOLOCU_RETURN_IF_ERROR(check_name("node", node.name));
    YOLOCU_RETURN_IF_ERROR(
        check_tensor_names(node.op).with_context("node " + quote_name(node.name)));
    YOLOCU_RETURN_IF_ERROR(json_string(node.name).status().with_context("node name"));
  }
  return {};
}

}  // namespace

Result<std::string> model_document(const ModelSpec& spec, const std::vector<ValueShape>& shapes,
                                   int version) {
  YOLOCU_RETURN_IF_ERROR(check_texts(spec));
  ordered_json document = {
      {"architecture", spec.architecture},
      {"class_names", spec.class_names},
      {"input_size", spec.input_size},
      {"stride", graph_stride(shapes)},
      {"letterbox", {{"policy", kLetterboxPolicy}, {"pad_value", spec.letterbox.pad_value}}},
      {"source", {{"name", spec.source_name}, {"sha256", spec.source_sha256}}}};
  ordered_json nodes = ordered_json::array();
  for (size_t i = 0; i < spec.graph.nodes.size(); ++i) {
    nodes.push_back(node_json(spec.graph.nodes[i], shapes[i], version));
  }
  document["nodes"] = std::move(nodes);
  try {
    return document.dump();
  } catch (const json::exception&) {
    return invalid_argument("a tensor name is not UTF-8");
  }
}

Result<ModelSpec> parse_model_document(std::string_view text, int version) {
  YOLOCU_ASSIGN_OR_RETURN(const json document, parse_json(text));
  Fields fields(document);
  ModelSpec spec;
  spec.architecture = fields.text("architecture");
  spec.class_names = fields.texts("class_names");
  spec.input_size = fields.integer("input_size", 1, kMaxInputExtent);
  const int64_t stride = fields.integer("stride", 1, kMaxInputExtent);
  const json& letterbox = fields.object("letterbox");
  const json& source = fields.object("source");
  const json& nodes = fields.array("nodes");
  YOLOCU_RETURN_IF_ERROR(fields.finish());
  YOLOCU_RETURN_IF_ERROR(parse_letterbox(letterbox, spec.letterbox).with_context("letterbox"));
  YOLOCU_RETURN_IF_ERROR(parse_source(source, spec).with_context("source"));
  YOLOCU_ASSIGN_OR_RETURN(spec.graph, parse_graph(nodes, version));
  YOLOCU_RETURN_IF_ERROR(check_stored_shapes(nodes, stride, spec.graph));
  return spec;
}

}  // namespace yolocu

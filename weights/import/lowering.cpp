#include "weights/import/lowering.h"

#include <algorithm>
#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu {

Result<int> only(const Sources& inputs) {
  if (inputs.size() != 1 || inputs[0].size() != 1) {
    return corrupt(str_cat(inputs.size(), " sources, expected one with one value"));
  }
  return inputs[0][0];
}

LoweringRule find_rule(std::span<const NamedRule> rules, std::string_view type_name) {
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const NamedRule& entry) {
    return entry.type_name == type_name;
  });
  return found == rules.end() ? nullptr : found->rule;
}

Result<const Module*> require_child(const Module& module, std::string_view name) {
  const Module* child = module.child(name);
  if (child == nullptr) {
    return corrupt(str_cat(module.path, " (", module.type_name(), "): no module '", name, "'"));
  }
  return child;
}

Result<Values> Lowering::lower(const Module& module, const Sources& inputs) {
  LoweringRule rule = find_torch_rule(module.type_name());
  if (rule == nullptr) rule = find_block_rule(module.type_name());
  if (rule == nullptr) rule = find_yolov7_rule(module.type_name());
  if (rule == nullptr) rule = find_head_rule(module.type_name());
  if (rule == nullptr) {
    return unsupported(str_cat("layer ", module.path, ": unknown module '", module.type, "'"));
  }
  return rule(*this, module, inputs);
}

Result<int> Lowering::lower_one(const Module& module, int input) {
  YOLOCU_ASSIGN_OR_RETURN(Values values, lower(module, {{input}}));
  return only({std::move(values)});
}

Result<int> Lowering::lower_child(const Module& module, std::string_view name, int input) {
  YOLOCU_ASSIGN_OR_RETURN(const Module* child, require_child(module, name));
  return lower_one(*child, input);
}

Result<int> Lowering::concat(const std::string& name, const Values& values) {
  return builder.add(name, values, ConcatOp{});
}

Result<Values> Lowering::split(const std::string& name, int value,
                               const std::vector<int64_t>& channels) {
  Values parts;
  int64_t begin = 0;
  for (const int64_t count : channels) {
    YOLOCU_ASSIGN_OR_RETURN(const int part,
                            builder.add(str_cat(name, ".", parts.size()), {value},
                                        SliceOp{.begin = begin, .channels = count}));
    parts.push_back(part);
    begin += count;
  }
  if (begin != builder.shape(value).channels) {
    return corrupt(
        str_cat(name, ": splits ", begin, " of ", builder.shape(value).channels, " channels"));
  }
  return parts;
}

Result<Values> Lowering::halves(const std::string& name, int value) {
  const int64_t channels = builder.shape(value).channels;
  if (channels % 2 != 0) return corrupt(str_cat(name, ": ", channels, " channels have no half"));
  return split(name, value, {channels / 2, channels / 2});
}

namespace {

// Values that layer `number` reads: `from` counts absolutely, or backwards if negative.
Result<Sources> layer_inputs(const Lowering& lowering, const Module& layer,
                             const std::vector<Values>& outputs) {
  const auto from = layer.integers("f");
  if (!from || from->empty()) return corrupt("attribute 'f' (from) is missing");
  const auto number = static_cast<int64_t>(outputs.size());
  Sources inputs;
  for (const int64_t source : *from) {
    const int64_t index = source < 0 ? number + source : source;
    if (index == -1) {  // "the previous layer" of the first one: the picture
      inputs.push_back({lowering.builder.input()});
      continue;
    }
    if (index < 0 || index >= number) return corrupt(str_cat("reads layer ", source));
    inputs.push_back(outputs[static_cast<size_t>(index)]);
  }
  return inputs;
}

}  // namespace

Status lower_model(Lowering& lowering, const Module& root) {
  YOLOCU_ASSIGN_OR_RETURN(const Module* layers, require_child(root, "model"));
  if (layers->children.empty()) return corrupt("the model has no layers");
  std::vector<Values> outputs;
  for (const auto& [name, layer] : layers->children) {
    const std::string where = str_cat("layer ", outputs.size(), " (", layer.type_name(), ")");
    const Result<Sources> inputs = layer_inputs(lowering, layer, outputs);
    if (!inputs.ok()) return inputs.status().with_context(where);
    Result<Values> produced = lowering.lower(layer, *inputs);
    if (!produced.ok()) return produced.status();
    outputs.push_back(std::move(*produced));
  }
  const std::string_view head = layers->children.back().second.type_name();
  if (find_head_rule(head) == nullptr) {
    return unsupported(str_cat("the last layer is '", head, "', not a detection head"));
  }
  return {};
}

}  // namespace yolocu

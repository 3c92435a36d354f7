// The model document: graph and metadata as one JSON text, the value of `yolocu.model` in a packed
// file. FORMAT.md specifies it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weights/format/model.h"
#include "yolocu/status.h"

namespace yolocu {

// The document of a valid model in format version `version`; `shapes` are those of
// infer_shapes(spec.graph). Deterministic. kInvalidArgument: text that is not UTF-8, or the name of
// a node or tensor that is empty, longer than 255 bytes or has control characters.
Result<std::string> model_document(const ModelSpec& spec, const std::vector<ValueShape>& shapes,
                                   int version);

// The inverse, for a file of format version `version`. Every field is required, typed and
// range-checked, and the graph is valid: its shapes and stride are inferred and compared with the
// stored ones. kCorrupt names the node and the field
// ("node 3 'model.2' (conv): 'kernel' is missing"); kUnsupported an op or activation that is
// unknown.
Result<ModelSpec> parse_model_document(std::string_view text, int version);

}  // namespace yolocu

// The modules of architecture definitions, by name: a function each that makes the module and tells
// the channels of its outputs.
//
//   Conv, RepConv                out | kernel, stride
//   ELAN1                        out, mid, part
//   RepNCSPELAN4                 out, mid, part, depth
//   AConv, ADown, DownC, SPPCSPC out
//   SPPELAN                      out, mid
//   CBLinear                     a width a slice
//   CBFuse                       | the slice of each source but the last
//   SP, Upsample                 | window; factor
//   MP, ReOrg, Shortcut, Concat, Silence, heads: nothing
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weights/import/arch/architecture.h"
#include "weights/import/arch/module_maker.h"
#include "yolocu/status.h"

namespace yolocu {

// What a layer produces: its module, and the channels of each output (a CBLinear has several).
// A CBLinear's slices are unknown (0) until a CBFuse says how wide they are.
struct MadeLayer {
  Module module;
  std::vector<int64_t> channels;
};

// What is known when a layer is made.
struct LayerContext {
  std::string path;  // "model.12"
  const LayerSpec& spec;
  std::vector<int64_t> in;  // channels of each source; of a CBLinear's, all of them
  int64_t classes = 80;     // of the official model

  int64_t in_sum() const;
};

using LayerRule = Result<MadeLayer> (*)(ModuleMaker&, const LayerContext&);

// The rule for a module's name; nullptr if there is none: blocks (modules.cpp), those of the
// YOLOv9 code (elan_modules.cpp), heads (heads.cpp).
LayerRule find_layer_rule(std::string_view module);
LayerRule find_elan_layer_rule(std::string_view module);
LayerRule find_head_layer_rule(std::string_view module);

}  // namespace yolocu

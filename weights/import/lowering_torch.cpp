// What the modules of torch.nn compute that stand in a network by themselves.
#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/str_cat.h"
#include "weights/import/lowering.h"

namespace yolocu {
namespace {

// A torch.nn MaxPool2d.
Result<Values> lower_max_pool(Lowering& lowering, const Module& module, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  const auto kernel = module.integers("kernel_size");
  const auto stride = module.integers("stride");
  const auto padding = module.integers("padding");
  const auto dilation = module.integers("dilation").value_or(std::vector<int64_t>{1});
  const auto is_one = [](int64_t v) { return v == 1; };
  const auto square = [](const auto& v) { return v && !v->empty() && v->front() == v->back(); };
  if (!square(kernel) || !square(stride) || !square(padding) ||
      module.integer("ceil_mode").value_or(0) != 0 ||
      !std::all_of(dilation.begin(), dilation.end(), is_one)) {
    return unsupported(str_cat("layer ", module.path, ": a max pool that is not square and plain"));
  }
  YOLOCU_ASSIGN_OR_RETURN(const int y,
                          lowering.builder.add(module.path, {x},
                                               MaxPoolOp{.kernel = kernel->front(),
                                                         .stride = stride->front(),
                                                         .padding = padding->front()}));
  return Values{y};
}

// A torch.nn Upsample: nearest, by a whole factor.
Result<Values> lower_upsample(Lowering& lowering, const Module& module, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  const double factor = module.number("scale_factor").value_or(0);
  if (module.text("mode").value_or("nearest") != "nearest" || !(factor >= 2 && factor <= 64) ||
      factor != std::floor(factor)) {
    return unsupported(str_cat("layer ", module.path, ": an upsampling that is not nearest by a ",
                               "whole factor"));
  }
  YOLOCU_ASSIGN_OR_RETURN(
      const int y,
      lowering.builder.add(module.path, {x}, UpsampleOp{.factor = static_cast<int64_t>(factor)}));
  return Values{y};
}

// Silence, Identity: hands its input on.
Result<Values> lower_identity(Lowering&, const Module&, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  return Values{x};
}

Result<Values> lower_sequential(Lowering& lowering, const Module& module, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(int value, only(inputs));
  for (const auto& [name, child] : module.children) {
    YOLOCU_ASSIGN_OR_RETURN(value, lowering.lower_one(child, value));
  }
  return Values{value};
}

constexpr std::array kRules{
    NamedRule{"Identity", lower_identity},     NamedRule{"MaxPool2d", lower_max_pool},
    NamedRule{"Sequential", lower_sequential}, NamedRule{"Silence", lower_identity},
    NamedRule{"Upsample", lower_upsample},
};

}  // namespace

LoweringRule find_torch_rule(std::string_view type_name) {
  return find_rule(kRules, type_name);
}

}  // namespace yolocu

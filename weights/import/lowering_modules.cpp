// What each building block of the official YOLOv9 code (models/common.py) computes.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/base/str_cat.h"
#include "weights/import/lowering.h"

namespace yolocu {
namespace {

// y = act(bn(conv(x)))
Result<Values> lower_conv(Lowering& lowering, const Module& block, const Sources& inputs) {
  return lower_branches(lowering, block, std::array{ConvBranch{&block, "conv", "bn"}}, inputs);
}

// A bare torch.nn Conv2d.
Result<Values> lower_conv2d(Lowering& lowering, const Module& conv2d, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const FoldedConv conv, read_conv2d(conv2d));
  return add_conv(lowering, conv2d, conv, inputs);
}

// y = act(conv1(x) + conv2(x) + bn(x)): 3x3, 1x1 and an optional identity; "conv" once fused.
Result<Values> lower_rep_conv(Lowering& lowering, const Module& block, const Sources& inputs) {
  if (block.child("conv") != nullptr) return lower_conv(lowering, block, inputs);
  YOLOCU_ASSIGN_OR_RETURN(const Module* dense, require_child(block, "conv1"));
  YOLOCU_ASSIGN_OR_RETURN(const Module* pointwise, require_child(block, "conv2"));
  std::vector<ConvBranch> branches = {{dense, "conv", "bn"}, {pointwise, "conv", "bn"}};
  if (block.child("bn") != nullptr) branches.push_back({&block, "", "bn"});
  return lower_branches(lowering, block, branches, inputs);
}

// y = x + cv2(cv1(x)) if `add`, else cv2(cv1(x))
Result<Values> lower_bottleneck(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int hidden, lowering.lower_child(block, "cv1", x));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv2", hidden));
  if (block.integer("add").value_or(0) == 0) return Values{y};
  YOLOCU_ASSIGN_OR_RETURN(const int sum,
                          lowering.builder.add(block.path + ".add", {x, y}, AddOp{}));
  return Values{sum};
}

// y = cv3(concat(m(cv1(x)), cv2(x)))
Result<Values> lower_csp(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int first, lowering.lower_child(block, "cv1", x));
  YOLOCU_ASSIGN_OR_RETURN(const int deep, lowering.lower_child(block, "m", first));
  YOLOCU_ASSIGN_OR_RETURN(const int side, lowering.lower_child(block, "cv2", x));
  YOLOCU_ASSIGN_OR_RETURN(const int joined, lowering.concat(block.path + ".concat", {deep, side}));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv3", joined));
  return Values{y};
}

// a, b = halves of cv1(x); y = cv4(concat(a, b, cv2(b), cv3(cv2(b))))
Result<Values> lower_elan(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int first, lowering.lower_child(block, "cv1", x));
  YOLOCU_ASSIGN_OR_RETURN(Values parts, lowering.halves(block.path + ".chunk", first));
  for (const char* stage : {"cv2", "cv3"}) {
    YOLOCU_ASSIGN_OR_RETURN(const int next, lowering.lower_child(block, stage, parts.back()));
    parts.push_back(next);
  }
  YOLOCU_ASSIGN_OR_RETURN(const int joined, lowering.concat(block.path + ".concat", parts));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv4", joined));
  return Values{y};
}

// p = cv1(x); y = cv5(concat(p, cv2(p), cv3(cv2(p)), cv4(cv3(cv2(p))))), cv2..cv4 max pools
Result<Values> lower_spp_elan(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int first, lowering.lower_child(block, "cv1", x));
  Values parts{first};
  for (const char* stage : {"cv2", "cv3", "cv4"}) {
    YOLOCU_ASSIGN_OR_RETURN(const int next, lowering.lower_child(block, stage, parts.back()));
    parts.push_back(next);
  }
  YOLOCU_ASSIGN_OR_RETURN(const int joined, lowering.concat(block.path + ".concat", parts));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv5", joined));
  return Values{y};
}

// p = cv4(cv3(cv1(x))); y = cv7(concat(cv6(cv5(concat(p, m_i(p)...))), cv2(x))): pools in parallel,
// or, if `chained`, each on what the one before has made.
Result<Values> lower_sppcspc(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const Module* pools, require_child(block, "m"));
  int hidden = x;
  for (const char* stage : {"cv1", "cv3", "cv4"}) {
    YOLOCU_ASSIGN_OR_RETURN(hidden, lowering.lower_child(block, stage, hidden));
  }
  const bool chained = block.integer("chained").value_or(0) != 0;
  Values pooled{hidden};
  for (const auto& [name, pool] : pools->children) {
    YOLOCU_ASSIGN_OR_RETURN(const int value,
                            lowering.lower_one(pool, chained ? pooled.back() : hidden));
    pooled.push_back(value);
  }
  YOLOCU_ASSIGN_OR_RETURN(hidden, lowering.concat(block.path + ".pools", pooled));
  for (const char* stage : {"cv5", "cv6"}) {
    YOLOCU_ASSIGN_OR_RETURN(hidden, lowering.lower_child(block, stage, hidden));
  }
  YOLOCU_ASSIGN_OR_RETURN(const int side, lowering.lower_child(block, "cv2", x));
  YOLOCU_ASSIGN_OR_RETURN(const int joined,
                          lowering.concat(block.path + ".concat", {hidden, side}));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv7", joined));
  return Values{y};
}

Result<int> average_2x2(Lowering& lowering, const Module& block, int x) {
  return lowering.builder.add(block.path + ".average", {x}, AvgPoolOp{.kernel = 2, .stride = 1});
}

// y = cv1(average(x)), the average 2x2 with stride 1
Result<Values> lower_aconv(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int mean, average_2x2(lowering, block, x));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "cv1", mean));
  return Values{y};
}

// a, b = halves of average(x); y = concat(cv1(a), cv2(max_pool_3x3_s2(b)))
Result<Values> lower_adown(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int mean, average_2x2(lowering, block, x));
  YOLOCU_ASSIGN_OR_RETURN(const Values parts, lowering.halves(block.path + ".chunk", mean));
  YOLOCU_ASSIGN_OR_RETURN(const int dense, lowering.lower_child(block, "cv1", parts[0]));
  YOLOCU_ASSIGN_OR_RETURN(const int pooled,
                          lowering.builder.add(block.path + ".max_pool", {parts[1]},
                                               MaxPoolOp{.kernel = 3, .stride = 2, .padding = 1}));
  YOLOCU_ASSIGN_OR_RETURN(const int pointwise, lowering.lower_child(block, "cv2", pooled));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.concat(block.path + ".concat", {dense, pointwise}));
  return Values{y};
}

// SP and MP: a max pool in a wrapper.
Result<Values> lower_wrapped_pool(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.lower_child(block, "m", x));
  return Values{y};
}

Result<Values> lower_concat(Lowering& lowering, const Module& module, const Sources& inputs) {
  if (module.integer("d").value_or(1) != 1) {
    return unsupported(
        str_cat("layer ", module.path, ": concatenation of dimension ", *module.integer("d")));
  }
  Values values;
  for (const Values& source : inputs) values.insert(values.end(), source.begin(), source.end());
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.concat(module.path, values));
  return Values{y};
}

// y_0, y_1, ... = conv(x) split into c2s channels each
Result<Values> lower_cb_linear(Lowering& lowering, const Module& block, const Sources& inputs) {
  YOLOCU_ASSIGN_OR_RETURN(const int x, only(inputs));
  YOLOCU_ASSIGN_OR_RETURN(const int joined, lowering.lower_child(block, "conv", x));
  const auto channels = block.integers("c2s");
  if (!channels || channels->empty()) {
    return corrupt(str_cat("layer ", block.path, ": attribute 'c2s' is missing"));
  }
  return lowering.split(block.path + ".split", joined, *channels);
}

// A value brought to `extent` by nearest upsampling, as interpolate(size=...) does.
Result<int> resize_to(Lowering& lowering, const std::string& name, int value, Extent extent) {
  const Extent from = lowering.builder.shape(value).extent;
  if (from == extent) return value;
  if (from.offset != 0 || extent.offset != 0 || from.divisor % extent.divisor != 0) {
    return unsupported(str_cat(name, ": from stride ", from.divisor, " to ", extent.divisor));
  }
  return lowering.builder.add(name, {value}, UpsampleOp{.factor = from.divisor / extent.divisor});
}

// y = x + sum_i nearest(source_i[idx[i]], size of x): x is the last source, the others are lists.
Result<Values> lower_cb_fuse(Lowering& lowering, const Module& block, const Sources& inputs) {
  const auto picks = block.integers("idx");
  if (!picks || inputs.size() != picks->size() + 1 || inputs.back().size() != 1) {
    return corrupt(str_cat("layer ", block.path, ": attribute 'idx' does not fit ", inputs.size(),
                           " sources"));
  }
  const int x = inputs.back()[0];
  Values terms;
  for (size_t i = 0; i < picks->size(); ++i) {
    const int64_t pick = (*picks)[i];
    if (pick < 0 || pick >= static_cast<int64_t>(inputs[i].size())) {
      return corrupt(
          str_cat("layer ", block.path, ": picks value ", pick, " of ", inputs[i].size()));
    }
    YOLOCU_ASSIGN_OR_RETURN(const int term, resize_to(lowering, str_cat(block.path, ".resize.", i),
                                                      inputs[i][static_cast<size_t>(pick)],
                                                      lowering.builder.shape(x).extent));
    terms.push_back(term);
  }
  terms.push_back(x);
  YOLOCU_ASSIGN_OR_RETURN(const int y, lowering.builder.add(block.path, terms, AddOp{}));
  return Values{y};
}

constexpr std::array kRules{
    NamedRule{"AConv", lower_aconv},
    NamedRule{"ADown", lower_adown},
    NamedRule{"Bottleneck", lower_bottleneck},
    NamedRule{"BottleneckCSPA", lower_csp},
    NamedRule{"C3", lower_csp},
    NamedRule{"ResCSPA", lower_csp},
    NamedRule{"CBFuse", lower_cb_fuse},
    NamedRule{"CBLinear", lower_cb_linear},
    NamedRule{"Concat", lower_concat},
    NamedRule{"Conv", lower_conv},
    NamedRule{"Conv2d", lower_conv2d},
    NamedRule{"DWConv", lower_conv},
    NamedRule{"ELAN1", lower_elan},
    NamedRule{"MP", lower_wrapped_pool},
    NamedRule{"RepBottleneck", lower_bottleneck},  // Ultralytics
    NamedRule{"RepCSP", lower_csp},                // Ultralytics
    NamedRule{"RepConvN", lower_rep_conv},
    NamedRule{"RepNBottleneck", lower_bottleneck},
    NamedRule{"RepNCSP", lower_csp},
    NamedRule{"RepNCSPELAN4", lower_elan},
    NamedRule{"SP", lower_wrapped_pool},
    NamedRule{"SPPCSPC", lower_sppcspc},
    NamedRule{"SPPELAN", lower_spp_elan},
};

}  // namespace

LoweringRule find_block_rule(std::string_view type_name) {
  return find_rule(kRules, type_name);
}

}  // namespace yolocu

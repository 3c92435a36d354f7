// YOLOv7's blocks and heads, lowered and run on the reference device, against the definitions of
// its modules computed step by step.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "engine/executor.h"
#include "tests/import/module_builder.h"
#include "tests/import/unfused.h"

namespace yolocu {
namespace {

using namespace testing;  // NOLINT: the builders above
using reference::Tensor;

constexpr int64_t kClasses = 2, kRow = 5 + kClasses;
const std::vector<float> kAnchors = {10, 12, 30, 22};  // two, in pixels

Module make_implicit(const std::string& type, const std::string& path, int64_t channels,
                     uint64_t seed) {
  Module module = make_module("models.common." + type, path);
  module.tensors["implicit"] =
      imported({1, channels, 1, 1}, random_floats(static_cast<size_t>(channels), seed));
  return module;
}

Module make_head_conv(const std::string& path, int64_t in, uint64_t seed) {
  const int64_t out = 2 * kRow;
  Module conv = make_conv2d(path, {.out = out, .in = in}, seed);
  conv.tensors["bias"] = imported({out}, random_floats(static_cast<size_t>(out), seed + 1));
  return conv;
}

// A head on one level of `in` channels: ModuleList m, and for the I-heads ia and im.
Module make_anchor_head(const std::string& type, int64_t in) {
  Module head = make_module("models.yolo." + type, "");
  head.attributes["nc"] = kClasses;
  head.tensors["anchor_grid"] = imported({1, 1, 2, 1, 1, 2}, kAnchors);
  head.children.emplace_back("m", make_list("m", {make_head_conv("m.0", in, 50)}));
  if (type == "Detect") return head;
  head.children.emplace_back("ia", make_list("ia", {make_implicit("ImplicitA", "ia.0", in, 60)}));
  head.children.emplace_back("im",
                             make_list("im", {make_implicit("ImplicitM", "im.0", 2 * kRow, 61)}));
  if (type == "IAuxDetect") {
    head.children.emplace_back("m2", make_list("m2", {make_head_conv("m2.0", in, 70)}));
  }
  return head;
}

Tensor conv2d(const Module& module, const Tensor& x) {
  const auto conv = read_conv2d(module);
  EXPECT_TRUE(conv.ok()) << conv.status().message();
  return conv.ok() ? apply(*conv, x) : Tensor();
}

Tensor silu(Tensor x) {
  for (float& v : x.values) v = v / (1.0f + std::exp(-v));
  return x;
}

// models.common Conv: silu(bn(conv(x)))
Tensor conv_block(const Module& block, const Tensor& x) {
  return silu(normalise(conv2d(*block.child("conv"), x), *block.child("bn")));
}

Tensor joined(const std::vector<Tensor>& parts) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& part : parts) pointers.push_back(&part);
  return reference::concat(pointers);
}

Tensor sum(const std::vector<Tensor>& parts) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& part : parts) pointers.push_back(&part);
  return reference::add(pointers);
}

// What a head without implicit knowledge makes of logits at `stride`.
std::vector<float> decoded(const Tensor& logits, float stride) {
  const Tensor* levels[] = {&logits};
  return reference::decode_anchor(levels,
                                  {.classes = kClasses, .strides = {stride}, .anchors = {kAnchors}})
      .values;
}

// The layers, lowered and run on x.
std::vector<float> predicted(std::vector<Module> layers, const Tensor& x,
                             HeadBranch branch = HeadBranch::kMain) {
  Lowering lowering;
  lowering.branch = branch;
  const Status lowered = lower_model(lowering, make_model(std::move(layers)));
  EXPECT_TRUE(lowered.ok()) << lowered.message();
  if (!lowered.ok()) return {};
  lowering.builder.drop_unreachable();
  auto model = std::move(lowering.builder).finish();
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return {};
  model->spec.class_names = {"a", "b"};
  auto executor = create_executor(std::make_shared<const Model>(std::move(*model)),
                                  Device::kReference, {.height = x.h, .width = x.w});
  EXPECT_TRUE(executor.ok()) << executor.status().message();
  if (!executor.ok()) return {};
  std::ranges::copy(x.values, (*executor)->input().begin());
  EXPECT_TRUE((*executor)->run().ok());
  return {(*executor)->output().begin(), (*executor)->output().end()};
}

// The block (which reads 4 channels and gives `out`) between a convolution and a head must give
// the head what `expected` computes of the convolution's result.
void check_block(const Module& block, int64_t out, float stride,
                 const std::function<Tensor(const Tensor&)>& expected) {
  const Tensor x = random_map(8, 12, 3, 1);
  const Module first = make_conv2d("", {.out = 4, .in = 3}, 2);
  const Module head = make_anchor_head("Detect", out);
  const Tensor features = expected(conv2d(first, x));
  const Tensor logits = conv2d(head.child("m")->children[0].second, features);
  EXPECT_TRUE(
      all_close(predicted({as_layer(first, {-1}), as_layer(block, {-1}), as_layer(head, {-1})}, x),
                decoded(logits, stride), 1e-4, 1e-4));
}

Module make_branch(const std::string& path, const ConvShape& shape, uint64_t seed) {
  return make_module("torch.nn.modules.container.Sequential", path,
                     {{"0", make_conv2d(path + ".0", shape, seed)},
                      {"1", make_batch_norm(path + ".1", shape.out, 1e-3, seed + 5)}});
}

Tensor branch(const Module& sequential, const Tensor& x) {
  return normalise(conv2d(*sequential.child("0"), x), *sequential.child("1"));
}

TEST(LoweringYolov7, RepConvAddsItsThreeBranches) {
  for (const bool has_identity : {true, false}) {
    Module block = make_module("models.common.RepConv", "");
    block.children = {{"act", make_module("torch.nn.modules.activation.SiLU", "act")},
                      {"rbr_dense", make_branch("d", {.out = 4, .in = 4, .kernel = 3}, 11)},
                      {"rbr_1x1", make_branch("p", {.out = 4, .in = 4}, 12)}};
    if (has_identity) {
      block.children.emplace_back("rbr_identity", make_batch_norm("i", 4, 1e-3, 13));
    }
    check_block(block, 4, 1, [&](const Tensor& x) {
      std::vector<Tensor> terms = {branch(*block.child("rbr_dense"), x),
                                   branch(*block.child("rbr_1x1"), x)};
      if (has_identity) terms.push_back(normalise(x, *block.child("rbr_identity")));
      return silu(sum(terms));
    });
  }
}

TEST(LoweringYolov7, FusedRepConvIsItsOneConvolution) {
  Module block = make_module("models.common.RepConv", "");
  block.children = {{"act", make_module("torch.nn.modules.activation.SiLU", "act")},
                    {"rbr_reparam", make_conv2d("r", {.out = 4, .in = 4, .kernel = 3}, 11)}};
  check_block(block, 4, 1,
              [&](const Tensor& x) { return silu(conv2d(*block.child("rbr_reparam"), x)); });
}

// x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]
TEST(LoweringYolov7, ReOrgTakesTheFourPhasesInItsOrder) {
  check_block(make_module("models.common.ReOrg", ""), 16, 2, [](const Tensor& x) {
    Tensor y(1, x.h / 2, x.w / 2, 4 * x.c);
    const int64_t rows[] = {0, 1, 0, 1}, columns[] = {0, 0, 1, 1};
    for (int64_t i = 0; i < y.h * y.w * y.c; ++i) {
      const int64_t c = i % y.c, column = i / y.c % y.w, row = i / y.c / y.w;
      y.at(0, row, column, c) =
          x.at(0, 2 * row + rows[c / x.c], 2 * column + columns[c / x.c], c % x.c);
    }
    return y;
  });
}

Module make_pool(const std::string& path, int64_t kernel, int64_t stride, int64_t padding) {
  Module pool = make_module("torch.nn.modules.pooling.MaxPool2d", path);
  pool.attributes["kernel_size"] = kernel;
  pool.attributes["stride"] = stride;
  pool.attributes["padding"] = padding;
  return pool;
}

TEST(LoweringYolov7, DownCJoinsAStridedConvolutionAndAPool) {
  Module block = make_module("models.common.DownC", "");
  block.children = {
      {"cv1", make_conv("1", {.out = 4, .in = 4}, 21)},
      {"cv2", make_conv("2", {.out = 3, .in = 4, .kernel = 3, .stride = 2}, 22)},
      {"cv3", make_conv("3", {.out = 3, .in = 4}, 23)},
      {"mp", make_module("models.common.MP", "mp", {{"m", make_pool("mp.m", 2, 2, 0)}})}};
  check_block(block, 6, 2, [&](const Tensor& x) {
    return joined(
        {conv_block(*block.child("cv2"), conv_block(*block.child("cv1"), x)),
         conv_block(*block.child("cv3"), reference::max_pool(x, {.kernel = 2, .stride = 2}))});
  });
}

TEST(LoweringYolov7, SppfPoolsThreeTimesInARow) {
  Module block = make_module("models.common.SPPF", "");
  block.children = {{"cv1", make_conv("1", {.out = 2, .in = 4}, 31)},
                    {"m", make_pool("m", 5, 1, 2)},
                    {"cv2", make_conv("2", {.out = 5, .in = 8}, 32)}};
  check_block(block, 5, 1, [&](const Tensor& x) {
    std::vector<Tensor> parts = {conv_block(*block.child("cv1"), x)};
    for (int i = 0; i < 3; ++i) {
      parts.push_back(reference::max_pool(parts.back(), {.kernel = 5, .stride = 1, .padding = 2}));
    }
    return conv_block(*block.child("cv2"), joined(parts));
  });
}

// The CSP blocks of its baseline configurations, around bottlenecks that add.
TEST(LoweringYolov7, CspBlocksDifferInWhatTheSideBranchReads) {
  Module bottleneck = make_module("models.common.Bottleneck", "b");
  bottleneck.children = {{"cv1", make_conv("b.1", {.out = 3, .in = 3}, 41)},
                         {"cv2", make_conv("b.2", {.out = 3, .in = 3, .kernel = 3}, 42)}};
  bottleneck.attributes["add"] = true;
  Module res = make_module("models.common.Res", "r");
  res.children = {{"cv1", make_conv("r.1", {.out = 2, .in = 3}, 43)},
                  {"cv2", make_conv("r.2", {.out = 2, .in = 2, .kernel = 3}, 44)},
                  {"cv3", make_conv("r.3", {.out = 3, .in = 2}, 45)}};
  res.attributes["add"] = true;
  const auto through = [](const Module& inner, const Tensor& x) {
    Tensor y = x;
    for (const auto& [name, conv] : inner.children) y = conv_block(conv, y);
    return sum({x, y});
  };
  for (const Module& inner : {bottleneck, res}) {
    const std::string kind = inner.type_name() == "Res" ? "Res" : "Bottleneck";
    const Module m = make_module("torch.nn.modules.container.Sequential", "m", {{"0", inner}});
    for (const char letter : {'A', 'B', 'C'}) {
      Module block = make_module("models.common." + kind + "CSP" + letter, "");
      const int64_t side_in = letter == 'B' ? 3 : 4;
      block.children = {{"cv1", make_conv("1", {.out = 3, .in = 4}, 46)},
                        {"cv2", make_conv("2", {.out = 3, .in = side_in}, 47)},
                        {"m", m}};
      if (letter == 'C') {
        block.children.emplace_back("cv3", make_conv("3", {.out = 3, .in = 3}, 48));
      }
      const char* last = letter == 'C' ? "cv4" : "cv3";
      block.children.emplace_back(last, make_conv("4", {.out = 5, .in = 6}, 49));
      check_block(block, 5, 1, [&](const Tensor& x) {
        const Tensor first = conv_block(*block.child("cv1"), x);
        Tensor deep = through(inner, first);
        if (letter == 'C') deep = conv_block(*block.child("cv3"), deep);
        const Tensor side = conv_block(*block.child("cv2"), letter == 'B' ? first : x);
        return conv_block(*block.child(last), joined({deep, side}));
      });
    }
  }
}

TEST(LoweringYolov7, ShortcutAddsAndChuncatJoinsHalves) {
  const Tensor x = random_map(4, 6, 3, 1);
  const Module first = make_conv2d("", {.out = 4, .in = 3}, 2);
  const Module second = make_conv2d("", {.out = 4, .in = 4}, 3);
  const Tensor a = conv2d(first, x), b = conv2d(second, a);
  const Module head = make_anchor_head("Detect", 4);
  const Module wide = make_anchor_head("Detect", 8);
  const auto run = [&](const std::string& type, const Module& last) {
    return predicted(
        {as_layer(first, {-1}), as_layer(second, {-1}),
         as_layer(make_module("models.common." + type, ""), {-1, -2}), as_layer(last, {-1})},
        x);
  };
  const auto logits = [](const Module& last, const Tensor& features) {
    return conv2d(last.child("m")->children[0].second, features);
  };
  EXPECT_TRUE(all_close(run("Shortcut", head), decoded(logits(head, sum({a, b})), 1), 1e-4, 1e-4));
  const auto half = [](const Tensor& map, int64_t begin) {
    return reference::slice(map, {.begin = begin, .channels = 2});
  };
  EXPECT_TRUE(
      all_close(run("Chuncat", wide),
                decoded(logits(wide, joined({half(b, 0), half(a, 0), half(b, 2), half(a, 2)})), 1),
                1e-4, 1e-4));
}

// im * conv(ia + x)
Tensor with_implicit(const Module& head, Tensor x) {
  const auto value = [&](const char* list, size_t c) {
    return head.child(list)->children[0].second.tensor("implicit")->values()[c];
  };
  for (size_t i = 0; i < x.values.size(); ++i) {
    x.values[i] += value("ia", i % static_cast<size_t>(x.c));
  }
  Tensor y = conv2d(head.child("m")->children[0].second, x);
  for (size_t i = 0; i < y.values.size(); ++i) {
    y.values[i] *= value("im", i % static_cast<size_t>(y.c));
  }
  return y;
}

TEST(LoweringYolov7, ImplicitKnowledgeFoldsUnlessTheFileDidItAlready) {
  const Tensor x = random_map(4, 6, 3, 1);
  Module head = make_anchor_head("IDetect", 3);
  EXPECT_TRUE(all_close(predicted({as_layer(head, {-1})}, x), decoded(with_implicit(head, x), 1),
                        1e-4, 1e-4));
  head.attributes["forward"] = std::string("fuseforward");
  EXPECT_TRUE(all_close(predicted({as_layer(head, {-1})}, x),
                        decoded(conv2d(head.child("m")->children[0].second, x), 1), 1e-4, 1e-4));
}

TEST(LoweringYolov7, AuxiliaryHeadsReadTheSecondHalfWithoutImplicitKnowledge) {
  const Tensor x = random_map(4, 6, 3, 1);
  const Module lead = make_conv2d("", {.out = 4, .in = 3}, 2);
  const Module aux = make_conv2d("", {.out = 4, .in = 3}, 3);
  const Module head = make_anchor_head("IAuxDetect", 4);
  const std::vector<Module> layers = {as_layer(lead, {-1}), as_layer(aux, {-2}),
                                      as_layer(head, {0, 1})};
  EXPECT_TRUE(all_close(predicted(layers, x), decoded(with_implicit(head, conv2d(lead, x)), 1),
                        1e-4, 1e-4));
  const Tensor logits = conv2d(head.child("m2")->children[0].second, conv2d(aux, x));
  EXPECT_TRUE(
      all_close(predicted(layers, x, HeadBranch::kAuxiliary), decoded(logits, 1), 1e-4, 1e-4));
}

TEST(LoweringYolov7, AnchorsInUnitsOfTheStrideServeWhereThereAreNone) {
  const auto anchors_of = [](const Module& head) {
    const auto model = lower_to_model(
        make_model({as_layer(make_conv("", {.out = 4, .in = 3, .kernel = 3, .stride = 2}, 1), {-1}),
                    as_layer(head, {-1})}));
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (!model.ok()) return std::vector<float>{};
    return std::get<DecodeAnchorOp>(model->spec.graph.nodes.back().op).anchors.at(0);
  };
  Module head = make_anchor_head("Detect", 4);
  EXPECT_EQ(anchors_of(head), kAnchors);
  head.tensors["anchors"] = imported({1, 2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(anchors_of(head), kAnchors) << "anchor_grid is exact where anchors are rounded";
  head.tensors.erase("anchor_grid");
  EXPECT_EQ(anchors_of(head), (std::vector<float>{2, 4, 6, 8}));
}

TEST(LoweringYolov7, BrokenHeadsAreRefusedByName) {
  const auto message = [](auto change) {
    Module head = as_layer(make_anchor_head("IDetect", 3), {-1});
    change(head);
    return lower_to_model(make_model({head})).status().message();
  };
  const auto expect = [&](const char* fragment, auto change) {
    const std::string text = message(change);
    EXPECT_NE(text.find(fragment), std::string::npos) << text;
    EXPECT_NE(text.find("layer model.0 (IDetect)"), std::string::npos) << text;
  };
  EXPECT_EQ(message([](Module&) {}), "");
  expect("'nc' is missing", [](Module& m) { m.attributes.erase("nc"); });
  expect("'anchor_grid' is missing", [](Module& m) { m.tensors.clear(); });
  expect("anchors [2,2] for 1 levels", [](Module& m) {
    m.tensors["anchor_grid"] = imported({2, 2}, kAnchors);
  });
  expect("anchors [] for 1 levels",
         [](Module& m) { m.tensors["anchor_grid"] = imported({}, {5}); });
  expect("are not pairs", [](Module& m) {
    m.tensors["anchor_grid"] = imported({1, 3}, {1, 2, 3});
  });
  expect("only one of 'ia' and 'im'", [](Module& m) { m.children.pop_back(); });
  expect("1 tensors for 2 levels", [](Module& m) {
    m.children[0].second.children.emplace_back("1", make_head_conv("m.1", 3, 1));
    m.attributes["f"] = std::vector<double>{-1, -1};
  });
  expect("implicit addend: expected [1,3,1,1], got [1,9,1,1]", [](Module& m) {
    m.children[1].second = make_list("ia", {make_implicit("ImplicitA", "ia.0", 9, 1)});
  });
  expect("no tensor 'implicit'",
         [](Module& m) { m.children[2].second.children[0].second.tensors.clear(); });
  expect("2 inputs for 1 levels", [](Module& m) {
    m.attributes["f"] = std::vector<double>{-1, -1};
  });
  expect("'stride' does not match", [](Module& m) { m.tensors["stride"] = imported({1}, {8}); });
}

TEST(LoweringYolov7, HeadsWithoutAnAuxiliaryBranchSaySo) {
  for (const char* type : {"Detect", "IDetect"}) {
    Lowering lowering;
    lowering.branch = HeadBranch::kAuxiliary;
    expect_refused(lower_model(lowering, make_model({as_layer(make_anchor_head(type, 3), {-1})})),
                   StatusCode::kUnsupported, "no auxiliary branch");
  }
}

}  // namespace
}  // namespace yolocu

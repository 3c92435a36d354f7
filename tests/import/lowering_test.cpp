// Re-parameterisation and lowering on small modules, against the same arithmetic done unfused.
#include "weights/import/lowering.h"

#include <gtest/gtest.h>

#include "engine/reference/reference_ops.h"
#include "tests/import/module_builder.h"
#include "tests/import/unfused.h"
#include "weights/import/reparam.h"

namespace yolocu {
namespace {

using namespace testing;  // NOLINT: the builders above
using reference::Tensor;

TEST(Reparam, BatchNormFoldsWithTheModulesOwnEpsilon) {
  const Module conv2d = make_conv2d("c", {.out = 6, .in = 4, .kernel = 3, .groups = 2}, 1);
  const Tensor x = random_map(5, 7, 4, 2);
  const auto conv = read_conv2d(conv2d);
  ASSERT_OK(conv);
  std::vector<float> results[2];
  const double epsilons[] = {1e-3, 1e-5};
  for (int i = 0; i < 2; ++i) {
    const Module bn = make_batch_norm("b", 6, epsilons[i], 3);
    const auto folded = fold_batch_norm(*conv, bn);
    ASSERT_OK(folded);
    results[i] = apply(*folded, x).values;
    EXPECT_TRUE(all_close(results[i], normalise(apply(*conv, x), bn).values, 1e-4, 1e-5));
  }
  EXPECT_FALSE(all_close(results[0], results[1], 1e-2, 1e-2)) << "eps made no difference";
}

TEST(Reparam, ParallelBranchesBecomeOneConvolution) {
  for (const int64_t groups : {1, 2}) {
    const auto dense = read_conv2d(make_conv2d("d", {4, 4, 3, 1, groups}, 1));
    const auto point = read_conv2d(make_conv2d("p", {4, 4, 1, 1, groups}, 2));
    const Module bn = make_batch_norm("b", 4, 1e-3, 3);
    ASSERT_OK(dense);
    ASSERT_OK(point);
    const auto identity = identity_beside(*dense, bn);
    ASSERT_OK(identity);
    const auto both = add_pointwise(*dense, *point);
    ASSERT_OK(both);
    const auto fused = add_pointwise(*both, *identity);
    ASSERT_OK(fused);
    const Tensor x = random_map(6, 5, 4, 4);
    const Tensor branches[] = {apply(*dense, x), apply(*point, x), normalise(x, bn)};
    const Tensor* terms[] = {&branches[0], &branches[1], &branches[2]};
    EXPECT_TRUE(all_close(apply(*fused, x).values, reference::add(terms).values, 1e-5, 1e-5));
  }
}

TEST(Reparam, BranchesThatDoNotFitAreRefused) {
  const auto dense = read_conv2d(make_conv2d("d", {4, 4, 3}, 1));
  const auto strided = read_conv2d(make_conv2d("p", {4, 4, 1, 2}, 2));
  const auto narrow = read_conv2d(make_conv2d("p", {3, 4, 1}, 2));
  ASSERT_OK(dense);
  EXPECT_FALSE(add_pointwise(*dense, *strided).ok());
  EXPECT_FALSE(add_pointwise(*dense, *narrow).ok());
  EXPECT_FALSE(add_pointwise(*dense, *dense).ok());
}

// Around a window with padding the addition would be missed at the border.
TEST(Reparam, ImplicitKnowledgeNeedsAPlainPointwiseConvolution) {
  const auto add = imported({1, 4, 1, 1}, {1, 2, 3, 4});
  const auto plain = read_conv2d(make_conv2d("p", {4, 4, 1}, 1));
  const auto wide = read_conv2d(make_conv2d("w", {4, 4, 3}, 1));
  const auto grouped = read_conv2d(make_conv2d("g", {4, 4, 1, 1, 2}, 1));
  ASSERT_OK(plain);
  EXPECT_TRUE(fold_implicit(*plain, add.get(), nullptr).ok());
  EXPECT_FALSE(fold_implicit(*wide, add.get(), nullptr).ok());
  EXPECT_FALSE(fold_implicit(*grouped, add.get(), nullptr).ok());
}

TEST(Reparam, BrokenConvolutionsAreRefusedByName) {
  const auto broken = [](auto change) {
    Module module = make_conv2d("layer.conv", {2, 2, 3}, 1);
    change(module);
    return read_conv2d(module).status().message();
  };
  EXPECT_EQ(broken([](Module&) {}), "");
  EXPECT_NE(broken([](Module& m) { m.tensors.clear(); }).find("layer.conv (Conv2d)"),
            std::string::npos);
  EXPECT_NE(broken([](Module& m) {
              m.attributes["kernel_size"] = std::vector<double>{3, 5};
            }).find("not square"),
            std::string::npos);
  EXPECT_NE(broken([](Module& m) {
              m.attributes["kernel_size"] = std::vector<double>{5, 5};
            }).find("is not 5x5"),
            std::string::npos);
  EXPECT_NE(broken([](Module& m) {
              m.attributes["dilation"] = std::vector<double>{2, 2};
            }).find("dilation 2"),
            std::string::npos);
  EXPECT_NE(broken([](Module& m) {
              m.attributes["padding_mode"] = std::string("reflect");
            }).find("reflect"),
            std::string::npos);
  EXPECT_NE(broken([](Module& m) {
              m.tensors["bias"] = imported({3}, {1, 2, 3});
            }).find("expected [2], got [3]"),
            std::string::npos);
}

// One level of a head: box and class branches of a single convolution on `in` channels.
Module make_branch(const std::string& path, int64_t in, int64_t out, uint64_t seed) {
  Module conv = make_conv2d(path + ".0", {.out = out, .in = in}, seed);
  conv.tensors["bias"] = imported({out}, random_floats(static_cast<size_t>(out), seed + 1));
  return make_module("torch.nn.modules.container.Sequential", path, {{"0", std::move(conv)}});
}

// A head of 2 classes and 4 bins with `branches` branches of one level each.
Module make_head(const std::string& type, const std::string& path, size_t branches, int64_t in) {
  Module head = make_module("models.yolo." + type, path);
  head.attributes["nc"] = int64_t{2};
  head.attributes["reg_max"] = int64_t{4};
  const char* names[] = {"cv2", "cv3", "cv4", "cv5", "cv6", "cv7"};
  for (size_t i = 0; i < 2 * branches; ++i) {
    const std::string name = names[i];
    const int64_t out = i % 2 == 0 ? 16 : 2;
    head.children.emplace_back(
        name,
        make_list(path + "." + name, {make_branch(path + "." + name + ".0", in, out, 50 + i)}));
  }
  return head;
}

TEST(Lowering, DualHeadsKeepTheMainBranchAndDropTheAuxiliaryOne) {
  int64_t dropped = 0;
  const auto model = lower_to_model(
      make_model({as_layer(make_conv("model.0", {8, 3, 3, 2}, 1), {-1}),
                  as_layer(make_conv("model.1", {8, 8, 3, 1}, 2), {-1}),  // auxiliary
                  as_layer(make_conv("model.2", {8, 8, 1, 1}, 3), {0}),   // main
                  as_layer(make_head("DualDDetect", "model.3", 2, 8), {1, 2})}),
      &dropped);
  ASSERT_OK(model);
  EXPECT_EQ(find_node(model->spec.graph, "model.1"), nullptr);
  ASSERT_NE(find_node(model->spec.graph, "model.2"), nullptr);
  EXPECT_NE(find_node(model->spec.graph, "model.3.cv4.0.0"), nullptr);
  EXPECT_EQ(find_node(model->spec.graph, "model.3.cv2.0.0"), nullptr);
  EXPECT_FALSE(model->tensors.contains("model.1.conv.weight"));
  EXPECT_FALSE(model->tensors.contains("model.1.weight"));
  EXPECT_EQ(dropped, 1);  // the auxiliary branches themselves are never lowered
  const auto& decode = std::get<DecodeDflOp>(model->spec.graph.nodes.back().op);
  EXPECT_EQ(decode.strides, std::vector<float>{2});
  EXPECT_EQ(decode.classes, 2);
  ASSERT_TRUE(infer_shapes(model->spec.graph).ok());
}

// Asked for the auxiliary branch, a head reads the first run of its sources through cv2 and cv3.
TEST(Lowering, AuxiliaryBranchesOfHeads) {
  for (const size_t branches : {2u, 3u}) {
    const char* type = branches == 2 ? "DualDDetect" : "TripleDDetect";
    std::vector<Module> layers = {as_layer(make_conv("model.0", {8, 3, 3, 2}, 1), {-1})};
    std::vector<double> from;
    for (size_t i = 1; i <= branches; ++i) {
      layers.push_back(as_layer(make_conv("", {8, 8, 1, 1}, 2 + i), {0}));
      from.push_back(static_cast<double>(i));
    }
    layers.push_back(
        as_layer(make_head(type, "model." + std::to_string(branches + 1), branches, 8), from));
    Lowering lowering;
    lowering.branch = HeadBranch::kAuxiliary;
    const Status lowered = lower_model(lowering, make_model(layers));
    ASSERT_TRUE(lowered.ok()) << lowered.message();
    EXPECT_EQ(lowering.head, std::string(type) + " (cv2, cv3)");
    EXPECT_EQ(lowering.builder.drop_unreachable(), static_cast<int64_t>(branches - 1));
    const auto model = std::move(lowering.builder).finish();
    ASSERT_OK(model);
    const std::string head = "model." + std::to_string(branches + 1);
    const Node* box = find_node(model->spec.graph, head + ".cv2.0.0");
    ASSERT_NE(box, nullptr);
    EXPECT_EQ(model->spec.graph.nodes[static_cast<size_t>(box->inputs[0])].name, "model.1");
    EXPECT_EQ(find_node(model->spec.graph, head + ".cv4.0.0"), nullptr);
  }
  Lowering single;
  single.branch = HeadBranch::kAuxiliary;
  expect_refused(
      lower_model(single, make_model({as_layer(make_head("DDetect", "model.0", 1, 3), {-1})})),
      StatusCode::kUnsupported, "layer model.0 (DDetect): this head has no auxiliary");
}

TEST(Lowering, WeightsBecomeOhwi) {
  const auto model =
      lower_to_model(make_model({as_layer(make_conv2d("model.0", {4, 3, 3, 2}, 9), {-1}),
                                 as_layer(make_head("DDetect", "model.1", 1, 4), {-1})}));
  ASSERT_OK(model);
  const TensorView& weight = model->tensors.at("model.0.weight");
  EXPECT_EQ(weight.shape, (std::vector<int64_t>{4, 3, 3, 3}));
  const std::vector<float> original = random_floats(4 * 3 * 9, 9);
  const auto* stored = reinterpret_cast<const float*>(weight.data.data());
  for (size_t k = 0; k < 4; ++k) {
    for (size_t c = 0; c < 3; ++c) {
      for (size_t i = 0; i < 9; ++i) {
        ASSERT_EQ(stored[(k * 9 + i) * 3 + c], original[(k * 3 + c) * 9 + i]);
      }
    }
  }
}

// CBLinear makes a list; CBFuse picks one of each list, resizes it to its last source and adds.
TEST(Lowering, CbLinearAndCbFuse) {
  Module linear = make_module("models.common.CBLinear", "",
                              {{"conv", make_conv2d("model.2.conv", {12, 8, 1}, 5)}});
  linear.attributes["c2s"] = std::vector<double>{4, 8};
  Module fuse = make_module("models.common.CBFuse", "");
  fuse.attributes["idx"] = std::vector<double>{1};
  const auto build = [&](double pick) {
    fuse.attributes["idx"] = std::vector<double>{pick};
    return lower_to_model(make_model({as_layer(make_conv("model.0", {8, 3, 3, 2}, 1), {-1}),
                                      as_layer(make_conv("model.1", {8, 8, 3, 2}, 2), {-1}),
                                      as_layer(linear, {-1}), as_layer(fuse, {2, 0}),
                                      as_layer(make_head("DDetect", "model.4", 1, 8), {-1})}));
  };
  const auto model = build(1);
  ASSERT_OK(model);
  const Node* slice = find_node(model->spec.graph, "model.2.split.1");
  ASSERT_NE(slice, nullptr);
  EXPECT_EQ(std::get<SliceOp>(slice->op).begin, 4);
  EXPECT_EQ(find_node(model->spec.graph, "model.2.split.0"), nullptr) << "an unused part stayed";
  const Node* resize = find_node(model->spec.graph, "model.3.resize.0");
  ASSERT_NE(resize, nullptr);
  EXPECT_EQ(std::get<UpsampleOp>(resize->op).factor, 2);
  EXPECT_NE(find_node(model->spec.graph, "model.3"), nullptr);
  EXPECT_FALSE(build(0).ok()) << "4 channels cannot be added to 8";
  EXPECT_FALSE(build(2).ok()) << "there are two parts only";
}

TEST(Lowering, UnknownModulesAreNamedWithTheirLayer) {
  const auto model =
      lower_to_model(make_model({as_layer(make_module("models.common.FancyBlock", ""), {-1}),
                                 as_layer(make_head("DDetect", "model.1", 1, 3), {-1})}));
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(model.status().message(), "layer model.0: unknown module 'models.common.FancyBlock'");
}

TEST(Lowering, BrokenWiringIsRefused) {
  const Module conv = make_conv("model.0", {8, 3, 3, 2}, 1);
  const Module head = make_head("DDetect", "model.1", 1, 8);
  const auto message = [](std::vector<Module> layers) {
    return lower_to_model(make_model(std::move(layers))).status().message();
  };
  EXPECT_EQ(message({as_layer(conv, {-1}), as_layer(head, {-1})}), "");
  EXPECT_NE(message({conv, as_layer(head, {-1})}).find("'f' (from) is missing"), std::string::npos);
  EXPECT_NE(message({as_layer(conv, {-1}), as_layer(head, {5})}).find("reads layer 5"),
            std::string::npos);
  EXPECT_NE(message({as_layer(conv, {-1}), as_layer(head, {-9})}).find("reads layer -9"),
            std::string::npos);
  EXPECT_NE(message({as_layer(conv, {-1})}).find("not a detection head"), std::string::npos);
  EXPECT_NE(message({}).find("no layers"), std::string::npos);
  // The head expects 8 channels but is wired to the picture.
  EXPECT_NE(message({as_layer(conv, {-1}), as_layer(conv, {-1}), as_layer(head, {0})})
                .find("reads 3 channels"),
            std::string::npos);
}

TEST(Lowering, StridesOfTheFileMustMatchTheLayers) {
  Module head = make_head("DDetect", "model.1", 1, 8);
  const auto build = [&](float stride) {
    head.tensors["stride"] = imported({1}, {stride});
    return lower_to_model(
        make_model({as_layer(make_conv("model.0", {8, 3, 3, 2}, 1), {-1}), as_layer(head, {-1})}));
  };
  EXPECT_TRUE(build(2).ok());
  EXPECT_FALSE(build(8).ok());
}

TEST(Lowering, DflMustBeASumOverItsBins) {
  const auto refusal = [](auto change) {
    Module head = make_head("DDetect", "model.0", 1, 3);
    Module conv = make_conv2d("dfl.conv", {.out = 1, .in = 4}, 1);
    conv.tensors["weight"] = imported({1, 4, 1, 1}, {0, 1, 2, 3});
    head.children.emplace_back("dfl", make_module("models.common.DFL", "dfl", {{"conv", conv}}));
    change(head);
    return lower_to_model(make_model({as_layer(head, {-1})})).status();
  };
  EXPECT_EQ(refusal([](Module&) {}).message(), "");
  expect_refused(refusal([](Module& head) {
                   head.children.back().second.children[0].second.tensors["weight"] =
                       imported({1, 4, 1, 1}, {0, 1, 2, 4});
                 }),
                 StatusCode::kUnsupported, "weights of 'dfl' are not 0, 1, ..., 3");
  expect_refused(refusal([](Module& head) { head.attributes["reg_max"] = int64_t{1}; }),
                 StatusCode::kUnsupported, "without DFL");
}

TEST(Lowering, WeightsThatHalfPrecisionCannotHoldAreNamed) {
  Module conv = make_conv2d("model.0", {8, 3, 1}, 1);
  std::vector<float> weight = random_floats(24, 1);
  weight[5] = 1e6f;
  conv.tensors["weight"] = imported({8, 3, 1, 1}, weight);
  Lowering lowering;
  lowering.builder = GraphBuilder(DType::kF16);
  ASSERT_TRUE(
      lower_model(lowering, make_model({as_layer(conv, {-1}),
                                        as_layer(make_head("DDetect", "model.1", 1, 8), {-1})}))
          .ok());
  const auto model = std::move(lowering.builder).finish();
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.status().message().find("model.0.weight"), std::string::npos);
}

// Numbers that a checkpoint may hold but no convolution can have must be refused, not divided by.
TEST(Reparam, ImpossibleConvolutionsAreRefused) {
  const auto refused = [](auto change) {
    Module module = make_conv2d("c", {8, 8, 3}, 1);
    change(module);
    return read_conv2d(module).status().code() == StatusCode::kCorrupt;
  };
  EXPECT_TRUE(refused([](Module& m) { m.tensors["weight"] = imported({0, 3, 3, 3}, {}); }));
  EXPECT_TRUE(refused([](Module& m) { m.tensors["weight"] = imported({8, 0, 3, 3}, {}); }));
  for (const int64_t groups : {0, -1, 3, 100}) {
    EXPECT_TRUE(refused([&](Module& m) { m.attributes["groups"] = groups; })) << groups;
  }
}

TEST(Reparam, IdentityBesideAConvolutionThatChangesTheChannelsIsRefused) {
  const auto dense = read_conv2d(make_conv2d("c", {8, 4, 3}, 1));
  ASSERT_OK(dense);
  EXPECT_EQ(identity_beside(*dense, make_batch_norm("b", 8, 1e-3, 1)).status().code(),
            StatusCode::kUnsupported);
}

TEST(Lowering, EmptyAttributesOfPoolsAreRefused) {
  const auto pool = [](const char* name, std::vector<double> value) {
    Module module = make_module("torch.nn.modules.pooling.MaxPool2d", "");
    for (const char* attribute : {"kernel_size", "stride", "padding", "dilation"}) {
      module.attributes[attribute] = std::vector<double>{attribute[0] == 'p' ? 0.0 : 1.0};
    }
    module.attributes[name] = std::move(value);
    return lower_to_model(make_model(
        {as_layer(module, {-1}), as_layer(make_head("DDetect", "model.1", 1, 3), {-1})}));
  };
  // All ones is a pool that does nothing; the head then sits on the picture, at stride 1.
  EXPECT_TRUE(pool("stride", {1}).ok());
  for (const char* attribute : {"kernel_size", "stride", "padding"}) {
    EXPECT_FALSE(pool(attribute, {}).ok()) << attribute;
    EXPECT_FALSE(pool(attribute, {1, 2}).ok()) << attribute;
  }
  EXPECT_TRUE(pool("dilation", {}).ok());
  EXPECT_FALSE(pool("dilation", {1, 2}).ok());
}

// Many modules that name one tensor would each get weights of their own.
TEST(Lowering, SharedTensorsCannotMultiplyWithoutBound) {
  GraphBuilder builder;
  FoldedConv conv{.out_channels = 4096,
                  .group_in_channels = 3,
                  .kernel = 64,
                  .padding = 32,
                  .weight = std::vector<float>(4096 * 3 * 64 * 64),
                  .bias = {}};
  conv.bias.resize(4096);
  StatusCode code = StatusCode::kOk;
  for (int i = 0; i < 12 && code == StatusCode::kOk; ++i) {
    code =
        builder.add_conv("conv" + std::to_string(i), 0, conv, Activation::kNone, 0).status().code();
  }
  EXPECT_EQ(code, StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace yolocu

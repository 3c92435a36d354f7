// `convert --verify`: networks of every dialect before and after folding, and one folded wrongly.
#include "apps/verify.h"

#include <gtest/gtest.h>

#include "tests/import/hostile/hostile_corpus.h"
#include "tests/import/hostile/pickled_tree.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using namespace testing;  // NOLINT: builders of files

// The model of `root` as a file would give it.
Result<Model> converted(const Module& root, Folding folding) {
  const TempDir folder;
  write_bytes(folder.file("a.pt"), zip_file(pickle_tree(root)));
  auto made =
      convert_checkpoint(folder.file("a.pt"), {.weight_dtype = DType::kF32, .folding = folding});
  if (!made.ok()) return made.status();
  return std::move(made->model);
}

bool is_within_bounds(const Module& folded, const Module& kept) {
  auto a = converted(folded, Folding::kFold), b = converted(kept, Folding::kKeep);
  if (!a.ok() || !b.ok()) {
    ADD_FAILURE() << a.status().message() << b.status().message();
    return false;
  }
  EXPECT_LT(a->spec.graph.nodes.size(), b->spec.graph.nodes.size());
  const auto error = compare_networks(std::move(*a), std::move(*b));
  EXPECT_TRUE(error.ok()) << error.status().message();
  return error.ok() && error->box_bound <= 1 && error->score <= kFoldingScore;
}

Module& batch_norm(Module& root) {
  return root.children[0].second.children[0].second.children[1].second;
}

TEST(Verify, FoldingChangesNothing) {
  EXPECT_TRUE(is_within_bounds(sound_yolov9(), sound_yolov9()));
  EXPECT_TRUE(is_within_bounds(sound_yolov7(), sound_yolov7()));
}

TEST(Verify, FoldingWithTheWrongEpsIsNoticed) {
  for (Module (*sound)() : {sound_yolov9, sound_yolov7}) {
    Module wrong = sound();
    ASSERT_EQ(batch_norm(wrong).number("eps"), 1e-3);
    batch_norm(wrong).attributes["eps"] = 1e-5;
    EXPECT_FALSE(is_within_bounds(wrong, sound()));
  }
}

TEST(Verify, ImplicitKnowledgeThatWasForgottenIsNoticed) {
  Module wrong = sound_yolov7();
  auto& head = wrong.children[0].second.children[1].second.children;
  head.resize(1);  // "ia" and "im" are gone
  EXPECT_FALSE(is_within_bounds(wrong, sound_yolov7()));
}

class VerifyGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(VerifyGolden, FoldingChangesNothing) {
  const std::string name = GetParam();
  const bool shipped = file_exists(data_dir() + "/golden/a/" + name);  // two are
  if (!shipped) YOLOCU_REQUIRE_SHARED("golden/a/" + name);
  const std::string root = shipped ? data_dir() : shared_dir();
  const auto text = verify_folding(root + "/golden/a/" + name, {});
  ASSERT_OK(text);
  EXPECT_NE(text->find("largest difference"), std::string::npos) << *text;
}

INSTANTIATE_TEST_SUITE_P(Dialects, VerifyGolden,
                         ::testing::Values("v9_yolov9-t/ckpt.pt", "v9_gelan-t_fused/ckpt.pt",
                                           "v9_yolov9-e/ckpt.pt", "v9_yolov7-af/ckpt.pt",
                                           "v7_yolov7/ckpt.pt", "v7_yolov7-w6/ckpt.pt",
                                           "v7_yolov7-e6e/ckpt.pt", "ul_yolov9t/ckpt.pt",
                                           "mit_v9-t/ckpt.pt", "mit_v7/ckpt.pt"));

}  // namespace
}  // namespace yolocu

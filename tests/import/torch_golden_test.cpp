// Real checkpoints of every dialect: read whole, compared with what is known of them, damaged.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>

#include "engine/base/half.h"
#include "tests/import/checkpoint_file.h"
#include "tests/support/test_support.h"
#include "weights/import/module_tree.h"

namespace yolocu {
namespace {

using testing::CheckpointFile;
using testing::message_of;
using testing::read_bytes;
using testing::shared_dir;

struct Case {
  std::string name;
  std::string path;
  nlohmann::json facts;  // of this file
  nlohmann::json names;
  std::string style;
};

// All .pt files of the golden cases whose names begin with `prefix`.
std::vector<Case> golden_cases(const std::string& prefix) {
  std::vector<Case> cases;
  for (const auto& folder : std::filesystem::directory_iterator(shared_dir() + "/golden/a")) {
    const std::string name = folder.path().filename();
    if (!name.starts_with(prefix)) continue;
    const nlohmann::json about = nlohmann::json::parse(std::ifstream(folder.path() / "case.json"));
    for (const auto& [file, facts] : about["checkpoint"]["facts"].items()) {
      if (!file.ends_with(".pt")) continue;
      cases.push_back(
          {name, folder.path() / file, facts, about["names"], about["checkpoint"]["style"]});
    }
  }
  std::ranges::sort(cases, {}, &Case::path);
  return cases;
}

bool is_state_dict(const Case& c) {
  return c.style.find("state_dict") != std::string::npos;
}

void collect_tensors(const Module& module, std::set<const ImportedTensor*>* tensors) {
  for (const auto& [name, tensor] : module.tensors) tensors->insert(tensor.get());
  for (const auto& [name, child] : module.children) collect_tensors(child, tensors);
}

size_t count_tensors(const Module& module) {
  std::set<const ImportedTensor*> tensors;
  collect_tensors(module, &tensors);
  return tensors.size();
}

std::vector<std::string> expected_names(const nlohmann::json& names) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < names.size(); ++i) {
    texts.push_back(names.is_array() ? names[i] : names[std::to_string(i)]);
  }
  return texts;
}

// Tensors outside of the model (optimizer) or in lists (YOLOv7's cached grids, one a level) are no
// part of the tree.
void check_case(const Case& c, Dialect dialect) {
  SCOPED_TRACE(c.path);
  const auto checkpoint = CheckpointFile(read_bytes(c.path));
  ASSERT_OK(checkpoint);
  EXPECT_EQ(checkpoint->dialect, dialect);
  EXPECT_EQ(checkpoint->class_names, expected_names(c.names));
  EXPECT_FALSE(checkpoint->architecture.empty());
  ASSERT_NE(checkpoint->model.child("model"), nullptr);
  EXPECT_GT(checkpoint->model.child("model")->children.size(), 20u);
  const size_t tensors = count_tensors(checkpoint->model);
  const size_t in_file = c.facts["tensors"];
  const size_t in_lists = dialect == Dialect::kYolov7 ? 4 : 0;
  EXPECT_LE(tensors, in_file);
  if (c.style != "train" && c.style != "trainer") {
    EXPECT_GE(tensors + in_lists, in_file);
  }
}

void check_dialect(const std::string& prefix, Dialect dialect, size_t at_least) {
  size_t checked = 0;
  for (const Case& c : golden_cases(prefix)) {
    if (is_state_dict(c)) continue;
    check_case(c, dialect);
    ++checked;
  }
  EXPECT_GE(checked, at_least);
}

TEST(TorchGolden, Yolov9) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  check_dialect("v9_", Dialect::kYolov9, 15);
}

TEST(TorchGolden, Yolov7) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  check_dialect("v7_", Dialect::kYolov7, 11);
}

TEST(TorchGolden, Ultralytics) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  check_dialect("ul_", Dialect::kUltralytics, 5);
}

// Whatever the container, the wrapper and the layout of the storages.
TEST(TorchGolden, StateDictionaries) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  size_t checked = 0;
  for (const Case& c : golden_cases("")) {
    if (!is_state_dict(c)) continue;
    SCOPED_TRACE(c.path);
    const auto checkpoint = CheckpointFile(read_bytes(c.path));
    ASSERT_OK(checkpoint);
    EXPECT_EQ(checkpoint->origin, ModuleOrigin::kStateDict);
    ++checked;
  }
  EXPECT_EQ(checked, 9u);
}

TEST(TorchGolden, FusedModulesNameTheirForward) {
  const std::string path = "golden/a/v9_gelan-t_fused/ckpt.pt";
  YOLOCU_REQUIRE_SHARED(path);
  const auto checkpoint = CheckpointFile(read_bytes(shared_dir() + "/" + path));
  ASSERT_OK(checkpoint);
  const Module* conv = checkpoint->model.child("model")->child("0");
  EXPECT_EQ(conv->text("forward"), "forward_fuse");
  EXPECT_EQ(conv->child("bn"), nullptr);
  ASSERT_NE(conv->child("conv"), nullptr);
  EXPECT_NE(conv->child("conv")->tensor("bias"), nullptr);
  EXPECT_EQ(conv->child("conv")->integers("kernel_size"), (std::vector<int64_t>{3, 3}));
}

// All tensors of a safetensors file of F16, as fp32 by name. A reader of nothing but this file.
std::map<std::string, std::vector<float>> read_f16_safetensors(const std::string& path) {
  const std::vector<std::byte> bytes = read_bytes(path);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  const char* text = reinterpret_cast<const char*>(bytes.data()) + sizeof header_bytes;
  std::map<std::string, std::vector<float>> tensors;
  const nlohmann::json header = nlohmann::json::parse(text, text + header_bytes);
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__" || entry["dtype"] != "F16") continue;
    const size_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    std::vector<float>& values = tensors[name];
    for (size_t at = begin; at < end; at += sizeof(uint16_t)) {
      uint16_t half = 0;
      std::memcpy(&half, text + header_bytes + at, sizeof half);
      values.push_back(half_to_float(half));
    }
  }
  return tensors;
}

const Module* descend(const Module& from, const std::string& path, std::string* last) {
  const Module* at = &from;
  size_t begin = 0;
  for (size_t dot = path.find('.'); dot != std::string::npos && at != nullptr;
       begin = dot + 1, dot = path.find('.', begin)) {
    at = at->child(path.substr(begin, dot - begin));
  }
  *last = path.substr(begin);
  return at;
}

// The same tensors, written by another program in another format: every bit agrees.
TEST(TorchGolden, TensorsAgreeWithSafetensors) {
  YOLOCU_REQUIRE_SHARED("weights/yolov9t-coco.safetensors");
  const auto expected = read_f16_safetensors(shared_dir() + "/weights/yolov9t-coco.safetensors");
  ASSERT_GT(expected.size(), 300u);
  for (const char* file : {"yolov9t-coco.pt", "yolov9t-coco-official.pt"}) {
    const auto checkpoint = CheckpointFile(read_bytes(shared_dir() + "/weights/" + file));
    ASSERT_OK(checkpoint);
    EXPECT_EQ(checkpoint->class_names.size(), 80u);
    size_t compared = 0;
    for (const auto& [name, values] : expected) {
      std::string last;
      const Module* module = descend(checkpoint->model, name, &last);
      if (module == nullptr && std::string(file) != "yolov9t-coco.pt") continue;
      ASSERT_NE(module, nullptr) << file << " " << name;
      const ImportedTensor* tensor = module->tensor(last);
      ASSERT_NE(tensor, nullptr) << file << " " << name;
      EXPECT_EQ(tensor->values(), values) << file << " " << name;
      ++compared;
    }
    EXPECT_GT(compared, 300u) << file;
  }
}

TEST(TorchGolden, OtherRealFiles) {
  YOLOCU_REQUIRE_SHARED("weights/yolov7/robocup-tiny.pt");
  const auto v7 = CheckpointFile(read_bytes(shared_dir() + "/weights/yolov7/robocup-tiny.pt"));
  ASSERT_OK(v7);
  EXPECT_EQ(v7->dialect, Dialect::kYolov7);
  EXPECT_EQ(v7->class_names.size(), 4u);
  const auto ball = CheckpointFile(read_bytes(shared_dir() + "/weights/yolov9t.pt"));
  ASSERT_OK(ball);
  EXPECT_EQ(ball->dialect, Dialect::kUltralytics);
  EXPECT_EQ(ball->class_names, std::vector<std::string>{"ball"});
}

// YOLOCU_FUZZ_ROUNDS: damages a file this often (default 3; the full run used 200).
int fuzz_rounds() {
  const char* rounds = std::getenv("YOLOCU_FUZZ_ROUNDS");
  return rounds == nullptr ? 3 : std::atoi(rounds);
}

// Truncated or with flipped bits: an error or a checkpoint, never a crash.
TEST(TorchGolden, DamagedFiles) {
  YOLOCU_REQUIRE_SHARED("golden/a");
  std::mt19937_64 random(11);
  for (const Case& c : golden_cases("")) {
    const std::vector<std::byte> bytes = read_bytes(c.path);
    for (int round = 0; round < fuzz_rounds(); ++round) {
      const size_t length = random() % bytes.size();
      EXPECT_FALSE(read_torch_checkpoint(std::span(bytes).first(length)).ok())
          << c.path << " " << length;
      std::vector<std::byte> damaged = bytes;
      damaged[random() % damaged.size()] ^= static_cast<std::byte>(1u << random() % 8);
      (void)read_torch_checkpoint(damaged);
    }
  }
}

}  // namespace
}  // namespace yolocu

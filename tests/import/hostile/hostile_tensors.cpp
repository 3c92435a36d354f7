// Tensors that are not what their storages hold: the weight of the first convolution of
// sound_yolov9(), in the zip and in the legacy form.
#include <limits>

#include "tests/import/hostile/hostile_corpus.h"
#include "tests/import/hostile/pickled_tree.h"
#include "tests/import/module_builder.h"
#include "tests/import/pickled.h"
#include "tests/import/torch_builder.h"

namespace yolocu::testing {
namespace {

using Change = std::function<void(ImportedTensor&)>;

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

PickledTree with_weight(const Change& change) {
  Module root = sound_yolov9();
  Module& conv = root.children[0].second.children[0].second.children[0].second;
  ImportedTensor weight = *conv.tensor("weight");  // [8,3,3,3], 216 elements
  change(weight);
  conv.tensors["weight"] = std::make_shared<const ImportedTensor>(std::move(weight));
  return pickle_tree(root);
}

void append(std::vector<HostileFile>& all, const std::string& name, const std::string& cause,
            const Change& change) {
  all.push_back({"tensor_" + name, cause, [=] { return zip_file(with_weight(change)); }});
  all.push_back(
      {"tensor_" + name + "_legacy", cause, [=] { return legacy_file(with_weight(change)); }});
}

void append_views(std::vector<HostileFile>& all) {
  const auto sized = [](std::vector<int64_t> shape, std::vector<int64_t> strides) {
    return [=](ImportedTensor& t) {
      t.shape = shape;
      t.strides = strides;
    };
  };
  append(all, "offset_beyond_the_end", "leaves its storage of 216 elements",
         [](ImportedTensor& t) { t.offset = 1; });
  append(all, "offset_negative", "negative", [](ImportedTensor& t) { t.offset = -1; });
  append(all, "offset_overflows", "leaves its storage",
         [](ImportedTensor& t) { t.offset = kLargest; });
  append(all, "stride_negative", "negative", sized({8, 3, 3, 3}, {-27, 9, 3, 1}));
  append(all, "stride_overflows", "leaves its storage", sized({8, 3, 3, 3}, {kLargest, 9, 3, 1}));
  append(all, "stride_one_too_large", "leaves its storage", sized({8, 3, 3, 3}, {28, 9, 3, 1}));
  append(all, "size_negative", "negative", sized({8, -3, 3, 3}, {27, 9, 3, 1}));
  append(all, "size_zero", "is empty", sized({0, 3, 3, 3}, {27, 9, 3, 1}));
  append(all, "sizes_overflow", "leaves its storage",
         sized({kLargest, kLargest, 3, 3}, {0, 0, 0, 0}));
  append(all, "stride_zero_repeats_one_element", "too often",
         sized({65536, 65536, 3, 3}, {0, 0, 0, 0}));
  append(all, "fewer_strides_than_sizes", "as many strides", sized({8, 3, 3, 3}, {27, 9, 3}));
  append(all, "one_dimension", "expected 4 dimensions", sized({216}, {1}));
  append(all, "sixteen_dimensions_of_large_numbers", "leaves its storage",
         sized(std::vector<int64_t>(16, kLargest - 1), std::vector<int64_t>(16, kLargest - 1)));
  append(all, "thousand_dimensions", "tuple of at most 64",
         sized(std::vector<int64_t>(1000, 1), std::vector<int64_t>(1000, 1)));
}

void append_values(std::vector<HostileFile>& all) {
  const auto filled = [](float value) {
    return [=](ImportedTensor& t) { t = *imported({8, 3, 3, 3}, std::vector<float>(216, value)); };
  };
  append(all, "not_a_number", "NaN", filled(std::numeric_limits<float>::quiet_NaN()));
  append(all, "infinite", "infinity", filled(-std::numeric_limits<float>::infinity()));
  append(all, "beyond_half_precision", "beyond its range", filled(1e38f));
}

// The persistent id of a storage with one item replaced.
void append_storages(std::vector<HostileFile>& all) {
  using namespace pickled;  // NOLINT: a vocabulary made for this
  const auto bias = [&all](const std::string& name, const std::string& cause,
                           const std::string& storage, const std::string& shape = "") {
    const std::string sizes = shape.empty() ? integers({2}) : shape;
    const std::string tensor = reduce(global("torch._utils", "_rebuild_tensor_v2"),
                                      {storage, integer(0), sizes, integers({1}), kFalse, kNone});
    const PickledModule model = {
        .module = "models.yolo", .name = "DetectionModel", .parameters = {{"bias", tensor}}};
    const std::string object = record({{"model", pickled_module(model)}});
    all.push_back({"storage_" + name, cause, [=] {
                     return torch_file(object, {{"0", std::string(8, '\0')}});
                   }});
  };
  const auto id = [](const std::string& type, const std::string& key, const std::string& count) {
    return tuple({text("storage"), global("torch", type), key, text("cpu"), count}) + "Q";
  };
  bias("missing", "no such member", pickled_storage("FloatStorage", "1", 2));
  bias("named_by_a_path", "no such member", pickled_storage("FloatStorage", "../../etc/passwd", 2));
  bias("named_by_an_absolute_path", "no such member",
       pickled_storage("FloatStorage", "/etc/passwd", 2));
  bias("of_other_size", "expected 16 bytes", pickled_storage("FloatStorage", "0", 4));
  bias("of_other_type", "expected 16 bytes", pickled_storage("DoubleStorage", "0", 2));
  bias("of_unknown_type", "refuses global", pickled_storage("ComplexFloatStorage", "0", 1));
  bias("of_negative_size", "elements", pickled_storage("FloatStorage", "0", -2));
  bias("of_overflowing_size", "are not possible", pickled_storage("FloatStorage", "0", kLargest));
  bias("id_is_an_integer", "expected a storage", integer(7) + "Q");
  bias("id_is_a_list", "expected a storage", list({text("storage")}) + "Q");
  bias("id_has_one_item", "expected a storage", tuple({text("storage")}) + "Q");
  bias("key_is_an_integer", "expected a storage", id("FloatStorage", integer(0), integer(2)));
  bias("count_is_a_text", "expected a storage", id("FloatStorage", text("0"), text("2")));
  bias("is_a_dictionary", "expected a storage", "}");
  bias("sizes_are_texts", "size is not an integer", pickled_storage("FloatStorage", "0", 2),
       tuple({text("2")}));
  bias("sizes_are_a_list", "size is not a tuple", pickled_storage("FloatStorage", "0", 2),
       list({integer(2)}));
}

}  // namespace

std::vector<HostileFile> hostile_tensors() {
  std::vector<HostileFile> all;
  append_views(all);
  append_values(all);
  append_storages(all);
  return all;
}

}  // namespace yolocu::testing

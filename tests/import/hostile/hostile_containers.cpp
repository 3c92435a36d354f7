// Containers that lie about what they hold, and files that are none.
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "tests/format/packed_bytes.h"
#include "tests/import/hostile/hostile_corpus.h"
#include "tests/import/hostile/pickled_tree.h"
#include "tests/import/pickled.h"
#include "tests/import/torch_builder.h"
#include "tests/support/test_support.h"

namespace yolocu::testing {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;
using File = std::vector<std::byte>;

File sound_zip() {
  return zip_file(pickle_tree(sound_yolov9()));
}

Members sound_members() {
  const PickledTree tree = pickle_tree(sound_yolov9());
  Members members = {{"best/data.pkl", pickled::whole(tree.object)}};
  for (const auto& [key, bytes] : tree.storages) members.emplace_back("best/data/" + key, bytes);
  return members;
}

// Offset of the central directory's entry of the first member, the pickle.
size_t first_entry(const File& file) {
  constexpr char kSignature[] = {'P', 'K', 1, 2};
  for (size_t at = 0; at + 4 <= file.size(); ++at) {
    if (std::memcmp(file.data() + at, kSignature, 4) == 0) return at;
  }
  return 0;
}

// One field of that entry.
File with_field(size_t offset, uint64_t value, int width) {
  File file = sound_zip();
  const std::string bytes = pickled::little_endian(value, width);
  std::memcpy(file.data() + first_entry(file) + offset, bytes.data(), bytes.size());
  return file;
}

File renamed(const std::string& from, const std::string& to) {
  File file = sound_zip();
  replace_bytes(&file, from, to);
  return file;
}

void append_zips(std::vector<HostileFile>& all) {
  const auto zip = [&all](const std::string& name, const std::string& cause,
                          const std::function<File()>& make) {
    all.push_back({"zip_" + name, cause, make});
  };
  const auto members = [](const std::function<void(Members&)>& change) {
    return [=] {
      Members parts = sound_members();
      change(parts);
      return build_zip(parts);
    };
  };
  zip("without_members", "not a PyTorch checkpoint",
      [] { return pickled::as_bytes("PK\x05\x06" + std::string(18, '\0')); });
  zip("without_pickle", "expected one member <top>/data.pkl, found 0",
      members([](Members& parts) { parts.erase(parts.begin()); }));
  zip("of_two_pickles", "found 2",
      members([](Members& parts) { parts.emplace_back("other/data.pkl", "N."); }));
  zip("of_an_empty_pickle", "pickle", members([](Members& parts) { parts[0].second.clear(); }));
  zip("of_a_torchscript_program", "TorchScript",
      members([](Members& parts) { parts.emplace_back("best/constants.pkl", "N."); }));
  zip("in_big_endian", "byte order 'big'",
      members([](Members& parts) { parts.emplace_back("best/byteorder", "big"); }));
  zip("of_a_byte_order_with_control_characters", "byte order '?[2J?",
      members([](Members& parts) { parts.emplace_back("best/byteorder", "\x1b[2J\n"); }));
  zip("of_a_long_byte_order", "more than the limit of 64",
      members([](Members& parts) { parts.emplace_back("best/byteorder", std::string(999, 'x')); }));
  zip("without_a_storage", "no such member", members([](Members& parts) { parts.pop_back(); }));
  zip("with_a_path_upwards", "'../../x'",
      members([](Members& parts) { parts.emplace_back("../../x", "x"); }));
  zip("in_a_folder_upwards", "'../t/data.pkl'", [] { return renamed("best/", "../t/"); });
  zip("with_an_absolute_path", "'/etc/passwd'",
      members([](Members& parts) { parts.emplace_back("/etc/passwd", "x"); }));
  zip("with_a_windows_path", "no plain name",
      members([](Members& parts) { parts.emplace_back("c:\\x", "x"); }));
  zip("of_one_name_twice", "twice", [] { return renamed("best/data/10", "best/data/11"); });
  zip("of_a_deflated_gigabyte_of_pickle", "more than the limit of", [] {
    return build_zip({{"best/data.pkl", std::string(size_t{100} << 20, 'N')}},
                     ZipMethod::kDeflated);
  });
  zip("of_a_deflated_bomb_of_a_storage", "more than the limit", [] {
    PickledTree tree = pickle_tree(sound_yolov9());
    Members parts = {{"best/data.pkl", pickled::whole(tree.object)}};
    for (const auto& [key, bytes] : tree.storages) parts.emplace_back("best/data/" + key, bytes);
    const std::string bias =
        pickled_tensor(pickled_storage("FloatStorage", "bomb", 25 << 20), 0, {1}, {1});
    parts[0].second = pickled::whole(
        pickled::record({{"model", pickled_module({.module = "models.yolo",
                                                   .name = "DetectionModel",
                                                   .parameters = {{"bias", bias}}})}}));
    parts.emplace_back("best/data/bomb", std::string(size_t{100} << 20, '\0'));
    return build_zip(parts, ZipMethod::kDeflated);
  });
  constexpr size_t kMethod = 10, kCrc = 16, kStoredSize = 20, kSize = 24, kOffset = 42;
  constexpr uint64_t kLargest = 0xfffffff0u;
  zip("whose_size_is_a_lie", "claims", [] { return with_field(kSize, kLargest, 4); });
  zip("whose_stored_size_is_a_lie", "claims", [] { return with_field(kStoredSize, kLargest, 4); });
  zip("whose_checksum_is_a_lie", "damaged", [] { return with_field(kCrc, 1, 4); });
  zip("whose_offset_is_a_lie", "member", [] { return with_field(kOffset, kLargest, 4); });
  zip("whose_members_overlap", "member", [] { return with_field(kOffset, 500, 4); });
  zip("of_unknown_compression", "", [] { return with_field(kMethod, 99, 2); });
  zip("that_is_encrypted", "encrypted", [] { return with_field(8, 1, 2); });
  zip("of_stored_bytes_called_deflated", "member", [] { return with_field(kMethod, 8, 2); });
  // Many members that share one stored storage.
  zip("whose_members_are_larger_than_the_file", "overlap", [] {
    Members parts = sound_members();
    const std::string content(1 << 20, 'x');
    for (int i = 0; i < 8; ++i) parts.emplace_back("best/extra/" + std::to_string(i), content);
    File file = build_zip(parts);
    // All but the last of these go, their directory entries stay.
    constexpr char kEntry[] = {'P', 'K', 1, 2};
    const auto directory =
        std::search(file.begin(), file.end(), std::begin(kEntry), std::end(kEntry),
                    [](std::byte a, char b) { return a == static_cast<std::byte>(b); });
    const std::ptrdiff_t cut = 7 << 20;
    File shorter(file.begin(), directory - cut);
    shorter.insert(shorter.end(), directory, file.end());
    const size_t end = shorter.size() - 22;  // of the directory: its own offset at 16
    const auto offset = static_cast<uint64_t>(directory - file.begin() - cut);
    std::memcpy(shorter.data() + end + 16, pickled::little_endian(offset, 4).data(), 4);
    return shorter;
  });
}

HostileFile safetensors(const std::string& name, const std::string& cause,
                        const std::string& header, size_t data_bytes = 4) {
  const auto kept = std::make_shared<const std::string>(header);  // megabytes, copied often
  return {"safetensors_" + name, cause, [=] { return container(*kept, Bytes(data_bytes)); }};
}

// A header of one tensor.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"model.0.conv.weight":{"dtype":")" + dtype + R"(","shape":)" + shape +
         R"(,"data_offsets":)" + offsets + "}}";
}

void append_safetensors(std::vector<HostileFile>& all) {
  const std::vector<HostileFile> files = {
      safetensors("empty", "no tensors of a model", "{}", 0),
      safetensors("of_unknown_dtype", "dtype", one("F8", "[4]", "[0,4]")),
      safetensors("of_negative_size", "shape", one("F32", "[-1]", "[0,4]")),
      safetensors("of_overflowing_size", "",
                  one("F32", "[4294967296,4294967296,4294967296]", "[0,4]")),
      safetensors("of_fractional_size", "", one("F32", "[1.5]", "[0,4]")),
      safetensors("of_bytes_that_do_not_fit", "", one("F32", "[2]", "[0,4]")),
      safetensors("that_begins_behind_its_end", "", one("F32", "[1]", "[4,0]")),
      safetensors("that_ends_behind_the_file", "", one("F32", "[1]", "[1000000,1000004]")),
      safetensors("with_a_hole", "", one("U8", "[2]", "[2,4]")),
      safetensors("with_bytes_behind_its_tensors", "", one("U8", "[2]", "[0,2]")),
      safetensors("of_a_name_twice", "",
                  R"({"model.0.b":{"dtype":"U8","shape":[4],"data_offsets":)"
                  R"([0,4]},"model.0.b":{"dtype":"U8","shape":[4],)"
                  R"("data_offsets":[0,4]}})"),
      safetensors("of_a_name_of_no_layer", "is of no layer",
                  R"({"a\nb\u001b[2J":{"dtype":"U8",)"
                  R"("shape":[4],"data_offsets":[0,4]}})"),
      safetensors("nested_a_million_deep", "",
                  R"({"a":)" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}", 0),
      safetensors("of_a_million_dimensions", "",
                  [] {
                    std::string shape = "[1";
                    for (int i = 0; i < 1'000'000; ++i) shape += ",1";
                    return one("U8", shape + "]", "[0,4]");
                  }()),
      safetensors("not_json", "", "{not json at all}", 0),
      safetensors("not_utf8", "", "{\"\xff\xfe\":{}}", 0),
  };
  all.insert(all.end(), files.begin(), files.end());
  all.push_back({"safetensors_of_a_header_of_2_to_the_63", "", [] {
                   File file = container("{}", {});
                   file[7] = std::byte{0x7f};
                   return file;
                 }});
}

void append_state_dicts(std::vector<HostileFile>& all) {
  using Change = std::function<void(Module&)>;
  const auto both = [&all](const std::string& name, const std::string& cause,
                           const std::string& architecture, const Change& change) {
    const auto make = [=] {
      Module dictionary = sound_state_dict();
      change(dictionary);
      return dictionary;
    };
    all.push_back({"state_dict_zip_" + name, cause,
                   [=] { return zip_file(pickle_tensors(make())); }, architecture});
    all.push_back({"state_dict_safetensors_" + name, cause,
                   [=] { return safetensors_file(make()); }, architecture});
  };
  const std::string weight = "model.1.conv.weight";
  both("without_a_tensor", "'model.1.conv.weight' is missing", "gelan-t",
       [=](Module& d) { d.tensors.erase(weight); });
  both("that_fits_nothing", "fit no architecture", "", [=](Module& d) { d.tensors.erase(weight); });
  both("with_one_tensor_too_many", "has no place", "gelan-t",
       [=](Module& d) { d.tensors["model.99.conv.weight"] = d.tensors["model.0.conv.bias"]; });
  both("of_other_dimensions", "expected [*,16,3,3], got [16]", "gelan-t",
       [=](Module& d) { d.tensors[weight] = d.tensors["model.0.conv.bias"]; });
  both("of_layer_beyond_64_bits", "", "gelan-t", [=](Module& d) {
    d.tensors["model.99999999999999999999.conv.weight"] = d.tensors["model.0.conv.bias"];
  });
  both("of_unknown_architecture", "no architecture 'yolov3?", "yolov3\n", [](Module&) {});
  all.push_back({"modules_although_an_architecture_is_named", "--arch is for files without",
                 sound_zip, "gelan-t"});
}

void append_others(std::vector<HostileFile>& all) {
  const auto other = [&all](const std::string& name, const std::string& content) {
    all.push_back({"not_a_checkpoint_" + name, "not a PyTorch checkpoint",
                   [=] { return pickled::as_bytes(content); }});
  };
  other("empty", "");
  other("one_byte", "P");
  other("text", "a checkpoint would be here\n");
  other("html_page", "<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n");
  other("git_lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  other("zeros", std::string(100'000, '\0'));
  other("png", "\x89PNG\r\n\x1a\n" + std::string(1000, '\x55'));
  other("elf",
        "\x7f"
        "ELF" +
            std::string(1000, '\1'));
  other("bare_pickle", pickled::whole(pickled::record({{"model", "N"}})));
  all.push_back({"not_a_checkpoint_picture", "not a PyTorch checkpoint",
                 [] { return read_bytes(source_dir() + "/weights/demo/sample.jpg"); }});
  all.push_back({"not_a_checkpoint_packed_model", "packed model already",
                 [] { return read_bytes(source_dir() + "/weights/demo/codes-nano.yolocu"); }});
}

// Every sixteenth of a sound file of each container. Made when asked for: the list of the corpus is
// put together by every process that runs one case.
void append_truncations(std::vector<HostileFile>& all) {
  const std::pair<std::string, std::function<File()>> files[] = {
      {"zip", sound_zip},
      {"legacy", [] { return legacy_file(pickle_tree(sound_yolov9())); }},
      {"state_dict", [] { return zip_file(pickle_tensors(sound_state_dict())); }},
      {"safetensors", [] { return safetensors_file(sound_state_dict()); }}};
  for (const auto& [container, make] : files) {
    for (size_t part = 0; part < 16; ++part) {
      all.push_back({"truncated_" + container + "_at_" + std::to_string(part) + "_of_16", "",
                     [make = make, part] {
                       File file = make();
                       file.resize(file.size() * part / 16);
                       return file;
                     }});
    }
  }
}

}  // namespace

std::vector<HostileFile> hostile_containers() {
  std::vector<HostileFile> all;
  append_zips(all);
  append_safetensors(all);
  append_state_dicts(all);
  append_others(all);
  append_truncations(all);
  return all;
}

}  // namespace yolocu::testing

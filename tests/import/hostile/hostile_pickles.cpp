// Pickles that would run something in Python, or use up memory or the stack of a reader.
#include "tests/import/hostile/hostile_corpus.h"
#include "tests/import/pickled.h"
#include "tests/import/torch_builder.h"

namespace yolocu::testing {
namespace {

using namespace pickled;  // NOLINT: a vocabulary made for this

HostileFile pickle(const std::string& name, const std::string& cause, const std::string& object) {
  return {"pickle_" + name, cause, [=] { return torch_file(object, {}); }};
}

// The object as the value of "model", where a model is expected.
HostileFile model(const std::string& name, const std::string& cause, const std::string& object) {
  return pickle(name, cause, record({{"model", object}}));
}

std::string detection_model(const std::string& state) {
  return instance(global("models.yolo", "DetectionModel"), state);
}

std::vector<HostileFile> code_execution() {
  const auto call = [](const std::string& name, const std::string& module,
                       const std::string& function, const std::string& argument) {
    return model(name, "refuses global '" + module + " " + function,
                 reduce(global(module, function), {text(argument)}));
  };
  const std::string conv = instance(global("models.common", "Conv"), "}");
  return {
      call("os_system", "os", "system", "id > /tmp/owned"),
      call("posix_system", "posix", "system", "id"),
      call("builtins_eval", "builtins", "eval", "1"),
      call("builtins_exec", "builtins", "exec", "import os"),
      call("python_2_eval", "__builtin__", "eval", "1"),
      call("builtins_import", "builtins", "__import__", "os"),
      call("builtins_open", "builtins", "open", "/etc/passwd"),
      call("subprocess_popen", "subprocess", "Popen", "id"),
      call("subprocess_check_output", "subprocess", "check_output", "id"),
      call("importlib", "importlib", "import_module", "os"),
      call("torch_load", "torch", "load", "/etc/passwd"),
      call("torch_hub", "torch.hub", "load", "a/b"),
      call("numpy_load", "numpy", "load", "/etc/passwd"),
      call("ctypes", "ctypes", "CDLL", "libc.so.6"),
      call("webbrowser", "webbrowser", "open", "http://example.org"),
      call("pickle_in_pickle", "_pickle", "loads", "x"),
      call("method_of_a_module_class", "models.common", "Conv.forward.__globals__", "os"),
      // os.system found through attributes of what is allowed.
      model("getattr_chain", "REDUCE of something that is not a global",
            reduce(reduce(global("builtins", "getattr"),
                          {reduce(global("builtins", "getattr"), {conv, text("__globals__")}),
                           text("system")}),
                   {text("id")})),
      pickle("stack_global_with_line_breaks", "refuses global 'os??",
             text("os\n\x1b[31m") + text("system") + "\x93"),
      pickle("inst", "refuses opcode INST", "(ios\nsystem\n"),
      pickle("obj", "refuses opcode OBJ", "(" + global("models.common", "Conv") + "o"),
      pickle("extension_registry", "refuses opcode EXT1", "\x82\x01"),
      pickle("persistent_id_of_text", "refuses opcode PERSID", "Pos.system\n"),
      pickle("build_on_an_integer", "BUILD", integer(1) + "}b"),
      pickle("build_on_a_function", "BUILD", global("torch._utils", "_rebuild_tensor_v2") + "}b"),
      pickle("call_of_an_integer", "REDUCE", reduce(integer(1), {text("id")})),
      pickle("call_of_a_text", "REDUCE", reduce(text("os.system"), {text("id")})),
      pickle("new_object_of_a_text", "NEWOBJ", text("os.system") + ")\x81"),
      model("not_a_model", "found no module", integer(1)),
      model("model_of_no_state", "no module 'model'", detection_model("}")),
      model("model_class_without_instance", "found no module",
            global("models.yolo", "DetectionModel")),
      model("state_is_a_list", "no module 'model'", detection_model("]")),
      model("children_are_a_list", "no module 'model'",
            detection_model(record({{"_modules", list({conv})}}))),
      model("child_is_an_integer", "is not a module",
            detection_model(record({{"_modules", record({{"model", integer(1)}})}}))),
      model("parameter_is_a_module", "is not a named tensor",
            detection_model(record({{"_parameters", record({{"weight", conv}})}}))),
      model("class_names_of_integers", "class names",
            detection_model(record({{"names", list({integer(1)})}}))),
      model("class_names_not_numbered", "expected number 0",
            detection_model(record({{"names", dict({integer(7), text("cat")})}}))),
      model("class_names_numbered_by_texts", "not an integer",
            detection_model(record({{"names", record({{"a", text("cat")}})}}))),
      // Names are printed: they are tamed there, but nobody's class has a megabyte.
      model("class_name_of_a_megabyte", "not a text of reasonable length",
            detection_model(record({{"names", list({text(std::string(1'000'000, 'a'))})}}))),
  };
}

// A module that is its own child, through the memo.
HostileFile cycle() {
  const std::string cls = global("models.yolo", "DetectionModel");
  const std::string self =
      remember(cls + ")\x81", 1) + record({{"_modules", record({{"model", recall(1)}})}}) + "b";
  return model("module_contains_itself", "contains itself", self);
}

std::vector<HostileFile> bombs() {
  constexpr size_t kMillion = 1'000'000;
  std::string laughs = remember(tuple({kNone, kNone}), 0) + "0";
  for (uint8_t i = 0; i < 200; ++i) {
    laughs += remember(tuple({recall(i), recall(i)}), static_cast<uint8_t>(i + 1)) + "0";
  }
  std::string copies = "(" + remember("](" + std::string(100'000, 'N') + "e", 0);
  for (int i = 0; i < 1000; ++i) copies += global("builtins", "set") + recall(0) + "\x85R";
  return {
      cycle(),
      pickle("text_of_4_gigabytes", "truncated",
             "X\xff\xff\xff\xff"
             "abc"),
      pickle("text_of_2_to_the_63_bytes", "truncated", "\x8d" + little_endian(~0ull >> 1, 8)),
      pickle("bytes_of_2_to_the_64", "truncated", "\x8e" + little_endian(~0ull, 8)),
      pickle("bytearray_of_2_to_the_62", "", "\x96" + little_endian(1ull << 62, 8)),
      pickle("long_of_2_gigabytes", "", "\x8b" + little_endian(0x7fffffff, 4)),
      pickle("long_of_negative_size", "", "\x8b" + little_endian(0xffffffff, 4)),
      pickle("frame_of_2_to_the_63", "", "\x95" + little_endian(1ull << 63, 8) + "N"),
      pickle("memo_index_2_to_the_31", "memo", "Nr" + little_endian(0x80000000u, 4)),
      pickle("memo_index_never_stored", "memo", "j" + little_endian(0x7fffffff, 4)),
      pickle("million_nested_lists", "neither a dictionary nor a model",
             std::string(kMillion, ']') + std::string(kMillion - 1, 'a')),
      pickle("million_nested_tuples", "neither a dictionary nor a model",
             ")" + std::string(kMillion, '\x85')),
      pickle("million_nested_dictionaries", "no module and no tensors",
             [] {
               std::string nested;
               for (size_t i = 0; i < kMillion; ++i) nested += "}N";
               nested += "}";
               for (size_t i = 0; i < kMillion; ++i) nested += "s";
               return nested;
             }()),
      pickle("million_marks", "", std::string(kMillion, '(')),
      pickle("million_nested_states", "",
             [] {
               std::string nested;
               for (size_t i = 0; i < kMillion / 4; ++i) {
                 nested +=
                     (i == 0 ? remember(global("models.common", "Conv"), 1) : recall(1)) + ")\x81";
               }
               return nested + "}" + std::string(kMillion / 4, 'b');
             }()),
      pickle("three_million_objects", "1500000 objects", std::string(3 * kMillion, ']')),
      pickle("tuples_of_tuples_two_to_the_200", "neither a dictionary nor a model",
             laughs + recall(200)),
      pickle("lists_copied_a_thousand_times", "1500000 objects", copies + "t"),
      pickle("stack_is_empty", "stack", "0"),
      pickle("nothing_but_stop", "", ""),
  };
}

}  // namespace

std::vector<HostileFile> hostile_pickles() {
  std::vector<HostileFile> all = code_execution();
  for (HostileFile& file : bombs()) all.push_back(std::move(file));
  return all;
}

}  // namespace yolocu::testing

// What the pickle machine refuses: everything that could run, and everything malformed.
#include <gtest/gtest.h>

#include <string>

#include "tests/import/pickled.h"
#include "tests/support/test_support.h"
#include "weights/import/pickle.h"

namespace yolocu {
namespace {

using namespace testing::pickled;  // NOLINT: a vocabulary made for this

Status refusal(const std::string& pickle) {
  return read_pickle(as_bytes(pickle)).status();
}

// `pickle` is refused with this code, and the message contains `fragment`.
void expect_refusal(const std::string& pickle, StatusCode code, const std::string& fragment) {
  const Status status = refusal(pickle);
  ASSERT_FALSE(status.ok()) << "accepted; expected: " << fragment;
  EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(code)) << status.message();
  EXPECT_NE(status.message().find(fragment), std::string::npos)
      << status.message() << "\nexpected: " << fragment;
  EXPECT_EQ(status.message().find('\n'), std::string::npos) << status.message();
}

void expect_corrupt(const std::string& object, const std::string& fragment) {
  expect_refusal(whole(object), StatusCode::kCorrupt, fragment);
}

TEST(PickleRefusal, TheMessageNamesGlobalAndPlace) {
  const std::string pickle =
      whole("}(" + text("a") + reduce(global("os", "system"), {text("id")}) + "u");
  EXPECT_EQ(refusal(pickle).message(),
            "pickle: refuses global 'os system' at byte 10: checkpoints may only name known data "
            "and module classes");
}

TEST(PickleRefusal, DangerousGlobalsBySpelling) {
  const std::pair<const char*, const char*> names[] = {
      {"os", "system"},
      {"posix", "system"},
      {"nt", "system"},
      {"subprocess", "Popen"},
      {"subprocess", "check_output"},
      {"builtins", "eval"},
      {"builtins", "exec"},
      {"__builtin__", "eval"},
      {"__builtin__", "compile"},
      {"builtins", "__import__"},
      {"importlib", "import_module"},
      {"runpy", "run_path"},
      {"operator", "attrgetter"},
      {"functools", "partial"},
      {"torch", "load"},
      {"torch.hub", "load"},
      {"torch.jit", "load"},
      {"torch._utils", "_rebuild_anything"},
      {"numpy", "load"},
      {"numpy.core.multiarray", "fromfile"},
      {"numpy._core.multiarray", "frombuffer"},
      {"numpy", "ndarray.tofile"},
      {"_codecs", "decode"},
      {"__builtin__", "setattr"},
      {"utils.google_utils", "attempt_download"},
      {"ultralytics.utils.downloads", "safe_download"},
      {"ultralytics.utils", "IterableSimpleNamespace.__class__"},
      {"ultralytics.hub", "login"},
      // Only classes directly inside the packages of modules.
      {"models", "os"},
      {"models.common", "os.system"},
      {"models.common", "Conv.forward.__globals__"},
      {"models.common;os", "system"},
      {"models..common", "Conv"},
      {"models.", "Conv"},
      {"models.common", ""},
      {"modelsx.common", "Conv"},
      {"torch.nn.functional", "conv2d"},
      {"torch.nn.modules.conv", "torch.load"},
      {" models.common", "Conv"},
      {"models.common Conv", ""},
      {"", "models.common Conv"},
      {"models.common", "Conv\r"},
      {"collections OrderedDict", ""},
      {"", ""},
  };
  for (const auto& [module, name] : names) {
    SCOPED_TRACE(std::string(module) + " " + name);
    expect_refusal(whole(global(module, name)), StatusCode::kUnsupported, "refuses global '");
    expect_refusal("\x80\x04" + text(module) + text(name) + "\x93.", StatusCode::kUnsupported,
                   "refuses global '");
  }
}

TEST(PickleRefusal, OverlongNames) {
  const std::string name(1000, 'A');
  expect_corrupt(global("models." + name, "Conv"), "GLOBAL without the end of its line");
  expect_refusal(whole(text("models.common") + text(name) + "\x93"), StatusCode::kUnsupported,
                 "refuses global 'models.common AAA");
  expect_refusal(whole(global("models.common", std::string(200, 'A'))), StatusCode::kUnsupported,
                 "refuses global");
}

TEST(PickleRefusal, ControlCharactersDoNotReachTheMessage) {
  expect_refusal(whole(text("os\n\x1b[31m") + text("sys\ttem") + "\x93"), StatusCode::kUnsupported,
                 "refuses global 'os??[31m sys?tem'");
}

TEST(PickleRefusal, OpcodesByName) {
  const std::pair<const char*, const char*> opcodes[] = {
      {"(ios\nsystem\n", "INST (0x69) at byte 3"},
      {"(cmodels.common\nConv\no", "OBJ (0x6f)"},
      {"\x82\x01", "EXT1 (0x82) at byte 2"},
      {"\x83\x01\x02", "EXT2"},
      {"\x84\x01\x02\x03\x04", "EXT4"},
      {"Pid\n", "PERSID"},
      {"I1\n", "INT (0x49)"},
      {"S'x'\n", "STRING"},
      {"U\x01x", "SHORT_BINSTRING"},
      {"N2", "DUP"},
      {"\x97", "NEXT_BUFFER"},
      {"\xff", "opcode 0xff at byte 2"},
      {"z", "opcode 0x7a"},
  };
  for (const auto& [bytes, fragment] : opcodes) {
    expect_refusal(whole(bytes), StatusCode::kUnsupported, fragment);
  }
}

// Every byte is tried as an opcode: handled or refused, never a crash.
TEST(PickleRefusal, EveryByteAsOpcode) {
  for (int code = 0; code < 256; ++code) {
    for (const std::string& before : {std::string(), std::string("(N}N"), std::string("](NN")}) {
      (void)refusal(whole(before + static_cast<char>(code) + std::string(16, '\0')));
    }
  }
}

TEST(PickleRefusal, Protocols) {
  expect_refusal("", StatusCode::kCorrupt, "expected protocol 2 to 5");
  expect_refusal("N.", StatusCode::kCorrupt, "expected protocol 2 to 5");
  expect_refusal("\x80\x01N.", StatusCode::kUnsupported, "protocol 1");
  expect_refusal("\x80\x06N.", StatusCode::kUnsupported, "protocol 6");
  expect_corrupt("N\x80\x02", "second PROTO at byte 3");
}

TEST(PickleRefusal, CallsOfTheWrongKind) {
  expect_corrupt(global("torch._utils", "_rebuild_tensor_v2") + ")\x81", "which is not a class");
  expect_corrupt(reduce(global("torch", "FloatStorage"), {"K\5"}), "only a name");
  expect_corrupt(global("torch", "FloatStorage") + ")\x81", "which is not a class");
  expect_corrupt(text("os system") + ")R", "not a global");
  expect_corrupt("N)R", "not a global");
  expect_corrupt(global("models.common", "Conv") + "]R", "a tuple");
  expect_corrupt(global("models.common", "Conv") + "N\x81", "a tuple");
  // A method of a method: the result of a call is not callable.
  expect_corrupt(reduce(reduce(global("builtins", "getattr"), {"N", text("x")}), {}),
                 "not a global");
  expect_corrupt("N}b", "BUILD of something that is not an object");
  expect_corrupt(global("models.common", "Conv") + "}b", "BUILD of something");
  expect_corrupt(text("a") + "N\x93", "STACK_GLOBAL of something that is not text");
}

TEST(PickleRefusal, BadContainers) {
  const std::string ordered = global("collections", "OrderedDict");
  expect_corrupt(reduce(ordered, {"N"}), "not a list of pairs");
  expect_corrupt(reduce(ordered, {list({"N"})}), "not a pair");
  expect_corrupt(reduce(ordered, {list({tuple({"N"})})}), "not a pair");
  expect_corrupt(reduce(ordered, {"]", "]"}), "not a list of pairs");
  expect_corrupt(reduce(global("builtins", "set"), {"K\1"}), "not a list");
  expect_corrupt("NNa", "APPEND to something that is not a list");
  expect_corrupt("}Na", "APPEND to something that is not a list");
  expect_corrupt("NNNs", "not a dictionary");
  expect_corrupt("](NNu", "not a dictionary");
  expect_corrupt("}(Nu", "key without a value");
  expect_corrupt("}(Ne", "APPENDS without its container");
  expect_corrupt("](N\x90", "ADDITEMS without its container");
}

TEST(PickleRefusal, StackAndMarkAbuse) {
  for (const char* opcodes :
       {"\x85", "N\x86", "NN\x87", "0", "1", "R", "NR", "a", "Na", "s", "NNs", "b", "Nb", "\x81",
        "N\x81", "Q", "t", "e", "Ne", "u", "Nu", "\x90", "\x91", "\x93", "\x94", "", "(", "N(",
        "NN", "N(N", "(((", "(e", "(u", "(\x90",
        // The objects under a mark are out of reach.
        "N(\x85", "NN(N\x86", "](Na", "}N(Ns", "N(0", "}((NNu", "]((Ne"}) {
    SCOPED_TRACE(opcodes);
    EXPECT_EQ(refusal(whole(opcodes)).code(), StatusCode::kCorrupt);
  }
}

TEST(PickleRefusal, MemoAbuse) {
  expect_corrupt(recall(0), "unknown memo entry 0");
  expect_corrupt("Nq" + little_endian(1, 1) + recall(0), "unknown memo entry 0");
  expect_corrupt("j" + little_endian(0xFFFFFFFF, 4), "unknown memo entry 4294967295");
  expect_corrupt("Nr" + little_endian(0xFFFFFFFF, 4), "memo entry 4294967295");
  expect_corrupt("q" + little_endian(0, 1), "stack underflow");
}

TEST(PickleRefusal, AbsurdSizes) {
  expect_corrupt("X" + little_endian(0xFFFFFFFF, 4) + "short",
                 "4294967295 bytes expected and 6 left");
  expect_corrupt("\x8d" + little_endian(~uint64_t{0}, 8) + "short", "18446744073709551615 bytes");
  expect_corrupt("B" + little_endian(0x7FFFFFFF, 4), "2147483647 bytes expected and 1 left");
  expect_corrupt("\x8e" + little_endian(uint64_t{1} << 63, 8), "9223372036854775808 bytes");
  expect_corrupt("\x8b" + little_endian(0x7FFFFFFF, 4), "2147483647 bytes");
  expect_corrupt("\x8b" + little_endian(0xFFFFFFFF, 4), "4294967295 bytes");  // negative in Python
  expect_corrupt("\x95" + little_endian(1000, 8) + "N", "FRAME of 1000 bytes with 2 left");
  expect_corrupt("\x95" + little_endian(~uint64_t{0}, 8) + "N", "FRAME of 18446744073709551615");
}

TEST(PickleRefusal, IntegersBeyond64Bits) {
  const std::string magic = little_endian(0xa86a20f9469cfc6cu, 8) + "\x50\x19";
  expect_refusal(whole("\x8a\x0a" + magic), StatusCode::kUnsupported, "10 bytes at byte 2");
  expect_refusal(whole("\x8a\x09" + std::string(8, '\xff') + std::string(1, '\0')),
                 StatusCode::kUnsupported, "does not fit 64 bits");
  expect_refusal(whole("\x8a\x09" + std::string(8, '\0') + "\xff"), StatusCode::kUnsupported,
                 "does not fit 64 bits");
}

TEST(PickleRefusal, TextThatIsNotUtf8) {
  for (const std::string& bad :
       {std::string("\xff"), std::string("\xc3"), std::string("\xc3("), std::string("\xc0\x80"),
        std::string("\xed\xa0\x80"), std::string("\xe0\x80\x80"), std::string("\xf4\x90\x80\x80"),
        std::string("\xf0\x80\x80\x80"), std::string("a\x80"), std::string("\xe2\x82")}) {
    expect_corrupt(text(bad), "text that is not UTF-8");
  }
  for (const std::string& good :
       {std::string("\xc3\xa9"), std::string("\xe2\x82\xac"), std::string("\xf0\x9f\x98\x80"),
        std::string("\xed\x9f\xbf"), std::string("\xf4\x8f\xbf\xbf"), std::string("\0", 1)}) {
    EXPECT_TRUE(refusal(whole(text(good))).ok());
  }
}

TEST(PickleRefusal, TooManyObjects) {
  expect_refusal(whole(std::string(2'100'000, ']')), StatusCode::kResourceExhausted,
                 "1500000 objects");
}

// Three bytes that copy a large memoised list, again and again.
TEST(PickleRefusal, CopiesAreCounted) {
  const std::string items = "](" + std::string(100'000, 'N') + "e";
  const std::string list_entry = remember(items, 0);
  std::string calls = "(" + list_entry;
  for (int i = 0; i < 1000; ++i) calls += global("builtins", "set") + recall(0) + "\x85R";
  expect_refusal(whole(calls + "t"), StatusCode::kResourceExhausted, "1500000 objects");

  std::string tuples = "(" + remember("(" + std::string(100'000, 'N') + "t", 0) + "0";
  for (int i = 0; i < 1000; ++i) tuples += global("torch", "Size") + recall(0) + "R";
  expect_refusal(whole(tuples + "t"), StatusCode::kResourceExhausted, "1500000 objects");
}

// A small pickle with most opcodes in it.
std::string sample() {
  const std::string tensor = reduce(
      global("torch._utils", "_rebuild_tensor_v2"),
      {tuple({text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), "K\4"}) +
           "Q",
       integer(0), integers({2, 2}), "K\2K\1\x86", kFalse,
       global("collections", "OrderedDict") + ")R"});
  return whole(dict(
      {text("model"),
       instance(global("models.common", "Conv"), record({{"w", tensor}, {"eps", real(1e-3)}})),
       text("names"), remember(list({text("cat")}), 7), text("again"), recall(7), text("empty"),
       "]\x88"
       "a",
       text("none"), "N", text("i"), "M\1\2"}));
}

TEST(PickleRefusal, EveryTruncation) {
  const std::string pickle = sample();
  ASSERT_TRUE(refusal(pickle).ok()) << refusal(pickle).message();
  for (size_t length = 0; length < pickle.size(); ++length) {
    EXPECT_EQ(refusal(pickle.substr(0, length)).code(), StatusCode::kCorrupt)
        << length << " of " << pickle.size() << " bytes";
  }
}

// Every byte of the sample takes every value: an error or a tree, never a crash.
TEST(PickleRefusal, EveryDamagedByte) {
  const std::string pickle = sample();
  size_t refused = 0;
  for (size_t at = 0; at < pickle.size(); ++at) {
    std::string damaged = pickle;
    for (int value = 0; value < 256; ++value) {
      damaged[at] = static_cast<char>(value);
      refused += refusal(damaged).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, pickle.size());
}

}  // namespace
}  // namespace yolocu

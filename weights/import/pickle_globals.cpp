#include "weights/import/pickle_globals.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "weights/import/pickle.h"

namespace yolocu {
namespace {

struct AllowedGlobal {
  std::string_view name;
  GlobalKind kind;
};

// "__builtin__" is how protocol 2 spells "builtins". The frequent ones come first.
constexpr AllowedGlobal kAllowed[] = {
    {"torch._utils _rebuild_tensor_v2", GlobalKind::kFunction},
    {"collections OrderedDict", GlobalKind::kDict},
    {"torch._utils _rebuild_parameter", GlobalKind::kFunction},
    {"__builtin__ set", GlobalKind::kSet},
    {"builtins set", GlobalKind::kSet},
    {"__builtin__ frozenset", GlobalKind::kSet},
    {"builtins frozenset", GlobalKind::kSet},
    {"__builtin__ dict", GlobalKind::kDict},
    {"builtins dict", GlobalKind::kDict},
    // A bound method as an attribute, (module, 'forward_fuse'), and protocol 2's bytes, which come
    // as text with an encoding.
    {"__builtin__ getattr", GlobalKind::kFunction},
    {"builtins getattr", GlobalKind::kFunction},
    {"_codecs encode", GlobalKind::kFunction},
    {"torch FloatStorage", GlobalKind::kName},
    {"torch HalfStorage", GlobalKind::kName},
    {"torch BFloat16Storage", GlobalKind::kName},
    {"torch DoubleStorage", GlobalKind::kName},
    {"torch LongStorage", GlobalKind::kName},
    {"torch IntStorage", GlobalKind::kName},
    {"torch ShortStorage", GlobalKind::kName},
    {"torch CharStorage", GlobalKind::kName},
    {"torch ByteStorage", GlobalKind::kName},
    {"torch BoolStorage", GlobalKind::kName},
    {"torch Size", GlobalKind::kDataClass},
    {"torch device", GlobalKind::kDataClass},
    {"torch.nn.parameter Parameter", GlobalKind::kDataClass},
    // Training state that checkpoints carry beside the model: read past, never interpreted.
    {"numpy dtype", GlobalKind::kDataClass},
    {"numpy ndarray", GlobalKind::kDataClass},
    {"numpy.core.multiarray _reconstruct", GlobalKind::kFunction},
    {"numpy.core.multiarray scalar", GlobalKind::kFunction},
    {"numpy._core.multiarray _reconstruct", GlobalKind::kFunction},
    {"numpy._core.multiarray scalar", GlobalKind::kFunction},
    {"argparse Namespace", GlobalKind::kDataClass},
    {"pathlib PosixPath", GlobalKind::kDataClass},
    {"pathlib WindowsPath", GlobalKind::kDataClass},
    {"pathlib._local PosixPath", GlobalKind::kDataClass},
    {"pathlib._local WindowsPath", GlobalKind::kDataClass},
    {"ultralytics.utils IterableSimpleNamespace", GlobalKind::kDataClass},
};

constexpr std::string_view kModulePackages[] = {"models.", "torch.nn.modules.", "ultralytics.nn."};

bool is_identifier(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Identifiers joined by single dots.
bool is_dotted_name(std::string_view text) {
  for (size_t dot = text.find('.'); dot != std::string_view::npos; dot = text.find('.')) {
    if (!is_identifier(text.substr(0, dot))) return false;
    text.remove_prefix(dot + 1);
  }
  return is_identifier(text);
}

// Longer names are refused: the name is stored with every call.
constexpr size_t kMaxModuleClassLength = 128;

// A class's own name has no dot: "models.common os.system" would reach through the module.
bool is_module_class(std::string_view global) {
  const bool in_package = std::ranges::any_of(
      kModulePackages, [&](std::string_view package) { return global.starts_with(package); });
  const size_t space = global.find(' ');
  return in_package && space != std::string_view::npos && global.size() <= kMaxModuleClassLength &&
         is_dotted_name(global.substr(0, space)) && is_identifier(global.substr(space + 1));
}

}  // namespace

GlobalKind classify_global(std::string_view global) {
  const auto* found = std::ranges::find(kAllowed, global, &AllowedGlobal::name);
  if (found != std::end(kAllowed)) return found->kind;
  return is_module_class(global) ? GlobalKind::kModuleClass : GlobalKind::kRefused;
}

bool is_allowed_global(std::string_view global) {
  return classify_global(global) != GlobalKind::kRefused;
}

}  // namespace yolocu

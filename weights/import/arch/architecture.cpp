#include "weights/import/arch/architecture.h"

#include <algorithm>
#include <utility>

#include "engine/base/foreign_text.h"
#include "engine/base/str_cat.h"
#include "weights/import/arch/layer_list.h"

namespace yolocu {
namespace {

// MultimediaTechLab's models are the official ones under other names: its auxiliary branches are
// layers of their own behind the main head, and are left out here.
std::vector<Architecture> mit_architectures(const std::vector<Architecture>& official) {
  constexpr std::pair<std::string_view, std::string_view> kSame[] = {{"v9-t", "gelan-t"},
                                                                     {"v9-s", "gelan-s"},
                                                                     {"v9-m", "gelan-m"},
                                                                     {"v9-c", "gelan-c"},
                                                                     {"v7", "yolov7"}};
  std::vector<Architecture> all;
  for (const auto& [name, twin] : kSame) {
    all.push_back(*std::ranges::find(official, twin, &Architecture::name));
    all.back().name = name;
    all.back().keys = KeyStyle::kMit;
  }
  // Its v7 takes the skip of stride 8 from the Concat of the backbone's block, not from the
  // convolution after it.
  constexpr size_t kSkip = 66;
  all.back().layers[kSkip].from = {23};
  return all;
}

std::vector<Architecture> make_all() {
  std::vector<Architecture> all = yolov9_architectures();
  for (Architecture& architecture : yolov7_architectures()) all.push_back(std::move(architecture));
  for (Architecture& architecture : mit_architectures(all)) all.push_back(std::move(architecture));
  return all;
}

}  // namespace

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> all = make_all();
  return all;
}

std::string architecture_names() {
  std::string names;
  for (const Architecture& architecture : architectures()) {
    names += (names.empty() ? "" : ", ") + std::string(architecture.name);
  }
  return names;
}

Result<const Architecture*> find_architecture(std::string_view name) {
  const auto found = std::ranges::find(architectures(), name, &Architecture::name);
  if (found != architectures().end()) return &*found;
  return invalid_argument(
      str_cat("no architecture '", printable(name), "'; there are ", architecture_names()));
}

Architecture deploy_form(const Architecture& training) {
  Architecture deployed = training;
  LayerSpec head = std::move(deployed.layers.back());
  deployed.layers.resize(deployed.layers.size() - 1 -
                         static_cast<size_t>(deployed.auxiliary_layers));
  head.from.resize(head.from.size() / 2);
  head.module = "IDetect";
  deployed.layers.push_back(std::move(head));
  deployed.auxiliary_layers = 0;
  return deployed;
}

bool same_topology(const Architecture& a, const Architecture& b) {
  return a.keys == b.keys && a.activation == b.activation &&
         std::ranges::equal(a.layers, b.layers, [](const LayerSpec& x, const LayerSpec& y) {
           return x.from == y.from && x.module == y.module && x.setting == y.setting &&
                  x.widths.size() == y.widths.size();
         });
}

}  // namespace yolocu

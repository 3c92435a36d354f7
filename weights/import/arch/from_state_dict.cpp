#include "weights/import/arch/from_state_dict.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "engine/base/str_cat.h"
#include "weights/import/arch/architecture.h"
#include "weights/import/arch/build.h"

namespace yolocu {
namespace {

// Number of the layer that predicts.
int64_t head_number(const Architecture& architecture) {
  return static_cast<int64_t>(architecture.layers.size()) - 1;
}

Result<Checkpoint> build_form(const Architecture& architecture, const StateDict& dict) {
  StateDictSource source(dict);
  YOLOCU_ASSIGN_OR_RETURN(Checkpoint checkpoint, build_checkpoint(architecture, source));
  // MultimediaTechLab's layers behind the head are its auxiliary branch.
  const bool all_layers = architecture.keys == KeyStyle::kOfficial;
  YOLOCU_RETURN_IF_ERROR(source.check_all_taken(all_layers ? std::numeric_limits<int64_t>::max()
                                                           : head_number(architecture)));
  return checkpoint;
}

// The training form, or the deploy form where the file's head stands in its place.
Result<Checkpoint> build(const Architecture& architecture, const StateDict& dict) {
  if (architecture.auxiliary_layers > 0) {
    const Architecture deployed = deploy_form(architecture);
    const std::string head = str_cat("model.", head_number(deployed), ".m.0.weight");
    if (dict.tensors.contains(head)) return build_form(deployed, dict);
  }
  return build_form(architecture, dict);
}

struct Candidate {
  const Architecture* architecture;
  Checkpoint checkpoint;
  double distance;
};

std::string names_of(const std::vector<Candidate>& candidates) {
  std::string names;
  for (const Candidate& candidate : candidates) {
    names += (names.empty() ? "" : ", ") + std::string(candidate.architecture->name);
  }
  return names;
}

Result<Checkpoint> guess(const StateDict& dict) {
  std::vector<Candidate> candidates;
  for (const Architecture& architecture : architectures()) {
    Result<Checkpoint> built = build(architecture, dict);
    if (!built.ok()) continue;
    const double distance = width_distance(*built, architecture);
    candidates.push_back({&architecture, std::move(*built), distance});
  }
  if (candidates.empty()) {
    return unsupported(str_cat("a state dictionary whose tensors fit no architecture; name one ",
                               "with --arch to see what differs: ", architecture_names()));
  }
  const Architecture& first = *candidates.front().architecture;
  for (const Candidate& candidate : candidates) {
    if (same_topology(*candidate.architecture, first)) continue;
    return unsupported(
        "a state dictionary that several architectures fit; choose one with --arch: " +
        names_of(candidates));
  }
  return std::move(std::ranges::min_element(candidates, {}, &Candidate::distance)->checkpoint);
}

}  // namespace

Result<Checkpoint> checkpoint_from_state_dict(const StateDict& dict,
                                              const std::string& architecture) {
  const auto chosen = [&]() -> Result<Checkpoint> {
    if (architecture.empty()) return guess(dict);
    YOLOCU_ASSIGN_OR_RETURN(const Architecture* named, find_architecture(architecture));
    Result<Checkpoint> built = build(*named, dict);
    if (!built.ok()) return built.status().with_context(architecture);
    return built;
  };
  YOLOCU_ASSIGN_OR_RETURN(Checkpoint checkpoint, chosen());
  checkpoint.origin = ModuleOrigin::kStateDict;
  checkpoint.class_names = dict.class_names;
  return checkpoint;
}

}  // namespace yolocu

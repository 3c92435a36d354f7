// A plain state dictionary: named tensors without the modules that say how they are connected.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/import/arch/tensor_source.h"
#include "weights/import/module_tree.h"
#include "weights/import/torch_file.h"
#include "yolocu/status.h"

namespace yolocu {

struct StateDict {
  // By the names that the whole model's state_dict() gives, "model.0.conv.weight", whatever the
  // file wraps around them. Without counters of training (num_batches_tracked).
  std::map<std::string, std::shared_ptr<const ImportedTensor>, std::less<>> tensors;
  std::string prefix;                    // what the file has for "model.": "", "module.model."
  std::vector<std::string> class_names;  // may be empty

  std::string name_in_file(std::string_view name) const;  // of a tensor, for messages
};

// Views of the tensors of a .safetensors file, of any element type, which must outlive them; class
// names of its metadata "names", a JSON list. Errors: what safetensors.h refuses, names that no
// layer has, two sets of layers.
Result<StateDict> read_safetensors_state_dict(std::span<const std::byte> bytes);

// The dictionary of tensors that a file of torch.save holds, as a whole or under "ema", "model",
// "state_dict" or "model_state_dict"; nullptr if there is none.
PickleRef find_tensor_dict(PickleRef root);

// That dictionary's tensors. A trainer's average of the weights beside them (keys "ema.", as
// Lightning saves it) is left out.
Result<StateDict> read_torch_state_dict(TorchFile& file, PickleRef dictionary);

// Hands out the tensors of a state dictionary, which outlives it.
class StateDictSource final : public TensorSource {
 public:
  explicit StateDictSource(const StateDict& dict) : dict_(dict) {}

  bool has(const std::string& name) const override { return dict_.tensors.contains(name); }
  Result<std::shared_ptr<const ImportedTensor>> take(const std::string& name,
                                                     const std::vector<Dim>& shape) override;

  // kCorrupt names a tensor of layers 0 to `last_layer` that nobody took.
  Status check_all_taken(int64_t last_layer) const;

 private:
  const StateDict& dict_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace yolocu

// Makes modules as the pickle reader would have found them, over tensors that are looked up by
// path name. Every function tracks channels: what a module reads is known from the layers before,
// what it produces from its tensors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weights/import/arch/architecture.h"
#include "weights/import/arch/tensor_source.h"
#include "weights/import/module_tree.h"
#include "yolocu/status.h"

namespace yolocu {

struct Made {
  Module module;
  int64_t channels = 0;  // of the output
};

// kFromShape: the file's weight decides how many groups there are.
enum class Grouping : uint8_t { kGiven, kFromShape };

struct ConvSpec {
  int64_t in = 0;   // channels that it reads
  int64_t out = 0;  // of the official model
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t groups = 1;
  Grouping grouping = Grouping::kGiven;
};

class ModuleMaker {
 public:
  ModuleMaker(TensorSource& source, const Architecture& architecture)
      : source_(source), architecture_(architecture) {}

  TensorSource& source() { return source_; }
  const Architecture& architecture() const { return architecture_; }

  // The path of a block's child: as the official code calls it, or as the file's code does.
  std::string child_path(const Module& block, std::string_view child) const;
  bool has_child_tensor(const Module& block, std::string_view child, std::string_view tensor) const;

  // torch.nn Conv2d with a bias.
  Result<Made> conv2d(const std::string& path, const ConvSpec& spec);
  // models.common Conv: convolution, norm unless folded, activation.
  Result<Made> conv(const std::string& path, const ConvSpec& spec);
  // conv() as a child of `block`; the channels of its output.
  Result<int64_t> add_conv(Module& block, std::string_view child, const ConvSpec& spec);
  // The convolution (and its norm, if it is there) as children "conv" and "bn" of a block, or under
  // other names.
  Result<int64_t> add_conv_and_norm(Module& block, const std::string& conv, const std::string& bn,
                                    const ConvSpec& spec);
  void add_activation(Module& block) const;
  static void add_max_pool(Module& block, const std::string& child, int64_t kernel, int64_t stride);

 private:
  Result<Made> conv2d_without_bias(const std::string& path, const ConvSpec& spec);
  Result<Module> batch_norm(const std::string& path, int64_t channels);

  TensorSource& source_;
  const Architecture& architecture_;
};

// A module without tensors.
Module bare_module(std::string_view type, std::string path);

// Moves a module into its parent; its channels.
int64_t adopt(Module& parent, std::string_view name, Made made);

}  // namespace yolocu

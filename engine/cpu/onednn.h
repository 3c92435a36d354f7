// All that the cpu device takes from oneDNN. What differs between its versions 2 and 3 is in
// onednn.cpp and nowhere else; its exceptions end here.
#pragma once

#include <compare>
#include <cstdint>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cpu/tensor.h"
#include "weights/format/graph.h"
#include "yolocu/status.h"

namespace yolocu::cpu {

// kBlocked: blocks of preferred_block() channels. kPixels: NHWC with any number of channels; the
// destination then has exactly one block.
enum class SourceOrder : uint8_t { kBlocked, kPixels };
enum class Residual : uint8_t { kNone, kAdd };

// y = act(conv(x, w) + bias) [+ residual], one picture. Channels are padded ones.
struct ConvProblem {
  int64_t in_channels = 0, in_height = 0, in_width = 0;
  int64_t out_channels = 0, out_height = 0, out_width = 0;
  int64_t kernel = 1, stride = 1, padding = 0, groups = 1;
  Activation activation = Activation::kNone;
  float negative_slope = 0;
  SourceOrder source = SourceOrder::kBlocked;
  Residual residual = Residual::kNone;
  auto operator<=>(const ConvProblem&) const = default;
};

enum class PoolKind : uint8_t { kMax, kAverage };

struct PoolProblem {
  PoolKind kind = PoolKind::kMax;
  int64_t channels = 0, in_height = 0, in_width = 0, out_height = 0, out_width = 0;
  int64_t kernel = 1, stride = 1, padding = 0;
  auto operator<=>(const PoolProblem&) const = default;
};

// Where weight (k, c, r, s) of group g lies: g * group + k / block * out_block + k % block +
// c / block * in_block + c % block * in + r * row + s * column, k and c counted within the group.
// in_block == block * in means that input channels are not blocked.
struct WeightOrder {
  int64_t block = 1;
  int64_t group = 0, out_block = 0, in_block = 0, in = 0, row = 0, column = 0;
};

// A primitive that several calls may share.
struct Kernel {
  dnnl::primitive primitive;
  std::string implementation;  // oneDNN's name, such as "jit_1x1:avx512_core"
  dnnl::memory::desc source, weights, bias, destination, scratchpad;
  WeightOrder weight_order;
  int64_t weight_elements = 0;
  int residual_position = 0;  // of the residual sum among the post-ops

  int64_t scratchpad_bytes() const { return static_cast<int64_t>(scratchpad.get_size()); }
};

// Memory of one call; each is a dense tensor in the order that the kernel wants.
struct KernelArguments {
  float* destination = nullptr;
  const float* source = nullptr;
  const float* weights = nullptr;
  const float* bias = nullptr;
  const float* residual = nullptr;
  void* scratchpad = nullptr;
};

// A kernel with its memory bound; calling it allocates nothing but oneDNN's own table of
// its arguments.
class KernelCall {
 public:
  Status run();
  const std::string& implementation() const { return kernel_->implementation; }
  // Another picture as the source.
  void set_source(const float* source);

 private:
  friend class OneDnn;
  std::shared_ptr<const Kernel> kernel_;
  dnnl::stream stream_;
  dnnl::memory source_;
  std::vector<dnnl::memory> memories_;  // keeps the handles in arguments_ alive
  std::vector<dnnl_exec_arg_t> arguments_;
};

// Makes kernels, one for all equal problems. A kernel is made for the number of threads that is set
// when it is made. Not thread-safe.
class OneDnn {
 public:
  // kUnavailable: the library cannot start.
  static Result<std::unique_ptr<OneDnn>> create();

  // Channels in a block: 16 with AVX-512, otherwise 8.
  static int64_t preferred_block();

  // kUnsupported: oneDNN has only its reference implementation, or only wants weights in an order
  // that WeightOrder cannot express.
  Result<std::shared_ptr<const Kernel>> convolution(const ConvProblem& problem);
  Result<std::shared_ptr<const Kernel>> pooling(const PoolProblem& problem);

  // The memory belongs to the caller and must outlive the call.
  Result<KernelCall> bind(std::shared_ptr<const Kernel> kernel, const KernelArguments& arguments);

 private:
  OneDnn() = default;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::map<ConvProblem, Result<std::shared_ptr<const Kernel>>> convolutions_;
  std::map<PoolProblem, Result<std::shared_ptr<const Kernel>>> poolings_;
};

// True for the names of oneDNN's slow reference implementations.
bool is_reference_implementation(const std::string& name);

}  // namespace yolocu::cpu

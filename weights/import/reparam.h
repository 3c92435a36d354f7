// Re-parameterisation: batch normalisation and parallel branches become one convolution.
#pragma once

#include <cstdint>
#include <vector>

#include "weights/import/module_tree.h"
#include "yolocu/status.h"

namespace yolocu {

// A convolution with its statistics folded in: y = conv(x, weight) + bias.
struct FoldedConv {
  int64_t out_channels = 0, group_in_channels = 0;
  int64_t kernel = 1, stride = 1, padding = 0, groups = 1;
  std::vector<float> weight;  // [K, C/groups, R, S], PyTorch's order
  std::vector<float> bias;    // [K]
};

// The 1x1 convolution y = factor * x + addend of each channel by itself.
FoldedConv depthwise(std::vector<float> factor, std::vector<float> addend);

// A torch.nn Conv2d; its bias or zeros. kUnsupported for dilation, transposition, padding modes and
// windows that are not square.
Result<FoldedConv> read_conv2d(const Module& conv2d);

// conv followed by batch_norm (torch.nn BatchNorm2d in evaluation mode), folded in double:
// scale = gamma / sqrt(var + eps), weight *= scale, bias = beta + (bias - mean) * scale.
// eps is the module's own (1e-3 in these networks, not the framework's 1e-5).
Result<FoldedConv> fold_batch_norm(FoldedConv conv, const Module& batch_norm);

// dense + pointwise, a 1x1 convolution placed in the centre of the square odd window of `dense`.
// Both must agree in channels, groups and stride.
Result<FoldedConv> add_pointwise(FoldedConv dense, const FoldedConv& pointwise);

// The 1x1 convolution that does what batch_norm does to the input of `dense`: RepConv's identity
// branch beside it. kUnsupported unless `dense` has as many input as output channels.
Result<FoldedConv> identity_beside(const FoldedConv& dense, const Module& batch_norm);

// YOLOv7's implicit knowledge around a 1x1 convolution without padding:
// multiply * conv(x + add) as one convolution, weight *= multiply, bias = (bias + weight add) *
// multiply. add [1,C,1,1], multiply [1,K,1,1]; either may be nullptr, which is neutral.
// kUnsupported for other windows, where the padding would not see the addition.
Result<FoldedConv> fold_implicit(FoldedConv conv, const ImportedTensor* add,
                                 const ImportedTensor* multiply);

}  // namespace yolocu

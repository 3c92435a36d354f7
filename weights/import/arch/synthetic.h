// Made-up weights for any architecture: a model to measure with, where there is no checkpoint.
#pragma once

#include <cstdint>

#include "weights/format/model.h"

namespace yolocu {

// Replaces all weights and biases of a model by random ones of the same shapes and types, that keep
// the signal alive: every convolution's output has about the same variance, whatever the picture,
// and scores are spread like a busy detector's. The same seed and model give the same bits
// everywhere.
//
// Weights are uniform. But for the first layer, they are centred in every filter, so that what
// activations have in common cancels, as batch normalisation would have it. A filter's norm is
// deviation / sqrt(variance of its input), and the input's variance is followed through the graph.
void fill_with_synthetic_weights(Model& model, uint64_t seed);

}  // namespace yolocu

// A convolution of the cpu device outside of any network: its kernels on the numbers of a Problem.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/cpu/conv_algorithm.h"
#include "tests/engine/conv_problem.h"

namespace yolocu::cpu {

// Of every instruction set that this processor has.
std::vector<const KernelTable*> tables();

// As the plan has it: channels padded to `lanes`, groups that fill no whole blocks made one.
ConvShape shape_of(const Case& c, int64_t lanes, Element source, Element destination);

// One run on `threads` threads; outputs and scratch start as NaN (all bits set).
class ConvRun {
 public:
  ConvRun(const Case& c, const Problem& problem, const KernelTable& kernels, ConvChoice choice,
          const ConvShape& shape, int threads);

  // Of channel k, padding included, at pixel p.
  float at(int64_t k, int64_t p) const {
    return read(y_, (k / lanes_ * pixels_ + p) * lanes_ + k % lanes_, element_);
  }

 private:
  int64_t lanes_, pixels_;
  Element element_;
  std::vector<std::byte> y_;
};

}  // namespace yolocu::cpu

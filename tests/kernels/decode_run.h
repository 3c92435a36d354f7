// decode on a device: the maps of one problem, and what the kernels make of them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "kernels/decode/decode.h"
#include "tests/kernels/decode_cases.h"
#include "tests/kernels/kernel_device.h"

namespace yolocu::testing {

template <typename T>
std::vector<T> values_of(const std::vector<uint8_t>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// A device with the maps of one problem on it.
class DecodeRun {
 public:
  DecodeRun(DeviceRuntime& runtime, const KernelTable& kernels, Stream stream,
            const DecodeProblem& problem, const std::vector<DecodeLogits>& levels)
      : runtime_(runtime), kernels_(kernels), stream_(stream), problem_(problem) {
    for (size_t i = 0; i < levels.size(); ++i) {
      const DecodeLevel& level = problem.levels[i];
      const int64_t channels = problem.head == DecodeHead::kDfl
                                   ? 4 * problem.bins
                                   : level.anchors * (5 + problem.classes);
      heads_.boxes[i] = upload(map_bytes(levels[i].box, problem.dtype, channels,
                                         level.box_pixel_stride, level.box_offset));
      if (problem.head == DecodeHead::kAnchor) continue;
      heads_.classes[i] = upload(map_bytes(levels[i].classes, problem.dtype, problem.classes,
                                           level.class_pixel_stride, level.class_offset));
    }
  }

  std::vector<float> predictions(ObjectnessForm objectness = ObjectnessForm::kColumn) {
    DecodeProblem problem = problem_;
    problem.objectness = objectness;
    const auto bytes = static_cast<size_t>(problem.batch * problem.anchors() * problem.row() * 4);
    const DeviceMemory out = filled(bytes, "predictions");
    const Status status =
        kernels_.decode_predictions({.predictions = out.data<float>(), .heads = heads_}, problem,
                                    select_decode(problem).value(), stream_);
    EXPECT_TRUE(status.ok()) << status.message();
    return values_of<float>(to_host(runtime_, stream_, out));
  }

  // Lists on the device.
  struct Lists {
    DeviceMemory boxes, keys, counts;
    CandidateLists pointers() const {
      return {boxes.data<CandidateBox>(), keys.data<uint64_t>(), counts.data<int32_t>()};
    }
  };

  Lists candidates(const CandidateRule& rule, const std::vector<bool>& wanted) {
    const auto slots = static_cast<size_t>(problem_.batch * rule.capacity);
    Lists lists = {filled(slots * 16, "boxes"), filled(slots * 8, "keys"),
                   filled(static_cast<size_t>(problem_.batch) * 4, "counts")};
    std::vector<uint8_t> mask((wanted.size() + 31) / 32 * 4);
    for (size_t c = 0; c < wanted.size(); ++c) {
      if (wanted[c]) mask[c / 8] = static_cast<uint8_t>(mask[c / 8] | 1 << c % 8);
    }
    const void* words = wanted.empty() ? nullptr : upload(mask);
    const Status status =
        kernels_.decode_candidates({.lists = lists.pointers(),
                                    .heads = heads_,
                                    .wanted_classes = static_cast<const uint32_t*>(words)},
                                   problem_, rule, select_decode(problem_).value(), stream_);
    EXPECT_TRUE(status.ok()) << status.message();
    return lists;
  }

  template <typename T>
  std::vector<T> download(const DeviceMemory& memory) {
    return values_of<T>(to_host(runtime_, stream_, memory));
  }

  DeviceMemory filled(size_t bytes, std::string_view name) {
    return to_device(runtime_, stream_, std::vector<uint8_t>(bytes, 0xFF), name);
  }

 private:
  const void* upload(const std::vector<uint8_t>& bytes) {
    memory_.push_back(to_device(runtime_, stream_, bytes, "map"));
    return memory_.back().data();
  }

  DeviceRuntime& runtime_;
  const KernelTable& kernels_;
  Stream stream_;
  DecodeProblem problem_;
  DecodeHeads heads_;
  std::vector<DeviceMemory> memory_;
};

}  // namespace yolocu::testing

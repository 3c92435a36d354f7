// nms on a device: candidates of the host in, all bytes that the kernels wrote out.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "kernels/nms/nms.h"
#include "tests/kernels/kernel_device.h"
#include "tests/kernels/nms_cases.h"
#include "tests/reference/nms.h"

namespace yolocu::testing {

template <typename T>
std::span<const uint8_t> bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

// Lists as decode leaves them. Beyond the counts lies what would win if anyone read it.
struct HostLists {
  std::vector<CandidateBox> boxes;
  std::vector<uint64_t> keys;
  std::vector<int32_t> counts;
};

inline HostLists lists_of(const Pictures& pictures, const NmsProblem& problem) {
  const auto capacity = static_cast<size_t>(problem.capacity);
  HostLists lists;
  lists.boxes.assign(pictures.size() * capacity, {0, 0, 1e6f, 1e6f});
  lists.keys.assign(pictures.size() * capacity, candidate_key(std::bit_cast<uint32_t>(2.0f), 0));
  for (size_t picture = 0; picture < pictures.size(); ++picture) {
    size_t slot = picture * capacity;
    for (const PlainCandidate& c : pictures[picture]) {
      lists.boxes.at(slot) = c.box;
      lists.keys.at(slot) =
          candidate_key(std::bit_cast<uint32_t>(c.score), static_cast<uint32_t>(c.index));
      ++slot;
    }
    lists.counts.push_back(static_cast<int32_t>(pictures[picture].size()));
  }
  return lists;
}

// What the kernels wrote, all of it.
struct NmsOutput {
  std::vector<uint8_t> detections, counts;
  friend bool operator==(const NmsOutput&, const NmsOutput&) = default;
};

inline NmsOutput run_nms(DeviceRuntime& runtime, const KernelTable& kernels, Stream stream,
                         const NmsCase& test, const HostLists& lists) {
  const auto upload = [&](const auto& values, std::string_view name) {
    return to_device(runtime, stream, bytes_of(values), name);
  };
  const auto room = [&](int64_t bytes, std::string_view name) {
    return upload(std::vector<uint8_t>(static_cast<size_t>(bytes), 0xFF), name);
  };
  const NmsProblem& problem = test.problem;
  const DeviceMemory boxes = upload(lists.boxes, "boxes"), keys = upload(lists.keys, "keys"),
                     counts = upload(lists.counts, "counts"),
                     detections = room(problem.batch * problem.max_detections * 24, "detections"),
                     found = room(problem.batch * 4, "detection counts");
  auto workspace =
      DeviceMemory::create(runtime, nms_workspace_bytes(test.variant, problem), "workspace");
  EXPECT_TRUE(workspace.ok());
  if (!workspace.ok()) return {};
  const NmsTensors tensors = {
      .detections = detections.data<NmsDetection>(),
      .detection_counts = found.data<int32_t>(),
      .candidates = {boxes.data<CandidateBox>(), keys.data<uint64_t>(), counts.data<int32_t>()},
      .workspace = workspace->data()};
  const Status status = kernels.nms(tensors, problem, test.variant, stream);
  EXPECT_TRUE(status.ok()) << status.message();
  return {to_host(runtime, stream, detections), to_host(runtime, stream, found)};
}

// The same from detections of every picture.
inline NmsOutput output_of(const std::vector<std::vector<NmsDetection>>& pictures,
                           const NmsProblem& problem) {
  std::vector<NmsDetection> rows;
  std::vector<int32_t> counts;
  for (const auto& detections : pictures) {
    counts.push_back(static_cast<int32_t>(detections.size()));
    rows.insert(rows.end(), detections.begin(), detections.end());
    rows.resize(counts.size() * static_cast<size_t>(problem.max_detections));
  }
  const auto row_bytes = bytes_of(rows), count_bytes = bytes_of(counts);
  return {{row_bytes.begin(), row_bytes.end()}, {count_bytes.begin(), count_bytes.end()}};
}

inline NmsOutput expected_output(const Pictures& pictures, const NmsProblem& problem) {
  std::vector<std::vector<NmsDetection>> detections;
  for (const auto& candidates : pictures) {
    detections.push_back(reference_nms(candidates, problem));
  }
  return output_of(detections, problem);
}

inline std::string counts_text(const NmsOutput& output) {
  std::string text = "detections:";
  for (size_t i = 0; i + 4 <= output.counts.size(); i += 4) {
    int32_t count = 0;
    std::memcpy(&count, &output.counts[i], 4);
    text += " " + std::to_string(count);
  }
  return text;
}

// Byte for byte.
inline ::testing::AssertionResult is_same(const NmsOutput& actual, const NmsOutput& expected) {
  if (actual == expected) return ::testing::AssertionSuccess();
  if (actual.counts != expected.counts) {
    return ::testing::AssertionFailure()
           << counts_text(actual) << ", expected " << counts_text(expected);
  }
  size_t at = 0;
  while (at < actual.detections.size() && actual.detections[at] == expected.detections.at(at)) ++at;
  return ::testing::AssertionFailure() << "rows differ from row " << at / 24 << " on";
}

}  // namespace yolocu::testing

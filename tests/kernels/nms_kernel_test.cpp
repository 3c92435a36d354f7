// Every variant of nms on every device: against the oracle, and against the engine's own
// suppression, which equals the official code.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "engine/postprocess/nms.h"
#include "kernels/emulation/runtime.h"
#include "kernels/nms/nms.h"
#include "tests/kernels/kernel_device.h"
#include "tests/kernels/nms_cases.h"
#include "tests/kernels/nms_run.h"
#include "tests/reference/nms.h"

namespace yolocu {
namespace {

using testing::bytes_of;
using testing::counts_text;
using testing::expected_output;
using testing::HostLists;
using testing::is_same;
using testing::lists_of;
using testing::NmsCase;
using testing::NmsOutput;
using testing::output_of;
using testing::Pictures;
using testing::PlainCandidate;
using testing::run_nms;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

std::string name_of(const NmsCase& test) {
  return std::string(test.variant.name) + "_" + test.name;
}

class NmsKernel : public testing::KernelTest<NmsCase> {
 protected:
  NmsOutput run(const NmsCase& test, const Pictures& pictures) {
    return run_nms(runtime(), kernels(), stream(), test, lists_of(pictures, test.problem));
  }
};

TEST_P(NmsKernel, EqualsTheOracleByteForByte) {
  const Pictures pictures = pictures_of(test_case(), 1);
  const NmsOutput found = run(test_case(), pictures);
  EXPECT_TRUE(is_same(found, expected_output(pictures, test_case().problem)));
}

YOLOCU_INSTANTIATE_ON_DEVICES(NmsKernel, ::testing::ValuesIn(testing::all_nms_cases()), name_of);

class NmsVariantKernel : public testing::KernelTest<NmsVariant> {
 protected:
  NmsOutput run(const NmsProblem& problem, const Pictures& pictures) {
    return run_nms(runtime(), kernels(), stream(), {test_case(), "", problem, {}},
                   lists_of(pictures, problem));
  }
};

TEST_P(NmsVariantKernel, OrderOfTheListMeansNothing) {
  const NmsProblem problem = {.capacity = 1200, .classes = 5};
  auto candidates = testing::random_candidates(1200, 5, 3);
  const NmsOutput once = run(problem, {candidates});
  std::reverse(candidates.begin(), candidates.end());
  EXPECT_TRUE(is_same(run(problem, {candidates}), once));
}

// The threshold is a double between two floats, or exactly the overlap.
TEST_P(NmsVariantKernel, OverlapThresholdIsStrictAndInDouble) {
  const Pictures pictures = {{{{0, 0, 10, 10}, 0.9f, 0}, {{5, 0, 15, 10}, 0.8f, 1}}};
  const double third = double{5.0f / 15.0f};
  for (const double iou : {third, std::nextafter(third, 0.0), std::nextafter(third, 1.0)}) {
    const NmsProblem problem = {.capacity = 2, .iou = iou};
    EXPECT_TRUE(is_same(run(problem, pictures), expected_output(pictures, problem))) << iou;
  }
}

TEST_P(NmsVariantKernel, BoxesWiderThanTheClassOffsetMeetTheNextClass) {
  const Pictures pictures = {
      {{{2680, 2680, 12680, 12680}, 0.9f, 0}, {{-5000, -5000, 5000, 5000}, 0.8f, 3}}};
  const NmsProblem problem = {.capacity = 2, .classes = 2};
  const NmsOutput expected = expected_output(pictures, problem);
  EXPECT_EQ(counts_text(expected), "detections: 1");
  EXPECT_TRUE(is_same(run(problem, pictures), expected));
}

TEST_P(NmsVariantKernel, InfiniteAndNanBoxesAreAsOnTheHost) {
  std::mt19937_64 random(11);
  const float special[] = {kNan, kInf, -kInf, 0, 1, 2, 5, -3, 3e38f, -3e38f, 1e-40f};
  const auto pick = [&] {
    return special[std::uniform_int_distribution<size_t>(0, std::size(special) - 1)(random)];
  };
  Pictures pictures(2);
  for (auto& picture : pictures) {
    for (int64_t i = 0; i < 150; ++i) {
      picture.push_back({{pick(), pick(), pick(), pick()}, i % 7 == 0 ? kInf : 0.5f, i});
    }
  }
  const NmsProblem problem = {.batch = 2, .capacity = 150, .classes = 2, .class_offset = 16};
  EXPECT_TRUE(is_same(run(problem, pictures), expected_output(pictures, problem)));
}

// Overlaps close to the threshold: the rounding of each operation counts.
TEST_P(NmsVariantKernel, RoundingsAreThoseOfTheOracle) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<float> place(0.0f, 600.0f), jitter(-1.0f, 1.0f);
  std::vector<PlainCandidate> picture;
  for (int64_t i = 0; i < 300; ++i) {
    const float x = place(random), y = place(random);
    for (int64_t copy = 0; copy < 3; ++copy) {
      picture.push_back({{x + jitter(random), y + jitter(random), x + 30 + jitter(random),
                          y + 40 + jitter(random)},
                         0.5f + place(random) / 2000,
                         (3 * i + copy) * 80 + i % 80});
    }
  }
  // The thresholds are overlaps of the picture itself.
  for (size_t i = 0; i < 90; i += 3) {
    const CandidateBox &a = picture[i].box, &b = picture[i + 1].box;
    const volatile float a_area = (a.x2 - a.x1) * (a.y2 - a.y1);
    const volatile float b_area = (b.x2 - b.x1) * (b.y2 - b.y1);
    const volatile float common = (std::min(a.x2, b.x2) - std::max(a.x1, b.x1)) *
                                  (std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
    const volatile float sum = a_area + b_area;
    const double iou = double{common / (sum - common)};
    const NmsProblem problem = {.capacity = 900, .classes = 80, .iou = iou};
    if (i > 6 && kind() == testing::DeviceKind::kEmulated) break;
    ASSERT_TRUE(is_same(run(problem, {picture}), expected_output({picture}, problem))) << i;
  }
}

// Prediction rows through the engine's suppression, and their candidates through the kernels.
TEST_P(NmsVariantKernel, KeepsWhatTheEngineKeeps) {
  for (const LabelMode labels : {LabelMode::kBestClass, LabelMode::kMultiLabel}) {
    std::mt19937_64 random(labels == LabelMode::kBestClass ? 21 : 22);
    std::uniform_real_distribution<float> place(0.0f, 400.0f), size(4.0f, 90.0f), score(0.0f, 1.0f);
    constexpr int64_t kClasses = 4, kRow = 4 + kClasses;
    std::vector<float> rows;
    std::vector<PlainCandidate> picture;
    const NmsOptions options = {.labels = labels, .confidence = 0.6f, .iou = 0.5};
    for (int64_t anchor = 0; anchor < 700; ++anchor) {
      const float cx = place(random), cy = place(random), w = size(random), h = size(random);
      rows.insert(rows.end(), {cx, cy, w, h});
      int64_t best = 0;
      for (int64_t c = 0; c < kClasses; ++c) {
        rows.push_back(std::round(score(random) * 100) / 100);
        const float* first = &rows[static_cast<size_t>(anchor * kRow + 4)];
        if (first[c] > first[best]) best = c;
      }
      for (int64_t c = 0; c < kClasses; ++c) {
        const float value = rows[static_cast<size_t>(anchor * kRow + 4 + c)];
        if (!(value > 0.6f) || (labels == LabelMode::kBestClass && c != best)) continue;
        picture.push_back(
            {{cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2}, value, anchor * kClasses + c});
      }
    }
    std::vector<NmsDetection> expected;
    for (const Detection& d : non_max_suppression(rows, kRow, options)) {
      expected.push_back({d.x1, d.y1, d.x2, d.y2, d.score, static_cast<int32_t>(d.class_id)});
    }
    const NmsProblem problem = {.capacity = 2800, .classes = kClasses, .iou = 0.5};
    EXPECT_GT(expected.size(), 100u);
    EXPECT_TRUE(is_same(run(problem, {picture}), output_of({expected}, problem)));
  }
}

TEST_P(NmsVariantKernel, CanBeCaptured) {
  const NmsCase test = {test_case(), "", {.capacity = 1100, .classes = 2}, {1100}};
  const Pictures pictures = pictures_of(test, 8);
  const HostLists lists = lists_of(pictures, test.problem);
  const DeviceMemory boxes = to_device(bytes_of(lists.boxes), "boxes"),
                     keys = to_device(bytes_of(lists.keys), "keys"),
                     counts = to_device(bytes_of(lists.counts), "counts"),
                     detections = to_device(std::vector<uint8_t>(300 * 24, 1), "detections"),
                     found = to_device(std::vector<uint8_t>(4, 1), "detection counts"),
                     workspace = to_device(std::vector<uint8_t>(static_cast<size_t>(
                                               nms_workspace_bytes(test.variant, test.problem))),
                                           "workspace");
  const NmsTensors tensors = {
      .detections = detections.data<NmsDetection>(),
      .detection_counts = found.data<int32_t>(),
      .candidates = {boxes.data<CandidateBox>(), keys.data<uint64_t>(), counts.data<int32_t>()},
      .workspace = workspace.data()};
  ASSERT_OK(runtime().begin_capture(stream()));
  ASSERT_OK(kernels().nms(tensors, test.problem, test.variant, stream()));
  const auto graph = finish_capture(runtime(), stream());
  ASSERT_OK(graph);
  ASSERT_OK(runtime().launch_graph(graph->get(), stream()));
  EXPECT_TRUE(
      is_same({to_host(detections), to_host(found)}, expected_output(pictures, test.problem)));
}

TEST_P(NmsVariantKernel, RefusesMemoryThatIsMissingOrMisaligned) {
  alignas(256) unsigned char memory[256];
  const NmsProblem problem = {.capacity = 1};
  NmsTensors tensors = {
      .detections = reinterpret_cast<NmsDetection*>(memory),
      .detection_counts = reinterpret_cast<int32_t*>(memory),
      .candidates = {reinterpret_cast<CandidateBox*>(memory),
                     reinterpret_cast<uint64_t*>(memory + 8), reinterpret_cast<int32_t*>(memory)},
      .workspace = memory + 128};
  testing::expect_refused(kernels().nms(tensors, problem, test_case(), stream()),
                          StatusCode::kInvalidArgument, "workspace");
  tensors.candidates.boxes = nullptr;
  testing::expect_refused(kernels().nms(tensors, problem, test_case(), stream()),
                          StatusCode::kInvalidArgument, "boxes");
}

YOLOCU_INSTANTIATE_ON_DEVICES(NmsVariantKernel,
                              ::testing::ValuesIn(nms_variants().begin(), nms_variants().end()),
                              [](const NmsVariant& variant) { return variant.name; });

// The official limits. The naive variant is left out: it is too slow when emulated.
TEST(NmsEmulated, ThirtyThousandCandidates) {
  const NmsCase test = {
      nms_variants().back(), "", {.capacity = 30100, .classes = 80, .iou = 0.65}, {30100}};
  const Pictures pictures = pictures_of(test, 4);
  emulation::EmulatedRuntime runtime({.seed = 1, .workers = 2});
  const OwnedStream stream = make_stream(runtime).value();
  const NmsOutput found =
      run_nms(runtime, emulated_kernels(), stream.get(), test, lists_of(pictures, test.problem));
  EXPECT_TRUE(is_same(found, expected_output(pictures, test.problem)));
}

TEST(NmsEmulated, SeedsAndWorkersChangeNothing) {
  const NmsProblem problem = {.batch = 2, .capacity = 1500, .classes = 3};
  for (const NmsVariant& variant : nms_variants()) {
    const NmsCase test = {variant, "", problem, {1500, 90}};
    const Pictures pictures = pictures_of(test, 6);
    const NmsOutput expected = expected_output(pictures, problem);
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      emulation::EmulatedRuntime runtime({.seed = seed, .workers = seed == 1 ? 1 : 2});
      const OwnedStream stream = make_stream(runtime).value();
      EXPECT_TRUE(is_same(
          run_nms(runtime, emulated_kernels(), stream.get(), test, lists_of(pictures, problem)),
          expected))
          << variant.name << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace yolocu

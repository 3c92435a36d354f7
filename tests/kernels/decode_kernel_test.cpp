// Every variant of decode on every device: predictions against the oracle, candidates against the
// rule applied to predictions, and both with nms against the engine's suppression.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "engine/postprocess/nms.h"
#include "kernels/decode/decode.h"
#include "kernels/emulation/runtime.h"
#include "kernels/nms/nms.h"
#include "tests/kernels/decode_cases.h"
#include "tests/kernels/decode_run.h"
#include "tests/kernels/kernel_device.h"
#include "tests/reference/decode.h"

namespace yolocu {
namespace {

using testing::DecodeCase;
using testing::DecodeLogits;
using testing::DecodeNumbers;
using testing::DecodeRun;
using testing::PlainCandidate;

::testing::AssertionResult is_close(const std::vector<float>& actual,
                                    const testing::DecodeExpectation& expected, int64_t row) {
  if (actual.size() != expected.values.size()) {
    return ::testing::AssertionFailure()
           << actual.size() << " elements, expected " << expected.values.size();
  }
  for (size_t i = 0; i < actual.size(); ++i) {
    const double value = expected.values[i];
    if (std::isnan(value) && std::isnan(actual[i])) continue;
    if (!(std::fabs(double{actual[i]} - value) <= expected.tolerances[i])) {
      return ::testing::AssertionFailure()
             << "anchor " << i / static_cast<size_t>(row) << ", column "
             << i % static_cast<size_t>(row) << ": expected " << value << " +- "
             << expected.tolerances[i] << ", got " << actual[i];
    }
  }
  return ::testing::AssertionSuccess();
}

bool same(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

bool same(const CandidateBox& a, const CandidateBox& b) {
  return same(a.x1, b.x1) && same(a.y1, b.y1) && same(a.x2, b.x2) && same(a.y2, b.y2);
}

// One picture's list against all candidates it should be drawn from: the `capacity` best, in any
// order, and the count of all.
void expect_list(std::vector<std::pair<uint64_t, CandidateBox>> list, int64_t count,
                 std::vector<PlainCandidate> expected, int64_t capacity) {
  ASSERT_EQ(count, static_cast<int64_t>(expected.size()));
  const auto by_rank = [](const PlainCandidate& a, const PlainCandidate& b) {
    return a.score != b.score ? a.score > b.score : a.index < b.index;
  };
  std::sort(expected.begin(), expected.end(), by_rank);
  std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  if (count < capacity) {
    EXPECT_EQ(list[static_cast<size_t>(count)].first, UINT64_MAX) << "written beyond the count";
  }
  for (size_t i = 0; i < expected.size() && i < static_cast<size_t>(capacity); ++i) {
    const auto& [key, box] = list[i];
    ASSERT_EQ(candidate_index(key), expected[i].index) << "rank " << i;
    ASSERT_EQ(std::bit_cast<float>(candidate_score_bits(key)), expected[i].score) << "rank " << i;
    ASSERT_TRUE(same(box, expected[i].box)) << "rank " << i;
  }
}

// All pictures' lists against the rule applied to the device's own predictions. Returns how many
// candidates there are.
size_t expect_candidates(DecodeRun& run, const DecodeProblem& problem, const CandidateRule& rule,
                         const std::vector<bool>& wanted) {
  const auto lists = run.candidates(rule, wanted);
  const auto keys = run.download<uint64_t>(lists.keys);
  const auto boxes = run.download<CandidateBox>(lists.boxes);
  const auto counts = run.download<int32_t>(lists.counts);
  const std::vector<float> predictions = run.predictions();
  const std::vector<bool> all(static_cast<size_t>(problem.classes), true);
  size_t total = 0;
  const auto slots = static_cast<size_t>(problem.batch * rule.capacity);
  const auto elements = static_cast<size_t>(problem.batch * problem.anchors() * problem.row());
  if (keys.size() != slots || boxes.size() != slots || predictions.size() != elements) {
    ADD_FAILURE() << "nothing came back";
    return 0;
  }
  for (size_t picture = 0; picture < counts.size(); ++picture) {
    std::vector<std::pair<uint64_t, CandidateBox>> list;
    for (size_t i = 0; i < static_cast<size_t>(rule.capacity); ++i) {
      const size_t slot = picture * static_cast<size_t>(rule.capacity) + i;
      list.emplace_back(keys[slot], boxes[slot]);
    }
    const size_t first = picture * static_cast<size_t>(problem.anchors() * problem.row());
    const auto expected = testing::reference_candidates(&predictions[first], problem, rule,
                                                        wanted.empty() ? all : wanted);
    SCOPED_TRACE("picture " + std::to_string(picture));
    expect_list(list, counts[picture], expected, rule.capacity);
    total += expected.size();
  }
  return total;
}

class DecodeKernel : public testing::KernelTest<DecodeCase> {
 protected:
  DecodeRun run(DecodeNumbers numbers, uint64_t seed) {
    const DecodeProblem& problem = test_case().problem;
    return {runtime(), kernels(), stream(), problem, decode_logits(problem, numbers, seed)};
  }
};

TEST_P(DecodeKernel, PredictionsAreWithinTheErrorBound) {
  DecodeProblem problem = test_case().problem;
  const auto logits = decode_logits(problem, DecodeNumbers::kSpecial, 1);
  DecodeRun device = run(DecodeNumbers::kSpecial, 1);
  for (const ObjectnessForm form : {ObjectnessForm::kColumn, ObjectnessForm::kMultiplied}) {
    problem.objectness = form;
    const auto found = device.predictions(form);
    EXPECT_TRUE(is_close(found, testing::reference_predictions(problem, logits), problem.row()));
    if (problem.head == DecodeHead::kDfl) break;
  }
}

TEST_P(DecodeKernel, CandidatesAreWhatTheRuleMakesOfPredictions) {
  const DecodeProblem& problem = test_case().problem;
  const int64_t all = problem.anchors() * problem.classes;
  for (const CandidateLabels labels : {CandidateLabels::kBestClass, CandidateLabels::kMultiLabel}) {
    for (const DecodeNumbers numbers : {DecodeNumbers::kPlain, DecodeNumbers::kSpecial}) {
      DecodeRun device = run(numbers, 2);
      const CandidateRule rule = {.confidence = 0.9f, .labels = labels, .capacity = all};
      const size_t total = expect_candidates(device, problem, rule, {});
      if (problem.anchors() > 8 && numbers == DecodeNumbers::kPlain) {
        EXPECT_GT(total, 0u);
      }
    }
  }
}

std::string name_of(const DecodeCase& test) {
  return std::string(test.variant.name) + "_" + test.name;
}

YOLOCU_INSTANTIATE_ON_DEVICES(DecodeKernel, ::testing::ValuesIn(testing::all_decode_cases()),
                              name_of);

class DecodeVariantKernel : public testing::KernelTest<DecodeVariant> {
 protected:
  DecodeProblem problem() const {
    return testing::decode_problem(test_case(), 2, 40, 16, {{5, 7}, {3, 4}}, 1);
  }
  DecodeRun run(DecodeNumbers numbers, uint64_t seed) {
    return {runtime(), kernels(), stream(), problem(), decode_logits(problem(), numbers, seed)};
  }
  // decode_candidates and nms of both pictures; nothing after an error.
  std::vector<std::vector<NmsDetection>> suppress(DecodeRun& device, CandidateLabels labels) {
    const auto lists =
        device.candidates({.confidence = 0.3f, .labels = labels, .capacity = all_}, {});
    const bool dfl = test_case().head == DecodeHead::kDfl;
    const NmsProblem nms = {.batch = 2,
                            .capacity = all_,
                            .classes = 40,
                            .class_offset = dfl ? kClassOffsetYolov9 : kClassOffsetYolov7};
    const NmsVariant variant = select_nms(nms).value();
    const auto workspace_bytes = static_cast<size_t>(nms_workspace_bytes(variant, nms));
    const DeviceMemory rows = device.filled(2 * 300 * 24, "detections"),
                       counts = device.filled(8, "detection counts"),
                       workspace = device.filled(workspace_bytes, "workspace");
    const NmsTensors tensors = {rows.data<NmsDetection>(), counts.data<int32_t>(), lists.pointers(),
                                workspace.data()};
    const Status status = kernels().nms(tensors, nms, variant, stream());
    EXPECT_TRUE(status.ok()) << status.message();
    const auto found = device.download<NmsDetection>(rows);
    std::vector<std::vector<NmsDetection>> pictures;
    for (const int32_t count : device.download<int32_t>(counts)) {
      const auto first = found.begin() + static_cast<int64_t>(300 * pictures.size());
      pictures.emplace_back(first, first + count);
    }
    return pictures;
  }
  const int64_t all_ = 2000 * 3;  // more than all pairs of anchor and class
};

void expect_same(const std::vector<NmsDetection>& found, const std::vector<Detection>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const NmsDetection& d = found[i];
    const Detection& e = expected[i];
    ASSERT_TRUE(same({d.x1, d.y1, d.x2, d.y2}, {e.x1, e.y1, e.x2, e.y2})) << i;
    ASSERT_EQ(d.score, e.score) << i;
    ASSERT_EQ(d.class_id, e.class_id) << i;
  }
}

TEST_P(DecodeVariantKernel, ConfidenceFromNothingToAll) {
  DecodeRun device = run(DecodeNumbers::kSpecial, 3);
  for (const float confidence : {0.0f, 0.001f, 0.5f, 0.9999f, 1.0f}) {
    for (const CandidateLabels labels :
         {CandidateLabels::kBestClass, CandidateLabels::kMultiLabel}) {
      SCOPED_TRACE(confidence);
      const size_t total = expect_candidates(
          device, problem(), {.confidence = confidence, .labels = labels, .capacity = all_}, {});
      if (confidence == 1.0f) {
        EXPECT_EQ(total, 0u);
      }
    }
  }
}

// A score of the data itself as the threshold: it is strict.
TEST_P(DecodeVariantKernel, ConfidenceIsStrict) {
  DecodeRun device = run(DecodeNumbers::kPlain, 4);
  const auto predictions = device.predictions();
  ASSERT_GT(predictions.size(), 300u);
  for (const size_t at : {size_t{6}, size_t{77}, size_t{300}}) {
    if (!(predictions[at] > 0.0f && predictions[at] < 1.0f)) continue;
    expect_candidates(
        device, problem(),
        {.confidence = predictions[at], .labels = CandidateLabels::kMultiLabel, .capacity = all_},
        {});
  }
}

TEST_P(DecodeVariantKernel, MoreThanTheCapacityLeavesTheBest) {
  DecodeRun device = run(DecodeNumbers::kSpecial, 5);
  for (const int64_t capacity : {1, 50}) {
    const CandidateRule rule = {
        .confidence = 0.6f, .labels = CandidateLabels::kMultiLabel, .capacity = capacity};
    EXPECT_GT(expect_candidates(device, problem(), rule, {}), 2 * static_cast<size_t>(capacity));
  }
  const CandidateRule rule = {.confidence = 0.6f, .capacity = 7};
  EXPECT_GT(expect_candidates(device, problem(), rule, {}), 14u);
}

TEST_P(DecodeVariantKernel, ExactlyTheCapacityFits) {
  DecodeRun device = run(DecodeNumbers::kPlain, 6);
  const CandidateRule rule = {.confidence = 0.5f, .capacity = all_};
  const auto lists = device.candidates(rule, {});
  const auto counts = device.download<int32_t>(lists.counts);
  ASSERT_EQ(counts.size(), 2u);
  ASSERT_GT(counts[0], 1);
  for (const int64_t less : {0, 1}) {
    expect_candidates(device, problem(),
                      {.confidence = 0.5f, .capacity = int64_t{counts[0]} - less}, {});
  }
}

TEST_P(DecodeVariantKernel, UnwantedClassesAreLeftOutAfterTheBestIsChosen) {
  DecodeRun device = run(DecodeNumbers::kPlain, 7);
  std::vector<bool> wanted(40, false);
  wanted[3] = wanted[31] = wanted[32] = wanted[39] = true;
  for (const CandidateLabels labels : {CandidateLabels::kBestClass, CandidateLabels::kMultiLabel}) {
    EXPECT_GT(expect_candidates(device, problem(),
                                {.confidence = 0.3f, .labels = labels, .capacity = all_}, wanted),
              0u);
  }
}

// The whole way: candidates and nms, against the engine's suppression of the predictions.
TEST_P(DecodeVariantKernel, WithNmsGivesTheEnginesDetections) {
  DecodeRun device = run(DecodeNumbers::kSpecial, 8);
  const auto predictions = device.predictions();
  ASSERT_FALSE(predictions.empty());
  const bool dfl = test_case().head == DecodeHead::kDfl;
  const auto picture_size = static_cast<size_t>(problem().anchors() * problem().row());
  for (const LabelMode labels : {LabelMode::kBestClass, LabelMode::kMultiLabel}) {
    const auto found =
        suppress(device, labels == LabelMode::kBestClass ? CandidateLabels::kBestClass
                                                         : CandidateLabels::kMultiLabel);
    ASSERT_EQ(found.size(), 2u);
    for (size_t picture = 0; picture < 2; ++picture) {
      const auto expected = non_max_suppression(
          std::span(predictions).subspan(picture * picture_size, picture_size), problem().row(),
          {.layout = dfl ? ScoreLayout::kClasses : ScoreLayout::kObjectnessAndClasses,
           .labels = labels,
           .confidence = 0.3f});
      EXPECT_GT(expected.size(), 10u);
      expect_same(found[picture], expected);
    }
  }
}

TEST_P(DecodeVariantKernel, RefusesMemoryThatIsMissingOrMisaligned) {
  alignas(16) unsigned char memory[16];
  const DecodeProblem small = testing::decode_problem(test_case(), 1, 1, 16, {{1, 1}});
  PredictionTensors tensors = {.predictions = reinterpret_cast<float*>(memory + 2)};
  testing::expect_refused(kernels().decode_predictions(tensors, small, test_case(), stream()),
                          StatusCode::kInvalidArgument, "predictions");
  tensors.predictions = reinterpret_cast<float*>(memory);
  testing::expect_refused(kernels().decode_predictions(tensors, small, test_case(), stream()),
                          StatusCode::kInvalidArgument, "boxes");
  testing::expect_refused(
      kernels().decode_candidates({}, small, {.capacity = 1}, test_case(), stream()),
      StatusCode::kInvalidArgument, "lists.boxes");
  testing::expect_refused(kernels().decode_candidates({}, small, {}, test_case(), stream()),
                          StatusCode::kInvalidArgument, "capacity");
}

YOLOCU_INSTANTIATE_ON_DEVICES(DecodeVariantKernel,
                              ::testing::ValuesIn(decode_variants().begin(),
                                                  decode_variants().end()),
                              [](const DecodeVariant& variant) { return variant.name; });

// Predictions byte for byte, and lists as sets, whatever the order of threads.
TEST(DecodeEmulated, SeedsAndWorkersChangeNothing) {
  for (const DecodeVariant& variant : decode_variants()) {
    if (variant.dtype != DType::kF16) continue;
    const DecodeProblem problem = testing::decode_problem(variant, 1, 40, 16, {{5, 7}, {3, 4}});
    const auto logits = decode_logits(problem, DecodeNumbers::kPlain, 9);
    std::vector<float> first;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      emulation::EmulatedRuntime runtime({.seed = seed, .workers = seed == 1 ? 1 : 2});
      const OwnedStream stream = make_stream(runtime).value();
      DecodeRun device(runtime, emulated_kernels(), stream.get(), problem, logits);
      const auto predictions = device.predictions();
      if (first.empty()) first = predictions;
      EXPECT_EQ(predictions, first) << variant.name << ", seed " << seed;
      const CandidateRule rule = {
          .confidence = 0.3f, .labels = CandidateLabels::kMultiLabel, .capacity = 60};
      EXPECT_GT(expect_candidates(device, problem, rule, {}), 60u);
    }
  }
}

}  // namespace
}  // namespace yolocu

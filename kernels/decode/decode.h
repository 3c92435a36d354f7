// Head outputs to predictions or to candidates: the last step of a network, the first of its boxes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/dtype.h"
#include "kernels/launch.h"
#include "kernels/nms/candidates.h"
#include "yolocu/status.h"

namespace yolocu {

// kDfl, YOLOv9: logits of `bins` distances for each side, and of each class.
//   d = sum_j j * softmax(bin logits)_j; x1 = x + 0.5 - left, x2 = x + 0.5 + right, y alike, in
//   cells; then cx cy w h = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1) * stride.
//   box [N,H,W,4*bins] (left, top, right, bottom), classes [N,H,W,classes].
//   Anchors: level by level, row-major.
// kAnchor, YOLOv7 with its implicit knowledge folded into the weights: with s = sigmoid(logit)
//   centre = (2 s_xy - 0.5 + cell) * stride, size = (2 s_wh)^2 * anchor size.
//   head [N,H,W,anchors*(5+classes)]: x y w h, objectness, classes.
//   Anchors: level, anchor of the level, row, column.
enum class DecodeHead : uint8_t { kDfl, kAnchor };

constexpr int kMaxDecodeLevels = 4;
constexpr int kMaxLevelAnchors = 16;

// One level. Its maps are channels of NHWC buffers of the dtype: channel c of pixel p is element
// p * pixel_stride + offset + c.
struct DecodeLevel {
  int64_t height = 0, width = 0;
  float stride = 0;                                    // pixels of the network input per cell
  int64_t box_pixel_stride = 0, box_offset = 0;        // kAnchor: of the head
  int64_t class_pixel_stride = 0, class_offset = 0;    // kDfl only
  int64_t anchors = 1;                                 // kAnchor only
  std::array<float, 2 * kMaxLevelAnchors> sizes = {};  // kAnchor only: w0 h0 w1 h1 ... in pixels
};

// What predictions of kAnchor have: a column of objectness and the classes' own probabilities, as
// the graph's op says; or the classes' probabilities times it, as `yolocu run` wants them.
enum class ObjectnessForm : uint8_t { kColumn, kMultiplied };

struct DecodeProblem {
  DType dtype = DType::kF16;  // of the maps: kF16, kBF16 or kF32
  DecodeHead head = DecodeHead::kDfl;
  int64_t batch = 1;
  int64_t classes = 1;
  int64_t bins = 16;                                    // kDfl only
  ObjectnessForm objectness = ObjectnessForm::kColumn;  // predictions of kAnchor only
  int64_t level_count = 0;
  std::array<DecodeLevel, kMaxDecodeLevels> levels = {};

  // Anchors of level i, and of one picture.
  int64_t level_anchors(int64_t i) const {
    const DecodeLevel& level = levels[static_cast<size_t>(i)];
    return level.height * level.width * (head == DecodeHead::kAnchor ? level.anchors : 1);
  }
  int64_t anchors() const {
    int64_t sum = 0;
    for (int64_t i = 0; i < level_count; ++i) sum += level_anchors(i);
    return sum;
  }
  // Elements of a prediction.
  int64_t row() const {
    const bool has_column = head == DecodeHead::kAnchor && objectness == ObjectnessForm::kColumn;
    return (has_column ? 5 : 4) + classes;
  }
};

// Device memory of the caller: the buffer of each level's maps, not of the view.
struct DecodeHeads {
  std::array<const void*, kMaxDecodeLevels> boxes = {};    // kAnchor: the heads
  std::array<const void*, kMaxDecodeLevels> classes = {};  // kDfl only
};

// kBestClass: an anchor is one candidate, of its best class, the first of equals. kMultiLabel: it
// is one of every class that passes.
enum class CandidateLabels : uint8_t { kBestClass, kMultiLabel };

// Which anchors become candidates, as the official code has it: score > confidence. The score is
// the class's probability; with objectness, which must pass too, their product, or objectness alone
// if there is one class. An anchor with a NaN among its scores is none, unless it has objectness
// and kMultiLabel, where its other classes may pass.
struct CandidateRule {
  float confidence = 0.25f;  // 0..1
  CandidateLabels labels = CandidateLabels::kBestClass;
  int64_t capacity = 0;  // of the lists
};

// One line of variants.inc. The name reads decode_<head>_warp_<dtype>: a warp decodes an anchor.
// There is no other algorithm yet, so this is also the naive one.
struct DecodeVariant {
  std::string_view name;
  DecodeHead head;
  DType dtype;
};

std::span<const DecodeVariant> decode_variants();

// kInvalidArgument: the problem makes no sense (says why). kUnsupported: another head or dtype;
// more than kMaxDecodeLevels levels, kMaxLevelAnchors anchors, or 2^31 - 1 pairs of anchor and
// class.
Status can_implement(const DecodeVariant& variant, const DecodeProblem& problem);

// kInvalidArgument: a confidence outside of 0..1, or no capacity.
Status check_rule(const CandidateRule& rule);

// The variant of the head and dtype. Errors of can_implement. Pure.
Result<DecodeVariant> select_decode(const DecodeProblem& problem);

struct PredictionTensors {
  float* predictions = nullptr;  // [batch, anchors, row]: cx cy w h, (objectness,) classes
  DecodeHeads heads = {};
};

// All anchors of all pictures. Enqueues and returns. Errors: those of can_implement and launch();
// kInvalidArgument for a pointer that is null or misaligned. The function:
// KernelTable::decode_predictions.
using DecodePredictions = Status(const PredictionTensors& tensors, const DecodeProblem& problem,
                                 const DecodeVariant& variant, Stream stream);

struct CandidateTensors {
  CandidateLists lists = {};  // [batch, capacity]; all of it is written anew
  DecodeHeads heads = {};
  // Bit c % 32 of word c / 32 says whether candidates of class c are wanted; nullptr: all are. It
  // applies after the best class is chosen. [ceil(classes / 32)]
  const uint32_t* wanted_classes = nullptr;
};

// Candidates only: class logits are compared with a threshold first, and boxes decoded of those
// that pass. Scores and boxes are, bit by bit, what decode_predictions gives. counts[b] is how many
// pass; if they are more than the capacity, the list has the `capacity` best by key, found by a
// slower kernel that does nothing otherwise. So the lists are the same sets in every run, in any
// order. Enqueues three kernels and returns. Errors: those of can_implement, check_rule and
// launch(); kInvalidArgument for a pointer that is null or misaligned. The function:
// KernelTable::decode_candidates.
using DecodeCandidates = Status(const CandidateTensors& tensors, const DecodeProblem& problem,
                                const CandidateRule& rule, const DecodeVariant& variant,
                                Stream stream);

// What both launchers ask of their pointers.
Status check_tensors(const PredictionTensors& tensors, const DecodeProblem& problem);
Status check_tensors(const CandidateTensors& tensors, const DecodeProblem& problem);

}  // namespace yolocu

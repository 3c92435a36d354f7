// Legality, selection and scratch memory of nms: host code.
#include "kernels/nms/nms.h"

#include <array>
#include <cmath>
#include <limits>

#include "engine/base/checked.h"
#include "engine/base/str_cat.h"
#include "kernels/nms/tile.h"

namespace yolocu {
namespace {

constexpr std::array kVariants = {
#define VARIANT(name, algorithm) NmsVariant{#name, NmsAlgorithm::algorithm},
#include "kernels/nms/variants.inc"
#undef VARIANT
};

// So that no size overflows: 2^20 candidates of 2^16 pictures.
constexpr int64_t kMostCandidates = 1 << 20;
constexpr int64_t kMostPictures = 65535;  // grid.y

struct Count {
  std::string_view name;
  int64_t value;
  int64_t most;
};

Status check_count(const Count& count) {
  if (count.value < 1) {
    return invalid_argument(
        str_cat("nms: expected ", count.name, " of at least 1, got ", count.value));
  }
  if (count.value <= count.most) return {};
  return unsupported(str_cat("nms: ", count.name, " ", count.value, " is above ", count.most));
}

Status check_problem(const NmsProblem& problem) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  for (const Count& count : {Count{"batch", problem.batch, kMostPictures},
                             Count{"capacity", problem.capacity, kMostCandidates},
                             Count{"classes", problem.classes, kMost},
                             Count{"max_candidates", problem.max_candidates, kMost},
                             Count{"max_detections", problem.max_detections, kMostCandidates}}) {
    YOLOCU_RETURN_IF_ERROR(check_count(count));
  }
  // Written so that NaN fails.
  if (!(problem.iou >= 0.0 && problem.iou <= 1.0)) {
    return invalid_argument(str_cat("nms: expected an iou of 0 to 1, got ", problem.iou));
  }
  if (!(problem.class_offset >= 0.0f && std::isfinite(problem.class_offset))) {
    return invalid_argument(
        str_cat("nms: expected a finite class_offset of at least 0, got ", problem.class_offset));
  }
  return {};
}

struct Pointer {
  std::string_view name;
  const void* pointer;
  uintptr_t alignment;
};

}  // namespace

std::span<const NmsVariant> nms_variants() {
  return kVariants;
}

Status can_implement(const NmsVariant& variant, const NmsProblem& problem) {
  YOLOCU_RETURN_IF_ERROR(check_problem(problem));
  if (variant.algorithm == NmsAlgorithm::kNaive && problem.capacity > problem.max_candidates) {
    return unsupported(str_cat(variant.name, ": lists of ", problem.capacity,
                               " hold more than max_candidates ", problem.max_candidates));
  }
  return {};
}

Result<NmsVariant> select_nms(const NmsProblem& problem) {
  const NmsVariant& sorted = kVariants.back();
  static_assert(kVariants.back().algorithm == NmsAlgorithm::kSorted, "the default comes last");
  YOLOCU_RETURN_IF_ERROR(can_implement(sorted, problem));
  return sorted;
}

NmsWorkspace nms_workspace(const NmsVariant& variant, const NmsProblem& problem) {
  constexpr int64_t kAlignment = 256;
  const int64_t candidates = problem.batch * problem.capacity;
  NmsWorkspace workspace;
  const auto place = [&workspace](int64_t bytes) {
    const int64_t at = workspace.bytes;
    workspace.bytes = round_up(at + bytes, kAlignment);
    return at;
  };
  workspace.keys = place(candidates * 8);
  if (variant.algorithm == NmsAlgorithm::kNaive) return workspace;
  workspace.slots = place(candidates * 4);
  workspace.order = place(candidates * 4);
  workspace.kept = place(problem.batch * problem.max_detections * 16);
  return workspace;
}

int64_t nms_workspace_bytes(const NmsVariant& variant, const NmsProblem& problem) {
  return nms_workspace(variant, problem).bytes;
}

float nms_threshold(double iou) {
  const auto rounded = static_cast<float>(iou);
  const bool above = static_cast<double>(rounded) > iou;
  return above ? std::nextafter(rounded, -std::numeric_limits<float>::infinity()) : rounded;
}

Status check_tensors(const NmsTensors& tensors) {
  for (const Pointer& p : {Pointer{"detections", tensors.detections, 4},
                           Pointer{"detection_counts", tensors.detection_counts, 4},
                           Pointer{"candidates.boxes", tensors.candidates.boxes, 16},
                           Pointer{"candidates.keys", tensors.candidates.keys, 8},
                           Pointer{"candidates.counts", tensors.candidates.counts, 4},
                           Pointer{"workspace", tensors.workspace, 256}}) {
    if (p.pointer != nullptr && reinterpret_cast<uintptr_t>(p.pointer) % p.alignment == 0) continue;
    return invalid_argument(str_cat("nms ", p.name, ": expected memory aligned to ", p.alignment,
                                    " bytes, got ", p.pointer));
  }
  return {};
}

}  // namespace yolocu

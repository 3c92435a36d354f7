#include "bench/kernels/case_data.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>
#include <span>

#include "engine/base/half.h"
#include "engine/preprocess/letterbox.h"

namespace yolocu::bench {
namespace {

// Logits of anchors that are no candidates lie around this one: 0.2 % of confidence.
constexpr float kLowLogit = -6.0f;

void store(std::byte* at, DType dtype, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto brain = static_cast<uint16_t>(bits >> 16);
  const uint16_t half = float_to_half(value);
  switch (dtype) {
    case DType::kF16: std::memcpy(at, &half, sizeof(half)); break;
    case DType::kBF16: std::memcpy(at, &brain, sizeof(brain)); break;
    default: std::memcpy(at, &bits, sizeof(bits));
  }
}

// Writes into the arena of a case.
class DataWriter {
 public:
  DataWriter(const KernelCase& one, std::vector<std::byte>& arena)
      : one_(one), arena_(arena), dtype_(one.step.options.dtype) {}

  // A mebibyte of numbers, again and again: making as many as a large case has takes longer than
  // timing it.
  void fill_all() {
    const auto element = static_cast<size_t>(size_bytes(dtype_));
    const size_t numbers = std::min(arena_.size(), size_t{1} << 20) / element * element;
    for (size_t i = 0; i < numbers; i += element) store(&arena_[i], dtype_, numbers_(random_));
    for (size_t i = numbers; i + element <= arena_.size(); i += numbers) {
      const size_t rest = (arena_.size() - i) / element * element;
      std::memcpy(&arena_[i], arena_.data(), std::min(numbers, rest));
    }
  }

  // A map [pixels, pixel_stride] of logits.
  void fill_logits(int buffer, int64_t pixel_stride) {
    const std::span<std::byte> map = bytes(buffer);
    const auto element = static_cast<size_t>(size_bytes(dtype_));
    for (size_t i = 0; i * element < map.size(); ++i) {
      const int64_t pixel = static_cast<int64_t>(i) / pixel_stride;
      const float base = pixel % kAnchorsPerCandidate == 0 ? 1.0f : kLowLogit;
      store(&map[i * element], dtype_, base + numbers_(random_));
    }
  }

  void fill_heads(const DecodeProblem& problem, const gpu::HeadBuffers& heads) {
    for (size_t i = 0; i < static_cast<size_t>(problem.level_count); ++i) {
      const DecodeLevel& level = problem.levels[i];
      if (problem.head == DecodeHead::kDfl) {
        fill_logits(heads.classes[i], level.class_pixel_stride);
      } else {
        fill_logits(heads.boxes[i], level.box_pixel_stride);
      }
    }
  }

  // Lists of one_.candidates boxes of 20 to 120 pixels in a picture of 640 x 640.
  void fill_lists(const gpu::NmsStep& step) {
    const NmsProblem& p = step.problem;
    for (int64_t i = 0; i < p.batch * p.capacity; ++i) {
      const CandidateBox corner = {number(0, 520), number(0, 520), number(20, 120),
                                   number(20, 120)};
      put(step.lists.boxes, i,
          CandidateBox{corner.x1, corner.y1, corner.x1 + corner.x2, corner.y1 + corner.y2});
      const auto anchor = static_cast<uint32_t>(i % p.capacity);
      const auto classes = static_cast<uint32_t>(p.classes);
      put(step.lists.keys, i,
          candidate_key(std::bit_cast<uint32_t>(number(0.25f, 1.0f)),
                        anchor * classes + anchor % classes));
    }
    for (int64_t b = 0; b < p.batch; ++b) {
      put(step.lists.counts, b, static_cast<int32_t>(one_.candidates));
    }
  }

 private:
  std::span<std::byte> bytes(int buffer) {
    const auto i = static_cast<size_t>(buffer);
    return std::span(arena_).subspan(static_cast<size_t>(one_.step.arena.offsets[i]),
                                     static_cast<size_t>(one_.step.buffers[i].size_bytes));
  }

  template <typename T>
  void put(int buffer, int64_t i, const T& value) {
    std::memcpy(&bytes(buffer)[static_cast<size_t>(i) * sizeof(T)], &value, sizeof(T));
  }

  float number(float low, float high) { return low + (high - low) * (numbers_(random_) + 1) / 2; }

  const KernelCase& one_;
  std::vector<std::byte>& arena_;
  DType dtype_;
  std::minstd_rand random_{1};
  std::uniform_real_distribution<float> numbers_{-1.0f, 1.0f};
};

}  // namespace

std::vector<std::byte> arena_data(const KernelCase& one) {
  std::vector<std::byte> arena(static_cast<size_t>(one.step.arena.size_bytes));
  DataWriter writer(one, arena);
  writer.fill_all();
  if (const auto* prediction = std::get_if<gpu::PredictionStep>(&one.work())) {
    writer.fill_heads(prediction->problem, prediction->heads);
  } else if (const auto* candidates = std::get_if<gpu::CandidateStep>(&one.work())) {
    writer.fill_heads(candidates->problem, candidates->heads);
  } else if (const auto* nms = std::get_if<gpu::NmsStep>(&one.work())) {
    writer.fill_lists(*nms);
  }
  return arena;
}

Result<std::vector<LetterboxPicture>> picture_records(const KernelCase& one,
                                                      const std::byte* arena) {
  const LetterboxProblem& problem = std::get<gpu::LetterboxStep>(one.work()).problem;
  YOLOCU_ASSIGN_OR_RETURN(
      const LetterboxGeometry g,
      letterbox_geometry(kPictureHeight, kPictureWidth, problem.height, problem.width));
  const LetterboxPlace place = {.left = static_cast<int32_t>(g.left),
                                .top = static_cast<int32_t>(g.top),
                                .resized_width = static_cast<int32_t>(g.resized_width),
                                .resized_height = static_cast<int32_t>(g.resized_height)};
  const auto* pixels = static_cast<const uint8_t*>(static_cast<const void*>(
      arena + one.step.arena.offsets[static_cast<size_t>(one.extra.pixels)]));
  std::vector<LetterboxPicture> records;
  for (int64_t i = 0; i < problem.batch; ++i, pixels += 3 * kPictureWidth * kPictureHeight) {
    YOLOCU_ASSIGN_OR_RETURN(const LetterboxPicture record,
                            letterbox_picture(pixels, kPictureWidth, kPictureHeight,
                                              3 * kPictureWidth, place, problem));
    records.push_back(record);
  }
  return records;
}

}  // namespace yolocu::bench

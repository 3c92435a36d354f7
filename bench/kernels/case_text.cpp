#include "bench/kernels/case_text.h"

#include "engine/base/str_cat.h"

namespace yolocu::bench {
namespace {

using gpu::CandidateStep;
using gpu::ConvStep;
using gpu::CopyStep;
using gpu::LetterboxStep;
using gpu::NmsStep;
using gpu::PoolStep;
using gpu::PredictionStep;
using gpu::ResizeSumStep;
using gpu::SpaceToDepthStep;

struct FamilyText {
  std::string operator()(const LetterboxStep&) const { return "letterbox"; }
  std::string operator()(const ConvStep&) const { return "conv"; }
  std::string operator()(const PoolStep&) const { return "pool"; }
  std::string operator()(const ResizeSumStep&) const { return "resize_sum"; }
  std::string operator()(const SpaceToDepthStep&) const { return "space_to_depth"; }
  std::string operator()(const CopyStep&) const { return "channel_copy"; }
  std::string operator()(const PredictionStep&) const { return "decode_predictions"; }
  std::string operator()(const CandidateStep&) const { return "decode_candidates"; }
  std::string operator()(const NmsStep&) const { return "nms"; }
};

template <typename Problem>
std::string map_text(const Problem& p) {
  return str_cat(p.batch, "x", p.height, "x", p.width, "x", p.channels);
}

std::string output_text(const ConvOutput& output) {
  return output.upsample == 1 ? "" : str_cat("_up", output.upsample);
}

struct ShapeText {
  std::string operator()(const ConvStep& s) const {
    const ConvProblem& p = s.problem;
    std::string text = str_cat(map_text(p), "->", p.out_channels, "k", p.filter_height);
    if (p.filter_width != p.filter_height) text += str_cat("x", p.filter_width);
    text += str_cat("s", p.stride);
    if (p.groups > 1) text += str_cat("g", p.groups);
    text += output_text(p.first());
    if (p.second) text += "_second" + output_text(*p.second);
    return p.residual ? text + "_residual" : text;
  }
  std::string operator()(const PoolStep& s) const {
    const PoolProblem& p = s.problem;
    return str_cat(map_text(p), "k", p.window, "s", p.stride);
  }
  std::string operator()(const ResizeSumStep& s) const {
    const ResizeSumProblem& p = s.problem;
    std::string text;
    for (size_t i = 0; i < static_cast<size_t>(p.count); ++i) {
      text += str_cat(i == 0 ? "" : "+", p.inputs[i].height, "x", p.inputs[i].width);
    }
    return str_cat(text, "->", p.batch, "x", p.out_height, "x", p.out_width, "x", p.channels);
  }
  std::string operator()(const SpaceToDepthStep& s) const { return map_text(s.problem); }
  std::string operator()(const CopyStep& s) const {
    return str_cat(s.problem.pixels, "x", s.problem.channels);
  }
  std::string operator()(const LetterboxStep& s) const { return "720p->" + map_text(s.problem); }
  std::string operator()(const PredictionStep& s) const {
    return str_cat(s.problem.batch, "x", s.problem.anchors(), "x", s.problem.row());
  }
  std::string operator()(const CandidateStep& s) const {
    return str_cat(s.problem.batch, "x", s.problem.anchors(), "x", s.problem.classes);
  }
  std::string operator()(const NmsStep& s) const {
    return str_cat(s.problem.batch, "x", s.problem.capacity);
  }
};

struct ImplementationText {
  std::string operator()(const ConvStep& s) const {
    const std::string name(s.choice.variant.name);
    return s.choice.splits == 1 ? name : str_cat(name, "/splits:", s.choice.splits);
  }
  template <typename Step>
  std::string operator()(const Step& s) const {
    return std::string(s.variant.name);
  }
};

}  // namespace

std::string family_text(const gpu::Work& work) {
  return std::visit(FamilyText(), work);
}

std::string shape_text(const gpu::Work& work) {
  return std::visit(ShapeText(), work);
}

std::string implementation_text(const gpu::Work& work) {
  return std::visit(ImplementationText(), work);
}

}  // namespace yolocu::bench

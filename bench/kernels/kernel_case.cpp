#include "bench/kernels/kernel_case.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "bench/kernels/case_text.h"
#include "bench/kernels/isolation.h"
#include "engine/base/str_cat.h"
#include "engine/gpu/plan_report.h"
#include "kernels/conv/tile.h"

namespace yolocu::bench {
namespace {

// Not naive, and not believed to take more than kFar times as long as the best; splits that leave a
// block four stages.
bool is_worth_a_look(const gpu::ConvStep& step, const ConvDevice& device) {
  const ConvVariant& variant = step.choice.variant;
  const int64_t splits = step.choice.splits;
  if (variant.algorithm == ConvAlgorithm::kNaive) return false;
  if (!can_run(step.choice, step.problem, device).ok()) return false;
  const auto best = select_conv(step.problem, device);
  if (!best.ok() || variant.algorithm == ConvAlgorithm::kDepthwise) return splits == 1;
  constexpr double kFar = 1.6;
  if (conv_cost(step.choice, step.problem, device) >
      kFar * conv_cost(*best, step.problem, device)) {
    return false;
  }
  return splits == 1 || conv_stages(variant, step.problem) >= 4 * splits;
}

// Every way to compute a step.
struct Alternatives {
  const ConvDevice& device;

  std::vector<gpu::Work> operator()(const gpu::ConvStep& s) const {
    std::vector<gpu::Work> all = {s};
    for (const ConvVariant& variant : conv_variants()) {
      for (const int64_t splits : {1, 2, 4, 8}) {
        gpu::ConvStep other = s;
        other.choice = {variant, splits};
        const bool is_new = variant.name != s.choice.variant.name || s.choice.splits != splits;
        if (is_new && is_worth_a_look(other, device)) all.push_back(other);
      }
    }
    return all;
  }
  std::vector<gpu::Work> operator()(const gpu::LetterboxStep& s) const {
    return of(s, letterbox_variants());
  }
  std::vector<gpu::Work> operator()(const gpu::PoolStep& s) const { return of(s, pool_variants()); }
  std::vector<gpu::Work> operator()(const gpu::ResizeSumStep& s) const {
    return of(s, resize_sum_variants());
  }
  std::vector<gpu::Work> operator()(const gpu::SpaceToDepthStep& s) const {
    return of(s, space_to_depth_variants());
  }
  std::vector<gpu::Work> operator()(const gpu::CopyStep& s) const {
    return of(s, channel_copy_variants());
  }
  std::vector<gpu::Work> operator()(const gpu::PredictionStep& s) const {
    return of(s, decode_variants());
  }
  std::vector<gpu::Work> operator()(const gpu::CandidateStep& s) const {
    return of(s, decode_variants());
  }
  std::vector<gpu::Work> operator()(const gpu::NmsStep& s) const { return of(s, nms_variants()); }

 private:
  template <typename Step, typename Variants>
  static std::vector<gpu::Work> of(const Step& step, const Variants& variants) {
    std::vector<gpu::Work> all;
    for (const auto& variant : variants) {
      Step other = step;
      other.variant = variant;
      if (can_implement(variant, step.problem).ok()) all.push_back(other);
    }
    return all;
  }
};

// Collects the cases of one network.
class Collector {
 public:
  Collector(const Network& network, const CaseOptions& options)
      : network_(network), options_(options) {}

  Status add_plan(const std::optional<gpu::DetectionRule>& rule) {
    const int64_t size = options_.size > 0 ? options_.size : network_.spec.input_size;
    YOLOCU_ASSIGN_OR_RETURN(const gpu::GpuPlan plan,
                            gpu::make_gpu_plan(network_.spec, {.dtype = options_.dtype,
                                                               .batch = options_.batch,
                                                               .height = size,
                                                               .width = size,
                                                               .device = options_.device,
                                                               .detections = rule}));
    for (const gpu::Step& step : plan.steps) {
      // The layers are those of the plan with detections.
      if (rule || std::holds_alternative<gpu::PredictionStep>(step.work)) add_step(plan, step);
    }
    return {};
  }

  std::vector<KernelCase> take() { return std::move(cases_); }

 private:
  void add_step(const gpu::GpuPlan& plan, const gpu::Step& step) {
    const PlanStep cost = gpu::describe_step(plan, step);
    KernelCase one{.family = family_text(step.work),
                   .network = network_.name,
                   .layer = plan.graph.nodes[static_cast<size_t>(step.node)].name,
                   .shape = shape_text(step.work),
                   .implementation = {},
                   .flops = cost.flops,
                   .bytes = cost.bytes,
                   .step = {},
                   .extra = {}};
    if (const auto* nms = std::get_if<gpu::NmsStep>(&step.work)) {
      const int64_t capacity = nms->problem.capacity;
      for (const int64_t count :
           {std::max<int64_t>(capacity / kAnchorsPerCandidate, 1), capacity}) {
        KernelCase lists = one;
        lists.candidates = count;
        lists.shape += str_cat("_", count);
        const auto slot = static_cast<int64_t>(sizeof(CandidateBox) + sizeof(uint64_t));
        lists.bytes = nms->problem.batch * count * slot;
        add_variants(lists, step.work, plan.options);
      }
      return;
    }
    if (const auto* letterbox = std::get_if<gpu::LetterboxStep>(&step.work)) {
      one.bytes += letterbox->problem.batch * 3 * kPictureWidth * kPictureHeight;
    }
    add_variants(one, step.work, plan.options);
  }

  void add_variants(const KernelCase& one, const gpu::Work& work, const gpu::PlanOptions& options) {
    if (options_.variants == CaseOptions::Variants::kSelected) return add(one, work, options);
    for (const gpu::Work& other : std::visit(Alternatives{options.device}, work)) {
      add(one, other, options);
    }
  }

  void add(KernelCase one, const gpu::Work& work, const gpu::PlanOptions& options) {
    one.implementation = implementation_text(work);
    const auto [found, is_new] =
        known_.try_emplace({one.family, one.shape, one.implementation, one.flops}, cases_.size());
    if (!is_new) {
      ++cases_[found->second].count;
      return;
    }
    isolate(one, work, options);
    cases_.push_back(std::move(one));
  }

  const Network& network_;
  const CaseOptions& options_;
  std::vector<KernelCase> cases_;
  std::map<std::tuple<std::string, std::string, std::string, double>, size_t> known_;
};

}  // namespace

std::string KernelCase::name() const {
  return family + "/" + network + "/" + layer + "/" + shape + "/" + implementation;
}

Result<std::vector<KernelCase>> kernel_cases(const Network& network, const CaseOptions& options) {
  Collector collector(network, options);
  YOLOCU_RETURN_IF_ERROR(collector.add_plan(gpu::DetectionRule{}));
  YOLOCU_RETURN_IF_ERROR(collector.add_plan({}));
  return collector.take();
}

}  // namespace yolocu::bench

#include "engine/gpu/plan_report.h"

#include "engine/base/str_cat.h"
#include "engine/gpu/enqueue.h"
#include "kernels/launch_log.h"
#if YOLOCU_HAS_EMULATION
#include "kernels/emulation/runtime.h"
#endif

namespace yolocu::gpu {
namespace {

// Device memory that is never touched: launchers check that pointers are aligned, no more.
template <typename T>
T* fake_memory() {
  static_assert(sizeof(uintptr_t) == 8);
  return reinterpret_cast<T*>(uintptr_t{1} << 40);
}

ContextMemory fake_context(const std::vector<ConvWeights>& weights) {
  return {.arena = fake_memory<std::byte>(),
          .workspace = fake_memory<void>(),
          .weights = weights,
          .pictures = fake_memory<LetterboxPicture>(),
          .detections = fake_memory<NmsDetection>(),
          .detection_counts = fake_memory<int32_t>()};
}

#if YOLOCU_HAS_EMULATION
// Remembers launches instead of enqueuing them.
class LaunchLister final : public emulation::EmulatedRuntime {
 public:
  Status enqueue_kernel(std::string_view name, const LaunchConfig& config,
                        std::function<void()>) override {
    launches_.push_back(launch_record(name, config));
    return {};
  }
  std::vector<LaunchRecord> take() { return std::exchange(launches_, {}); }

 private:
  std::vector<LaunchRecord> launches_;
};

std::vector<std::vector<LaunchRecord>> list_launches(const GpuPlan& plan) {
  std::vector<std::vector<LaunchRecord>> launches(plan.steps.size());
  LaunchLister lister;
  const Result<OwnedStream> stream = make_stream(lister);
  const std::vector<ConvWeights> weights(plan.graph.nodes.size(),
                                         {fake_memory<void>(), fake_memory<float>()});
  if (!stream.ok()) return launches;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    static_cast<void>(enqueue_step(plan, plan.steps[i], fake_context(weights), emulated_kernels(),
                                   stream->get()));
    launches[i] = lister.take();
  }
  return launches;
}
#else
std::vector<std::vector<LaunchRecord>> list_launches(const GpuPlan& plan) {
  return std::vector<std::vector<LaunchRecord>>(plan.steps.size());
}
#endif

std::string grid_text(const Extent3& grid) {
  return str_cat(grid.x, "x", grid.y, "x", grid.z);
}

// What a step moves and computes, and where its result goes.
class Describer {
 public:
  explicit Describer(const GpuPlan& plan) : plan_(plan) {}

  PlanStep operator()(const LetterboxStep& s) const {
    const LetterboxProblem& p = s.problem;
    return line(s.variant.name, s.y, p.batch * p.height * p.width * p.channels * element());
  }

  PlanStep operator()(const ConvStep& s) const {
    const ConvProblem& p = s.problem;
    const int64_t y = p.out_pixels() * p.out_channels;
    int64_t elements = p.batch * p.height * p.width * p.channels + p.out_channels * p.depth() +
                       y * p.y_upsample * p.y_upsample;
    if (p.second) elements += y * p.second->upsample * p.second->upsample;
    if (p.residual) elements += y;
    PlanStep step = line(s.choice.variant.name, s.y, elements * element());
    step.flops = conv_flops(s);
    const ConvTile& tile = s.choice.variant.tile;
    if (tile.block_m > 0) step.tile = str_cat(tile.block_m, "x", tile.block_n, "x", tile.block_k);
    if (s.choice.splits > 1) step.tile += str_cat("/", s.choice.splits);
    return step;
  }

  PlanStep operator()(const PoolStep& s) const {
    const PoolProblem& p = s.problem;
    const int64_t pixels = p.height * p.width + p.out_height() * p.out_width();
    return line(s.variant.name, s.y, p.batch * pixels * p.channels * element());
  }

  PlanStep operator()(const ResizeSumStep& s) const {
    const ResizeSumProblem& p = s.problem;
    int64_t pixels = p.out_height * p.out_width;
    for (size_t i = 0; i < static_cast<size_t>(p.count); ++i) {
      pixels += p.inputs[i].height * p.inputs[i].width;
    }
    return line(s.variant.name, s.y, p.batch * pixels * p.channels * element());
  }

  PlanStep operator()(const SpaceToDepthStep& s) const {
    const SpaceToDepthProblem& p = s.problem;
    return line(s.variant.name, s.y, 2 * p.batch * p.height * p.width * p.channels * element());
  }

  PlanStep operator()(const CopyStep& s) const {
    return line(s.variant.name, s.y, 2 * s.problem.pixels * s.problem.channels * element());
  }

  PlanStep operator()(const PredictionStep& s) const {
    const DecodeProblem& p = s.problem;
    return line(s.variant.name, s.predictions,
                head_bytes(p) + p.batch * p.anchors() * p.row() * int64_t{sizeof(float)});
  }

  // The boxes of few candidates are read: the classes' logits are what counts.
  PlanStep operator()(const CandidateStep& s) const {
    return line(s.variant.name, s.lists.boxes, head_bytes(s.problem));
  }

  PlanStep operator()(const NmsStep& s) const { return line(s.variant.name, kNoBuffer, 0); }

 private:
  int64_t element() const { return size_bytes(plan_.options.dtype); }

  PlanStep line(std::string_view implementation, int result, int64_t bytes) const {
    PlanStep step{.node = {}, .implementation = std::string(implementation), .launches = 1};
    step.bytes = bytes;
    if (result != kNoBuffer) {
      step.arena_offset = plan_.arena.offsets[static_cast<size_t>(result)];
    }
    return step;
  }

  // 2 x multiply-adds of the model's own channels.
  double conv_flops(const ConvStep& s) const {
    const Node& node = plan_.graph.nodes[static_cast<size_t>(s.conv)];
    const auto& conv = std::get<ConvOp>(node.op);
    const auto channels = plan_.channels[static_cast<size_t>(node.inputs[0])];
    return 2.0 * static_cast<double>(s.problem.out_pixels()) *
           static_cast<double>(conv.out_channels * conv.kernel * conv.kernel *
                               (channels / conv.groups));
  }

  int64_t head_bytes(const DecodeProblem& p) const {
    const int64_t classes = p.head == DecodeHead::kDfl ? 4 * p.bins + p.classes : 5 + p.classes;
    return p.batch * p.anchors() * classes * element();
  }

  const GpuPlan& plan_;
};

// One line a launch; numbers of the step stand at the first.
void append_step(std::vector<PlanStep>& lines, PlanStep line,
                 const std::vector<LaunchRecord>& launches) {
  if (launches.empty()) return lines.push_back(std::move(line));
  for (size_t i = 0; i < launches.size(); ++i) {
    PlanStep one = i == 0 ? line : PlanStep{.node = line.node, .implementation = {}, .launches = 1};
    one.implementation = launches[i].kernel;
    one.grid = grid_text(launches[i].grid);
    lines.push_back(std::move(one));
  }
}

}  // namespace

PlanStep describe_step(const GpuPlan& plan, const Step& step) {
  PlanStep line = std::visit(Describer(plan), step.work);
  line.node = plan.graph.nodes[static_cast<size_t>(step.node)].name;
  return line;
}

std::vector<PlanStep> describe_steps(const GpuPlan& plan) {
  const std::vector<std::vector<LaunchRecord>> launches = list_launches(plan);
  std::vector<PlanStep> lines;
  size_t next = 0;
  for (size_t i = 0; i < plan.graph.nodes.size(); ++i) {
    const std::string& name = plan.graph.nodes[i].name;
    if (plan.free_nodes[i] != nullptr) lines.push_back({name, plan.free_nodes[i]});
    while (next < plan.steps.size() && plan.steps[next].node == static_cast<int>(i)) {
      append_step(lines, describe_step(plan, plan.steps[next]), launches[next]);
      ++next;
    }
  }
  return lines;
}

}  // namespace yolocu::gpu

#include "engine/gpu/head_plan.h"

#include <algorithm>

#include "engine/base/str_cat.h"

namespace yolocu::gpu {
namespace {

class HeadPlanner {
 public:
  HeadPlanner(GpuPlan& plan, int node, PlanBuffers& buffers,
              const std::vector<ChannelLayout>& layouts)
      : plan_(plan), node_(node), buffers_(buffers), layouts_(layouts) {}

  Status run() {
    const Op& op = plan_.graph.nodes[static_cast<size_t>(node_)].op;
    problem_.dtype = plan_.options.dtype;
    problem_.batch = plan_.options.batch;
    if (const auto* dfl = std::get_if<DecodeDflOp>(&op)) {
      YOLOCU_RETURN_IF_ERROR(read_levels(*dfl));
    } else {
      YOLOCU_RETURN_IF_ERROR(read_levels(std::get<DecodeAnchorOp>(op)));
    }
    YOLOCU_ASSIGN_OR_RETURN(variant_, select_decode(problem_));
    for (const int buffer : used_) buffers_.use(buffer);
    return plan_.options.detections ? add_detections(*plan_.options.detections) : add_predictions();
  }

 private:
  const std::vector<int>& inputs() const {
    return plan_.graph.nodes[static_cast<size_t>(node_)].inputs;
  }

  Status check_levels(size_t levels) const {
    if (levels <= kMaxDecodeLevels) return {};
    return unsupported(str_cat("expected at most ", kMaxDecodeLevels, " levels, got ", levels));
  }

  // The kernels read a pixel's channels one after the other: a map with padding between them is
  // copied together first.
  Result<MapView> dense(int value) {
    const ChannelLayout& layout = layouts_[static_cast<size_t>(value)];
    MapView map = buffers_.map(value);
    if (layout.segments().size() > 1) {
      const MapView joined = buffers_.dense_map(value, layout.channels());
      for (const ChannelSegment& segment : layout.segments()) {
        MapView from = buffers_.map(value), to = joined;
        from.view.offset += segment.position;
        to.view.offset = segment.begin;
        buffers_.use(to.buffer);
        YOLOCU_ASSIGN_OR_RETURN(const CopyStep step,
                                copy_step(plan_.options, to, from, segment.count));
        plan_.steps.push_back({node_, step});
      }
      map = joined;
    }
    used_.push_back(map.buffer);
    return map;
  }

  Status read_levels(const DecodeDflOp& op) {
    YOLOCU_RETURN_IF_ERROR(check_levels(op.strides.size()));
    problem_.head = DecodeHead::kDfl;
    problem_.classes = op.classes;
    problem_.bins = op.bins;
    problem_.level_count = static_cast<int64_t>(op.strides.size());
    for (size_t i = 0; i < op.strides.size(); ++i) {
      YOLOCU_ASSIGN_OR_RETURN(const MapView box, dense(inputs()[2 * i]));
      YOLOCU_ASSIGN_OR_RETURN(const MapView classes, dense(inputs()[2 * i + 1]));
      DecodeLevel& level = problem_.levels[i];
      level = {.height = box.height, .width = box.width, .stride = op.strides[i]};
      level.box_pixel_stride = box.view.pixel_stride;
      level.box_offset = box.view.offset;
      level.class_pixel_stride = classes.view.pixel_stride;
      level.class_offset = classes.view.offset;
      heads_.boxes[i] = box.buffer;
      heads_.classes[i] = classes.buffer;
    }
    return {};
  }

  Status read_levels(const DecodeAnchorOp& op) {
    YOLOCU_RETURN_IF_ERROR(check_levels(op.strides.size()));
    problem_.head = DecodeHead::kAnchor;
    problem_.classes = op.classes;
    problem_.level_count = static_cast<int64_t>(op.strides.size());
    for (size_t i = 0; i < op.strides.size(); ++i) {
      const std::vector<float>& sizes = op.anchors[i];
      if (sizes.size() > 2 * kMaxLevelAnchors) {
        return unsupported(str_cat("expected at most ", kMaxLevelAnchors, " anchors a level, got ",
                                   sizes.size() / 2));
      }
      YOLOCU_ASSIGN_OR_RETURN(const MapView head, dense(inputs()[i]));
      DecodeLevel& level = problem_.levels[i];
      level = {.height = head.height, .width = head.width, .stride = op.strides[i]};
      level.box_pixel_stride = head.view.pixel_stride;
      level.box_offset = head.view.offset;
      level.anchors = static_cast<int64_t>(sizes.size() / 2);
      std::copy(sizes.begin(), sizes.end(), level.sizes.begin());
      heads_.boxes[i] = head.buffer;
    }
    return {};
  }

  Status add_predictions() {
    const int64_t bytes = problem_.batch * problem_.anchors() * problem_.row() * 4;
    plan_.predictions = buffers_.new_buffer(bytes);
    plan_.steps.push_back({node_, PredictionStep{problem_, variant_, heads_, plan_.predictions}});
    return {};
  }

  // No more candidates than the official code looks at, nor than there can be.
  int64_t capacity(const NmsProblem& nms, const CandidateRule& rule) const {
    const bool is_multi = rule.labels == CandidateLabels::kMultiLabel && problem_.classes > 1;
    return std::min(nms.max_candidates, problem_.anchors() * (is_multi ? problem_.classes : 1));
  }

  Status add_detections(const DetectionRule& rule) {
    NmsStep nms;
    nms.problem = {.batch = problem_.batch,
                   .classes = problem_.classes,
                   .max_detections = rule.max_detections,
                   .iou = rule.iou,
                   .class_offset = problem_.head == DecodeHead::kAnchor ? kClassOffsetYolov7
                                                                        : kClassOffsetYolov9};
    nms.problem.capacity = capacity(nms.problem, rule.candidates);
    YOLOCU_ASSIGN_OR_RETURN(nms.variant, select_nms(nms.problem));
    CandidateStep candidates{problem_, rule.candidates, variant_, heads_, {}};
    candidates.rule.capacity = nms.problem.capacity;
    YOLOCU_RETURN_IF_ERROR(check_rule(candidates.rule));
    const int64_t slots = problem_.batch * nms.problem.capacity;
    const int64_t box_bytes = sizeof(CandidateBox), key_bytes = sizeof(uint64_t);
    candidates.lists = {.boxes = buffers_.new_buffer(slots * box_bytes),
                        .keys = buffers_.new_buffer(slots * key_bytes),
                        .counts = buffers_.new_buffer(problem_.batch * 4)};
    plan_.steps.push_back({node_, candidates});
    nms.lists = candidates.lists;
    for (const int list : {nms.lists.boxes, nms.lists.keys, nms.lists.counts}) buffers_.use(list);
    nms.workspace = buffers_.new_buffer(nms_workspace_bytes(nms.variant, nms.problem));
    plan_.steps.push_back({node_, nms});
    return {};
  }

  GpuPlan& plan_;
  int node_;
  PlanBuffers& buffers_;
  const std::vector<ChannelLayout>& layouts_;
  DecodeProblem problem_;
  DecodeVariant variant_ = {};
  HeadBuffers heads_;
  std::vector<int> used_;
};

}  // namespace

Status plan_head(GpuPlan& plan, int node, PlanBuffers& buffers,
                 const std::vector<ChannelLayout>& layouts) {
  return HeadPlanner(plan, node, buffers, layouts).run();
}

}  // namespace yolocu::gpu

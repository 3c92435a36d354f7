// The reference device: the graph, node by node, with the naive ops. It keeps every value until the
// next run, so it needs more memory than other devices.
#include <map>
#include <string>

#include "engine/base/str_cat.h"
#include "engine/executor.h"
#include "engine/reference/int8_ops.h"
#include "engine/reference/reference_ops.h"
#include "weights/format/quantization.h"

namespace yolocu {
namespace {

using reference::Tensor;

class ReferenceExecutor final : public Executor {
 public:
  ReferenceExecutor(std::shared_ptr<const Model> model, const ExecutorOptions& options)
      : model_(std::move(model)),
        precision_(options.precision),
        input_(options.batch, options.height, options.width, 3),
        values_(graph().nodes.size()) {}

  // Widens all weights to fp32.
  Status load_weights() {
    for (const Node& node : graph().nodes) {
      const auto* conv = std::get_if<ConvOp>(&node.op);
      if (conv == nullptr) continue;
      YOLOCU_RETURN_IF_ERROR(load(conv->weight));
      if (!conv->bias.empty()) YOLOCU_RETURN_IF_ERROR(load(conv->bias));
      if (!conv->accumulator_scale.empty()) {
        YOLOCU_RETURN_IF_ERROR(load(conv->accumulator_scale));
      }
    }
    return {};
  }

  // Int8 for the convolutions and values that the model quantizes.
  Status compute_in_int8(const std::vector<ValueShape>& shapes) {
    YOLOCU_ASSIGN_OR_RETURN(const auto scales, infer_scales(graph(), shapes));
    for (const ChannelScales& value : scales) scales_.push_back(scale_of_channels(value));
    return {};
  }

  // Gives output() its shape before the first run.
  void prepare(const std::vector<ValueShape>& shapes) {
    anchors_ = prediction_count(graph(), shapes, height(), width());
    row_ = shapes.back().channels;
    values_.back() = Tensor(batch(), 1, anchors_, row_);
  }

  int64_t batch() const override { return input_.n; }
  int64_t height() const override { return input_.h; }
  int64_t width() const override { return input_.w; }
  std::span<float> input() override { return input_.values; }

  Status run() override {
    for (size_t i = 0; i < graph().nodes.size(); ++i) {
      const Node& node = graph().nodes[i];
      values_[i] = evaluate(node);
      if (!scales_.empty()) reference::round_to_int8(values_[i], node.op, scales_[i]);
    }
    return {};
  }

  std::span<const float> output() const override { return values_.back().values; }
  int64_t anchors() const override { return anchors_; }
  int64_t row() const override { return row_; }

  Result<std::unique_ptr<Executor>> share(const ExecutorOptions& options) const override {
    return create_executor(model_, Device::kReference,
                           with_shape_of({.precision = precision_}, options));
  }

  std::vector<PlanStep> plan() const override {
    std::vector<PlanStep> steps;
    for (const Node& node : graph().nodes) steps.push_back({node.name, "reference"});
    return steps;
  }

  // Values live outside an arena.
  int64_t arena_bytes() const override { return 0; }

 private:
  const Graph& graph() const { return model_->spec.graph; }

  Status load(const std::string& name) {
    if (weights_.contains(name)) return {};
    const auto tensor = model_->tensors.find(name);
    if (tensor == model_->tensors.end())
      return not_found(str_cat("tensor '", name, "' is missing"));
    if (tensor->second.dtype == DType::kI8) {
      weights_[name] = reference::int8_weights(tensor->second);
      return {};
    }
    YOLOCU_ASSIGN_OR_RETURN(weights_[name], tensor_to_float(tensor->second));
    return {};
  }

  std::span<const float> weight(const std::string& name) const {
    return name.empty() ? std::span<const float>() : std::span<const float>(weights_.at(name));
  }

  Tensor evaluate(const Node& node) const {
    std::vector<const Tensor*> in;
    for (const int value : node.inputs) in.push_back(&values_[static_cast<size_t>(value)]);
    struct Visitor {
      const ReferenceExecutor& self;
      const Node& node;
      const std::vector<const Tensor*>& in;
      Tensor operator()(const InputOp&) const { return self.input_; }
      Tensor operator()(const ConvOp& op) const {
        if (!op.accumulator_scale.empty()) {
          return reference::convolve_int8(*in[0], self.scales_[static_cast<size_t>(node.inputs[0])],
                                          op, self.weight(op.weight),
                                          self.weight(op.accumulator_scale), self.weight(op.bias));
        }
        return reference::convolve(*in[0], op, self.weight(op.weight), self.weight(op.bias));
      }
      Tensor operator()(const MaxPoolOp& op) const { return reference::max_pool(*in[0], op); }
      Tensor operator()(const AvgPoolOp& op) const { return reference::avg_pool(*in[0], op); }
      Tensor operator()(const UpsampleOp& op) const { return reference::upsample(*in[0], op); }
      Tensor operator()(const ConcatOp&) const { return reference::concat(in); }
      Tensor operator()(const AddOp&) const { return reference::add(in); }
      Tensor operator()(const SliceOp& op) const { return reference::slice(*in[0], op); }
      Tensor operator()(const SpaceToDepthOp&) const { return reference::space_to_depth(*in[0]); }
      Tensor operator()(const DecodeDflOp& op) const { return reference::decode_dfl(in, op); }
      Tensor operator()(const DecodeAnchorOp& op) const { return reference::decode_anchor(in, op); }
    };
    return std::visit(Visitor{*this, node, in}, node.op);
  }

  std::shared_ptr<const Model> model_;
  Precision precision_;
  Tensor input_;
  std::vector<Tensor> values_;
  std::map<std::string, std::vector<float>, std::less<>> weights_;
  std::vector<std::vector<float>> scales_;  // by value and channel; empty: floating point
  int64_t anchors_ = 0;
  int64_t row_ = 0;
};

}  // namespace

Result<std::unique_ptr<Executor>> create_reference_executor(std::shared_ptr<const Model> model,
                                                            const ExecutorOptions& options) {
  if (options.precision == Precision::kFp16 || options.precision == Precision::kBf16) {
    return unsupported(str_cat("the reference device computes in fp32 or int8, not ",
                               precision_name(options.precision)));
  }
  YOLOCU_ASSIGN_OR_RETURN(const std::vector<ValueShape> shapes, infer_shapes(model->spec.graph));
  auto executor = std::make_unique<ReferenceExecutor>(std::move(model), options);
  YOLOCU_RETURN_IF_ERROR(executor->load_weights());
  if (options.precision == Precision::kInt8) {
    YOLOCU_RETURN_IF_ERROR(executor->compute_in_int8(shapes));
  }
  executor->prepare(shapes);
  return std::unique_ptr<Executor>(std::move(executor));
}

}  // namespace yolocu

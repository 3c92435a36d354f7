#include "engine/quantize/quantizer.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "engine/base/guard.h"
#include "engine/base/str_cat.h"
#include "engine/executor.h"
#include "engine/quantize/fake_quantizer.h"
#include "engine/quantize/int8_model.h"
#include "engine/quantize/prediction_error.h"
#include "engine/quantize/value_recorder.h"
#include "weights/format/quantization.h"

namespace yolocu::quantize {
namespace {

// A unit and what is known about it.
struct Candidate {
  Int8Unit unit;
  double error = 0, flops = 0;
};

class Quantizer {
 public:
  Quantizer(std::shared_ptr<const Model> model, int64_t pictures, const PictureLoader& load,
            const QuantizeOptions& options)
      : model_(std::move(model)), pictures_(pictures), load_(load), options_(options) {}

  Result<QuantizedModel> run() {
    for (Int8Unit& unit : plan_int8_units(graph())) candidates_.push_back({std::move(unit)});
    if (candidates_.empty()) return invalid_argument("the model has nothing that can be int8");
    const auto count = static_cast<int64_t>(candidates_.size());
    if (options_.keep.value_or(0) > count) {
      return invalid_argument(str_cat("cannot keep ", *options_.keep,
                                      " groups of layers in floating point: there are ", count));
    }
    YOLOCU_RETURN_IF_ERROR(calibrate());
    YOLOCU_RETURN_IF_ERROR(predict_in_float());
    YOLOCU_RETURN_IF_ERROR(count_flops());
    YOLOCU_RETURN_IF_ERROR(order_by_sensitivity());
    return choose();
  }

 private:
  const Graph& graph() const { return model_->spec.graph; }

  Result<std::unique_ptr<Executor>> executor_of(std::shared_ptr<const Model> model,
                                                std::shared_ptr<ValueObserver> observer) const {
    return create_executor(std::move(model), Device::kCpu,
                           {.height = options_.height,
                            .width = options_.width,
                            .precision = Precision::kFp32,
                            .threads = options_.threads,
                            .observer = std::move(observer)});
  }

  // Calibration. ---------------------------------------------------------------------------------

  Status run_all(std::shared_ptr<ValueObserver> observer) const {
    YOLOCU_ASSIGN_OR_RETURN(const auto executor, executor_of(model_, std::move(observer)));
    for (int64_t i = 0; i < pictures_; ++i) {
      YOLOCU_RETURN_IF_ERROR(load_(i, executor->input()));
      YOLOCU_RETURN_IF_ERROR(executor->run());
    }
    return {};
  }

  Status calibrate() {
    const auto ranges = std::make_shared<RangeRecorder>(graph().nodes.size());
    YOLOCU_RETURN_IF_ERROR(run_all(ranges));
    const auto recorder = std::make_shared<HistogramRecorder>(ranges->ranges());
    YOLOCU_RETURN_IF_ERROR(run_all(recorder));
    for (const Histogram& histogram : recorder->histograms()) {
      cut_offs_.push_back(cut_off(histogram, options_.calibration));
    }
    return {};
  }

  // Errors. --------------------------------------------------------------------------------------

  // Inputs and outputs of the pictures that errors are measured on.
  Status predict_in_float() {
    YOLOCU_ASSIGN_OR_RETURN(const auto executor, executor_of(model_, nullptr));
    report_.height = executor->height();
    report_.width = executor->width();
    const int64_t count = std::min(options_.error_pictures, pictures_);
    for (int64_t i = 0; i < count; ++i) {
      YOLOCU_RETURN_IF_ERROR(load_(i * pictures_ / count, executor->input()));
      inputs_.emplace_back(executor->input().begin(), executor->input().end());
      YOLOCU_RETURN_IF_ERROR(executor->run());
      expected_.emplace_back(executor->output().begin(), executor->output().end());
    }
    return {};
  }

  Result<double> error_of(std::span<const Int8Unit> units) const {
    if (units.empty()) return 0.0;
    YOLOCU_ASSIGN_OR_RETURN(const auto model, make_int8_model(model_, units, cut_offs_));
    YOLOCU_ASSIGN_OR_RETURN(auto observer, FakeQuantizer::create(*model));
    YOLOCU_ASSIGN_OR_RETURN(const auto executor, executor_of(model, std::move(observer)));
    PredictionError error;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      std::copy(inputs_[i].begin(), inputs_[i].end(), executor->input().begin());
      YOLOCU_RETURN_IF_ERROR(executor->run());
      error.add(expected_[i], executor->output(), graph().nodes.back().op, executor->row());
    }
    return error.relative_error();
  }

  Status count_flops() {
    YOLOCU_ASSIGN_OR_RETURN(const auto shapes, infer_shapes(graph()));
    report_.flops = conv_flops(graph(), shapes, report_.height, report_.width);
    for (Candidate& candidate : candidates_) {
      for (const int node : candidate.unit.convolutions) {
        candidate.flops += conv_node_flops(graph(), shapes, static_cast<size_t>(node),
                                           report_.height, report_.width);
      }
    }
    return {};
  }

  Status order_by_sensitivity() {
    for (Candidate& candidate : candidates_) {
      YOLOCU_ASSIGN_OR_RETURN(candidate.error, error_of({&candidate.unit, 1}));
    }
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) {
                       return a.error / a.flops > b.error / b.flops;
                     });
    return {};
  }

  // Choice. --------------------------------------------------------------------------------------

  std::vector<Int8Unit> all_but_first(size_t keep) const {
    std::vector<Int8Unit> units;
    for (size_t i = keep; i < candidates_.size(); ++i) units.push_back(candidates_[i].unit);
    return units;
  }

  size_t most_to_keep() const {
    size_t keep = 0;
    double flops = 0;
    for (; keep < candidates_.size(); ++keep) {
      flops += candidates_[keep].flops;
      if (flops > options_.max_float * report_.flops) break;
    }
    return keep;
  }

  // Bisection: the error falls with every unit that stays floating point, nearly always.
  Result<size_t> fewest_to_keep() {
    if (report_.error_of_all <= options_.max_error) return size_t{0};
    size_t too_few = 0, enough = most_to_keep();
    YOLOCU_ASSIGN_OR_RETURN(const double least, error_of(all_but_first(enough)));
    if (least > options_.max_error) return enough;
    while (enough - too_few > 1) {
      const size_t keep = (too_few + enough) / 2;
      YOLOCU_ASSIGN_OR_RETURN(const double error, error_of(all_but_first(keep)));
      (error <= options_.max_error ? enough : too_few) = keep;
    }
    return enough;
  }

  Result<QuantizedModel> choose() {
    YOLOCU_ASSIGN_OR_RETURN(report_.error_of_all, error_of(all_but_first(0)));
    auto keep = static_cast<size_t>(options_.keep.value_or(0));
    if (!options_.keep) {
      YOLOCU_ASSIGN_OR_RETURN(keep, fewest_to_keep());
    }
    const std::vector<Int8Unit> units = all_but_first(keep);
    YOLOCU_ASSIGN_OR_RETURN(report_.error, error_of(units));
    YOLOCU_ASSIGN_OR_RETURN(auto model, make_int8_model(model_, units, cut_offs_));
    fill_report(keep);
    return QuantizedModel{std::move(model), std::move(report_)};
  }

  void fill_report(size_t keep) {
    std::vector<bool> can_be_int8(graph().nodes.size());
    for (size_t i = 0; i < candidates_.size(); ++i) {
      const Candidate& c = candidates_[i];
      report_.units.push_back({c.unit.convolutions, c.error, c.flops, i >= keep});
      if (i >= keep) report_.int8_flops += c.flops;
      for (const int node : c.unit.convolutions) can_be_int8[static_cast<size_t>(node)] = true;
    }
    for (size_t i = 0; i < graph().nodes.size(); ++i) {
      if (std::holds_alternative<ConvOp>(graph().nodes[i].op) && !can_be_int8[i]) {
        report_.fixed_in_float.push_back(static_cast<int>(i));
      }
    }
  }

  std::shared_ptr<const Model> model_;
  int64_t pictures_;
  const PictureLoader& load_;
  QuantizeOptions options_;
  std::vector<Candidate> candidates_;
  std::vector<float> cut_offs_;  // by node
  std::vector<std::vector<float>> inputs_, expected_;
  QuantizeReport report_;
};

}  // namespace

Result<QuantizedModel> quantize_model(std::shared_ptr<const Model> model, int64_t pictures,
                                      const PictureLoader& load, const QuantizeOptions& options) {
  if (pictures < 1) return invalid_argument("no pictures to calibrate with");
  if (is_quantized(model->spec.graph)) {
    return invalid_argument("the model is quantized already; quantize the one that it came from");
  }
  return guarded([&] { return Quantizer(std::move(model), pictures, load, options).run(); });
}

}  // namespace yolocu::quantize

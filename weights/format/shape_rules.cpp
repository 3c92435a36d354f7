// infer_shape: one rule an op.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "engine/base/str_cat.h"
#include "weights/format/graph.h"

namespace yolocu {
namespace {

constexpr int64_t kMaxChannels = 65536;
constexpr int64_t kMaxKernel = 64;

bool in_range(int64_t value, int64_t low, int64_t high) {
  return low <= value && value <= high;
}

ValueShape feature_map(int64_t channels, Extent extent) {
  return {ValueShape::Kind::kFeatureMap, channels, extent};
}

// (in + 2 padding - kernel) / stride + 1 for every `in` = full / divisor + offset with `full` a
// multiple of divisor * stride; the division rounds down.
Result<Extent> window_extent(Extent in, int64_t kernel, int64_t stride, int64_t padding) {
  const int64_t divisor = in.divisor * stride;
  if (divisor > kMaxTotalStride) return invalid_argument(str_cat("total stride ", divisor));
  const int64_t numerator = in.offset + 2 * padding - kernel;
  const int64_t floored =
      numerator >= 0 ? numerator / stride : -((-numerator + stride - 1) / stride);
  const Extent out{divisor, floored + 1};
  // Whether the map vanishes depends on the input size: check_input_size looks at that.
  if (!in_range(out.offset, -kMaxKernel, kMaxKernel)) {
    return invalid_argument(str_cat("extent H/", divisor, " + ", out.offset));
  }
  return out;
}

// One shape rule per op. `in` holds the operands' shapes, all feature maps.
struct ShapeRule {
  std::span<const ValueShape> in;

  Result<ValueShape> operator()(const InputOp& op) const {
    if (op.channels != 3)
      return invalid_argument(str_cat("channels: expected 3, got ", op.channels));
    return feature_map(op.channels, {});
  }

  Result<ValueShape> operator()(const ConvOp& op) const {
    if (!in_range(op.kernel, 1, kMaxKernel) || !in_range(op.stride, 1, kMaxKernel) ||
        !in_range(op.padding, 0, kMaxKernel)) {
      return invalid_argument(str_cat("kernel ", op.kernel, ", stride ", op.stride, ", padding ",
                                      op.padding, " out of range"));
    }
    if (!in_range(op.out_channels, 1, kMaxChannels)) {
      return invalid_argument(str_cat("out_channels ", op.out_channels, " out of range"));
    }
    if (op.groups < 1 || in[0].channels % op.groups != 0 || op.out_channels % op.groups != 0) {
      return invalid_argument(str_cat("groups ", op.groups, " does not divide ", in[0].channels,
                                      " input and ", op.out_channels, " output channels"));
    }
    if (op.weight.empty()) return invalid_argument("no weight tensor");
    if (!std::isfinite(op.negative_slope)) return invalid_argument("negative_slope is not finite");
    YOLOCU_ASSIGN_OR_RETURN(const Extent extent,
                            window_extent(in[0].extent, op.kernel, op.stride, op.padding));
    return feature_map(op.out_channels, extent);
  }

  Result<ValueShape> operator()(const MaxPoolOp& op) const {
    if (!in_range(op.kernel, 1, kMaxKernel) || !in_range(op.stride, 1, kMaxKernel) ||
        !in_range(op.padding, 0, op.kernel / 2)) {
      return invalid_argument(str_cat("kernel ", op.kernel, ", stride ", op.stride, ", padding ",
                                      op.padding, " out of range"));
    }
    YOLOCU_ASSIGN_OR_RETURN(const Extent extent,
                            window_extent(in[0].extent, op.kernel, op.stride, op.padding));
    return feature_map(in[0].channels, extent);
  }

  Result<ValueShape> operator()(const AvgPoolOp& op) const {
    if (!in_range(op.kernel, 1, kMaxKernel) || !in_range(op.stride, 1, kMaxKernel)) {
      return invalid_argument(
          str_cat("kernel ", op.kernel, ", stride ", op.stride, " out of range"));
    }
    YOLOCU_ASSIGN_OR_RETURN(const Extent extent,
                            window_extent(in[0].extent, op.kernel, op.stride, 0));
    return feature_map(in[0].channels, extent);
  }

  Result<ValueShape> operator()(const UpsampleOp& op) const {
    const Extent from = in[0].extent;
    if (!in_range(op.factor, 2, kMaxTotalStride) || from.divisor % op.factor != 0) {
      return invalid_argument(str_cat("factor ", op.factor, " on a map of stride ", from.divisor));
    }
    return feature_map(in[0].channels, {from.divisor / op.factor, from.offset * op.factor});
  }

  Result<ValueShape> operator()(const ConcatOp&) const {
    int64_t channels = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      if (in[i].extent != in[0].extent) {
        return invalid_argument(str_cat("operand ", i, " has stride ", in[i].extent.divisor,
                                        ", operand 0 has ", in[0].extent.divisor));
      }
      channels += in[i].channels;
    }
    if (channels > kMaxChannels) return invalid_argument(str_cat(channels, " channels"));
    return feature_map(channels, in[0].extent);
  }

  Result<ValueShape> operator()(const AddOp&) const {
    for (size_t i = 1; i < in.size(); ++i) {
      if (in[i] != in[0]) {
        return invalid_argument(str_cat(
            "operand ", i, " has ", in[i].channels, " channels at stride ", in[i].extent.divisor,
            ", operand 0 has ", in[0].channels, " at ", in[0].extent.divisor));
      }
    }
    return in[0];
  }

  Result<ValueShape> operator()(const SliceOp& op) const {
    if (op.begin < 0 || op.channels < 1 || op.begin > in[0].channels - op.channels) {
      return invalid_argument(
          str_cat(op.channels, " channels from ", op.begin, " of ", in[0].channels));
    }
    return feature_map(op.channels, in[0].extent);
  }

  Result<ValueShape> operator()(const SpaceToDepthOp&) const {
    const Extent from = in[0].extent;
    if (from.offset % 2 != 0 || from.divisor * 2 > kMaxTotalStride) {
      return invalid_argument("needs an even extent");
    }
    if (in[0].channels * 4 > kMaxChannels) return invalid_argument("too many channels");
    return feature_map(in[0].channels * 4, {from.divisor * 2, from.offset / 2});
  }

  Result<ValueShape> operator()(const DecodeDflOp& op) const {
    YOLOCU_RETURN_IF_ERROR(check_levels(op.strides, in.size(), 2));
    if (!in_range(op.classes, 1, kMaxChannels - 5)) {
      return invalid_argument(str_cat("classes ", op.classes, " out of range"));
    }
    if (!in_range(op.bins, 1, 256)) return invalid_argument(str_cat("bins ", op.bins));
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const ValueShape& box = in[2 * level];
      const ValueShape& cls = in[2 * level + 1];
      YOLOCU_RETURN_IF_ERROR(check_head(box, 4 * op.bins, op.strides[level]));
      YOLOCU_RETURN_IF_ERROR(check_head(cls, op.classes, op.strides[level]));
    }
    return ValueShape{ValueShape::Kind::kPredictions, 4 + op.classes, {}};
  }

  Result<ValueShape> operator()(const DecodeAnchorOp& op) const {
    YOLOCU_RETURN_IF_ERROR(check_levels(op.strides, in.size(), 1));
    if (!in_range(op.classes, 1, kMaxChannels - 5)) {
      return invalid_argument(str_cat("classes ", op.classes, " out of range"));
    }
    if (op.anchors.size() != op.strides.size()) {
      return invalid_argument(
          str_cat(op.anchors.size(), " anchor lists for ", op.strides.size(), " levels"));
    }
    for (size_t level = 0; level < op.strides.size(); ++level) {
      const std::vector<float>& anchors = op.anchors[level];
      const auto positive = [](float v) { return std::isfinite(v) && v > 0; };
      if (anchors.empty() || anchors.size() > 32 || anchors.size() % 2 != 0 ||
          !std::all_of(anchors.begin(), anchors.end(), positive)) {
        return invalid_argument(str_cat("anchors of level ", level, " are not pairs of sizes"));
      }
      const auto count = static_cast<int64_t>(anchors.size() / 2);
      YOLOCU_RETURN_IF_ERROR(check_head(in[level], count * (5 + op.classes), op.strides[level]));
    }
    return ValueShape{ValueShape::Kind::kPredictions, 5 + op.classes, {}};
  }

 private:
  static Status check_levels(const std::vector<float>& strides, size_t inputs, size_t per_level) {
    if (strides.empty() || strides.size() > 16 || inputs != strides.size() * per_level) {
      return invalid_argument(str_cat(inputs, " operands for ", strides.size(), " strides"));
    }
    return {};
  }

  static Status check_head(const ValueShape& head, int64_t channels, float stride) {
    if (head.channels != channels) {
      return invalid_argument(
          str_cat("expected a head of ", channels, " channels, got ", head.channels));
    }
    if (head.extent.offset != 0 || static_cast<float>(head.extent.divisor) != stride) {
      return invalid_argument(str_cat("expected a head of stride ", stride, ", got H/",
                                      head.extent.divisor, " + ", head.extent.offset));
    }
    return {};
  }
};

struct OperandRange {
  size_t low, high;
};

OperandRange operand_range(const Op& op) {
  if (std::holds_alternative<InputOp>(op)) return {0, 0};
  if (std::holds_alternative<AddOp>(op)) return {2, 64};
  if (std::holds_alternative<ConcatOp>(op)) return {1, 64};
  if (std::holds_alternative<DecodeDflOp>(op)) return {2, 32};
  if (std::holds_alternative<DecodeAnchorOp>(op)) return {1, 16};
  return {1, 1};
}

}  // namespace

Result<ValueShape> infer_shape(const Op& op, std::span<const ValueShape> operands) {
  const OperandRange range = operand_range(op);
  if (operands.size() < range.low || operands.size() > range.high) {
    return invalid_argument(str_cat(operands.size(), " operands, expected ", range.low,
                                    range.low == range.high ? "" : str_cat(" to ", range.high)));
  }
  return std::visit(ShapeRule{operands}, op);
}

}  // namespace yolocu

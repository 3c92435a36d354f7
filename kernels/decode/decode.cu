// Instantiation and dispatch of the variants in variants.inc.
#include <string>

#include "engine/base/str_cat.h"
#include "kernels/channel_vector.cuh"
#include "kernels/decode/decode.h"
#include "kernels/decode/decode_candidates_kernel.cuh"
#include "kernels/decode/decode_predictions_kernel.cuh"
#include "kernels/decode/tile.h"
#include "kernels/kernel_table.h"

namespace yolocu {
inline namespace YOLOCU_TARGET {
namespace {

template <typename T, DecodeHead kHead>
Status launch_predictions(const PredictionTensors& tensors, const DecodeProblem& problem,
                          std::string_view name, Stream stream) {
  LaunchConfig config = decode_launch(problem);
  config.stream = stream;
  const PredictionArguments target = {.predictions = device::GlobalPtr(tensors.predictions),
                                      .row = static_cast<int32_t>(problem.row()),
                                      .objectness = problem.objectness};
  return launch(named_kernel(name, decode_predictions_kernel<T, kHead>), config,
                decode_arguments<T>(tensors.heads, problem), target);
}

Status launch_clear(const CandidateTensors& tensors, const DecodeProblem& problem, Stream stream) {
  const int64_t blocks = (problem.batch + kDecodeThreads - 1) / kDecodeThreads;
  return launch(named_kernel("decode: clear counts", decode_clear_kernel),
                {.grid = {blocks}, .block = {kDecodeThreads}, .stream = stream},
                device::GlobalPtr(tensors.lists.counts), static_cast<int32_t>(problem.batch));
}

template <typename T, DecodeHead kHead>
Status launch_candidates(const CandidateTensors& tensors, const DecodeProblem& problem,
                         const CandidateRule& rule, std::string_view name, Stream stream) {
  LaunchConfig config = decode_launch(problem);
  config.stream = stream;
  const DecodeArguments<T> arguments = decode_arguments<T>(tensors.heads, problem);
  const CandidateArguments target = candidate_arguments(tensors, rule);
  YOLOCU_RETURN_IF_ERROR(launch_clear(tensors, problem, stream));
  YOLOCU_RETURN_IF_ERROR(
      launch(named_kernel(name, decode_candidates_kernel<T, kHead>), config, arguments, target));
  const std::string excess = str_cat(name, ": excess");
  return launch(named_kernel(excess, decode_excess_kernel<T, kHead>),
                {.grid = {problem.batch},
                 .block = {kDecodeExcessThreads},
                 .shared_bytes = kDecodeExcessBytes,
                 .stream = stream},
                arguments, target);
}

}  // namespace

Status decode_predictions(const PredictionTensors& tensors, const DecodeProblem& problem,
                          const DecodeVariant& variant, Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  YOLOCU_RETURN_IF_ERROR(check_tensors(tensors, problem));
#define VARIANT(variant_name, head, dtype)                                     \
  if (variant.name == #variant_name) {                                         \
    return launch_predictions<NumberOf<DType::dtype>::Type, DecodeHead::head>( \
        tensors, problem, variant.name, stream);                               \
  }
#include "kernels/decode/variants.inc"
#undef VARIANT
  return invalid_argument(str_cat("decode: no variant is called ", variant.name));
}

Status decode_candidates(const CandidateTensors& tensors, const DecodeProblem& problem,
                         const CandidateRule& rule, const DecodeVariant& variant, Stream stream) {
  YOLOCU_RETURN_IF_ERROR(can_implement(variant, problem));
  YOLOCU_RETURN_IF_ERROR(check_rule(rule));
  YOLOCU_RETURN_IF_ERROR(check_tensors(tensors, problem));
#define VARIANT(variant_name, head, dtype)                                    \
  if (variant.name == #variant_name) {                                        \
    return launch_candidates<NumberOf<DType::dtype>::Type, DecodeHead::head>( \
        tensors, problem, rule, variant.name, stream);                        \
  }
#include "kernels/decode/variants.inc"
#undef VARIANT
  return invalid_argument(str_cat("decode: no variant is called ", variant.name));
}

}  // namespace YOLOCU_TARGET
}  // namespace yolocu

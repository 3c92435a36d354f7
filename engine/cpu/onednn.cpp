#include "engine/cpu/onednn.h"

#include <array>
#include <utility>

#include "engine/base/str_cat.h"

namespace yolocu::cpu {
namespace {

using dnnl::memory;
using Dims = memory::dims;
using Tag = memory::format_tag;

constexpr memory::data_type kF32 = memory::data_type::f32;

Tag feature_map_tag(SourceOrder order) {
  if (order == SourceOrder::kPixels) return Tag::nhwc;
  return OneDnn::preferred_block() == 16 ? Tag::nChw16c : Tag::nChw8c;
}

// The post-ops of a convolution: activation, then the residual sum. A sum post-op after an
// activation is left to the reference implementation by oneDNN 2.6, a binary one is not.
dnnl::post_ops conv_post_ops(const ConvProblem& p, const memory::desc& destination) {
  dnnl::post_ops ops;
  const auto append = [&ops](dnnl::algorithm algorithm, float alpha) {
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(algorithm, alpha, 0.0f);
#else
    ops.append_eltwise(1.0f, algorithm, alpha, 0.0f);
#endif
  };
  switch (p.activation) {
    case Activation::kNone: break;
    case Activation::kSilu: append(dnnl::algorithm::eltwise_swish, 1.0f); break;
    case Activation::kLeakyRelu: append(dnnl::algorithm::eltwise_relu, p.negative_slope); break;
    case Activation::kRelu: append(dnnl::algorithm::eltwise_relu, 0.0f); break;
  }
  if (p.residual == Residual::kAdd) ops.append_binary(dnnl::algorithm::binary_add, destination);
  return ops;
}

Dims weight_dims(const ConvProblem& p) {
  const int64_t k = p.out_channels / p.groups;
  const int64_t c = p.in_channels / p.groups;
  if (p.groups == 1) return {k, c, p.kernel, p.kernel};
  return {p.groups, k, c, p.kernel, p.kernel};
}

// Bottom and right padding that the output size leaves; negative where rows stay unused.
int64_t end_padding(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding) {
  return (out - 1) * stride + kernel - in - padding;
}

// weight_tag: Tag::any lets oneDNN choose.
dnnl::convolution_forward::primitive_desc conv_primitive(const dnnl::engine& engine,
                                                         const ConvProblem& p, Tag weight_tag) {
  const bool pixels = p.source == SourceOrder::kPixels;
  const memory::desc source({1, p.in_channels, p.in_height, p.in_width}, kF32,
                            feature_map_tag(p.source));
  // One block of channels is the same bytes as NHWC, and oneDNN does not mix the two orders.
  const memory::desc destination({1, p.out_channels, p.out_height, p.out_width}, kF32,
                                 pixels ? Tag::nhwc : feature_map_tag(SourceOrder::kBlocked));
  const memory::desc weights(weight_dims(p), kF32, weight_tag);
  const memory::desc bias({p.out_channels}, kF32, Tag::x);
  const Dims strides = {p.stride, p.stride};
  const Dims begin = {p.padding, p.padding};
  const Dims end = {end_padding(p.in_height, p.out_height, p.kernel, p.stride, p.padding),
                    end_padding(p.in_width, p.out_width, p.kernel, p.stride, p.padding)};
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(conv_post_ops(p, destination));
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  constexpr auto kInference = dnnl::prop_kind::forward_inference;
  constexpr auto kDirect = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,      kInference, kDirect, source, weights,   bias,
          destination, strides,    begin,   end,    attributes};
#else
  return {{kInference, kDirect, source, weights, bias, destination, strides, begin, end},
          attributes,
          engine};
#endif
}

dnnl::pooling_forward::primitive_desc pool_primitive(const dnnl::engine& engine,
                                                     const PoolProblem& p) {
  const Tag tag = feature_map_tag(SourceOrder::kBlocked);
  const memory::desc source({1, p.channels, p.in_height, p.in_width}, kF32, tag);
  const memory::desc destination({1, p.channels, p.out_height, p.out_width}, kF32, tag);
  const Dims strides = {p.stride, p.stride};
  const Dims kernel = {p.kernel, p.kernel};
  const Dims begin = {p.padding, p.padding};
  const Dims end = {end_padding(p.in_height, p.out_height, p.kernel, p.stride, p.padding),
                    end_padding(p.in_width, p.out_width, p.kernel, p.stride, p.padding)};
  const auto algorithm = p.kind == PoolKind::kMax ? dnnl::algorithm::pooling_max
                                                  : dnnl::algorithm::pooling_avg_exclude_padding;
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  constexpr auto kInference = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  const Dims dilation = {0, 0};
  return {engine, kInference, algorithm, source, destination, strides,
          kernel, dilation,   begin,     end,    attributes};
#else
  return {{kInference, algorithm, source, destination, strides, kernel, begin, end},
          attributes,
          engine};
#endif
}

struct NamedOrder {
  Tag tag;
  WeightOrder order;
};

// The orders in which oneDNN's jit convolutions want their weights, for blocks of b channels.
std::array<NamedOrder, 3> known_orders(const ConvProblem& p) {
  const int64_t b = OneDnn::preferred_block();
  const bool wide = b == 16;
  const int64_t k = p.out_channels / p.groups;
  const int64_t c = p.in_channels / p.groups;
  const int64_t window = p.kernel * p.kernel;
  const WeightOrder blocked = {b, k * c * window,   c * window * b, window * b * b,
                               b, p.kernel * b * b, b * b};
  const WeightOrder pixels = {b, k * c * window, c * window * b, b * b, b, p.kernel * c * b, c * b};
  const WeightOrder depthwise = {b, 0, window * b, 0, 0, p.kernel * b, b};
  if (p.groups == 1) {
    return {{{wide ? Tag::OIhw16i16o : Tag::OIhw8i8o, blocked},
             {wide ? Tag::Ohwi16o : Tag::Ohwi8o, pixels},
             {wide ? Tag::OIhw16i16o : Tag::OIhw8i8o, blocked}}};
  }
  return {{{wide ? Tag::gOIhw16i16o : Tag::gOIhw8i8o, blocked},
           {wide ? Tag::gOhwi16o : Tag::gOhwi8o, pixels},
           {wide ? Tag::Goihw16g : Tag::Goihw8g, depthwise}}};
}

std::optional<WeightOrder> find_weight_order(const ConvProblem& p, const memory::desc& weights) {
  for (const NamedOrder& known : known_orders(p)) {
    if (memory::desc(weight_dims(p), kF32, known.tag) == weights) return known.order;
  }
  return std::nullopt;
}

template <typename PrimitiveDesc>
Result<std::shared_ptr<Kernel>> make_kernel(const PrimitiveDesc& description) {
  auto kernel = std::make_shared<Kernel>();
  kernel->implementation = description.impl_info_str();
  if (is_reference_implementation(kernel->implementation)) {
    return unsupported(str_cat("oneDNN has only '", kernel->implementation, "'"));
  }
  kernel->primitive = dnnl::primitive(description.get());
  kernel->source = description.src_desc();
  kernel->destination = description.dst_desc();
  kernel->scratchpad = description.scratchpad_desc();
  return kernel;
}

Status from_exception(const dnnl::error& error) {
  const std::string what = error.what();
  if (error.status == dnnl_out_of_memory) return resource_exhausted(str_cat("oneDNN: ", what));
  if (error.status == dnnl_unimplemented) return unsupported(str_cat("oneDNN: ", what));
  return unavailable(str_cat("oneDNN: ", what, " (status ", static_cast<int>(error.status), ")"));
}

// A convolution whose weights have the order `tag`; kUnsupported if that is one that we cannot
// write.
Result<std::shared_ptr<const Kernel>> make_convolution_with(const dnnl::engine& engine,
                                                            const ConvProblem& problem, Tag tag) {
  try {
    const auto description = conv_primitive(engine, problem, tag);
    YOLOCU_ASSIGN_OR_RETURN(auto kernel, make_kernel(description));
    const auto order = find_weight_order(problem, description.weights_desc());
    if (!order) {
      return unsupported(str_cat(kernel->implementation, " wants an unknown weight order"));
    }
    kernel->weights = description.weights_desc();
    kernel->bias = description.bias_desc();
    kernel->weight_order = *order;
    kernel->residual_position = problem.activation == Activation::kNone ? 0 : 1;
    kernel->weight_elements = static_cast<int64_t>(kernel->weights.get_size() / sizeof(float));
    return std::shared_ptr<const Kernel>(kernel);
  } catch (const dnnl::error& error) {
    return from_exception(error);
  }
}

// With the order that oneDNN prefers, or if another version prefers one that we do not know, with
// the first of ours that it has a kernel for.
Result<std::shared_ptr<const Kernel>> make_convolution(const dnnl::engine& engine,
                                                       const ConvProblem& problem) {
  auto kernel = make_convolution_with(engine, problem, Tag::any);
  if (kernel.ok() || kernel.status().code() != StatusCode::kUnsupported) return kernel;
  for (const NamedOrder& known : known_orders(problem)) {
    auto other = make_convolution_with(engine, problem, known.tag);
    if (other.ok()) return other;
  }
  return kernel;
}

Result<std::shared_ptr<const Kernel>> make_pooling(const dnnl::engine& engine,
                                                   const PoolProblem& problem) {
  try {
    YOLOCU_ASSIGN_OR_RETURN(auto kernel, make_kernel(pool_primitive(engine, problem)));
    return std::shared_ptr<const Kernel>(kernel);
  } catch (const dnnl::error& error) {
    return from_exception(error);
  }
}

}  // namespace

bool is_reference_implementation(const std::string& name) {
  return name.starts_with("ref");
}

int64_t OneDnn::preferred_block() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  constexpr auto kAvx512 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (isa & kAvx512) == kAvx512 ? 16 : 8;
}

Result<std::unique_ptr<OneDnn>> OneDnn::create() {
  try {
    std::unique_ptr<OneDnn> library(new OneDnn);
    library->engine_ = dnnl::engine(dnnl::engine::kind::cpu, 0);
    library->stream_ = dnnl::stream(library->engine_);
    return library;
  } catch (const dnnl::error& error) {
    return from_exception(error);
  }
}

Result<std::shared_ptr<const Kernel>> OneDnn::convolution(const ConvProblem& problem) {
  auto found = convolutions_.find(problem);
  if (found == convolutions_.end()) {
    found = convolutions_.emplace(problem, make_convolution(engine_, problem)).first;
  }
  return found->second;
}

Result<std::shared_ptr<const Kernel>> OneDnn::pooling(const PoolProblem& problem) {
  auto found = poolings_.find(problem);
  if (found == poolings_.end()) {
    found = poolings_.emplace(problem, make_pooling(engine_, problem)).first;
  }
  return found->second;
}

Result<KernelCall> OneDnn::bind(std::shared_ptr<const Kernel> kernel,
                                const KernelArguments& arguments) {
  KernelCall call;
  const auto add = [&](int name, const memory::desc& description, const void* data) {
    // oneDNN's memory is never const; sources are only read.
    call.memories_.emplace_back(description, engine_, const_cast<void*>(data));
    call.arguments_.push_back({name, call.memories_.back().get()});
  };
  try {
    add(DNNL_ARG_SRC, kernel->source, arguments.source);
    add(DNNL_ARG_DST, kernel->destination, arguments.destination);
    if (arguments.weights != nullptr) add(DNNL_ARG_WEIGHTS, kernel->weights, arguments.weights);
    if (arguments.bias != nullptr) add(DNNL_ARG_BIAS, kernel->bias, arguments.bias);
    if (kernel->scratchpad_bytes() > 0) {
      add(DNNL_ARG_SCRATCHPAD, kernel->scratchpad, arguments.scratchpad);
    }
    if (arguments.residual != nullptr) {
      const int position = kernel->residual_position;
      add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(position) | DNNL_ARG_SRC_1, kernel->destination,
          arguments.residual);
    }
  } catch (const dnnl::error& error) {
    return from_exception(error);
  }
  call.source_ = call.memories_.front();
  call.stream_ = stream_;
  call.kernel_ = std::move(kernel);
  return call;
}

void KernelCall::set_source(const float* source) {
  // Without checks that could fail: the handle of a plain host memory is only stored.
  dnnl_memory_set_data_handle(source_.get(), const_cast<float*>(source));
}

Status KernelCall::run() {
  const dnnl_status_t status =
      dnnl_primitive_execute(kernel_->primitive.get(), stream_.get(),
                             static_cast<int>(arguments_.size()), arguments_.data());
  if (status == dnnl_success) return {};
  return unavailable(str_cat("oneDNN: ", kernel_->implementation, " failed with status ",
                             static_cast<int>(status)));
}

}  // namespace yolocu::cpu

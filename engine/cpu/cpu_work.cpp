#include "engine/cpu/cpu_work.h"

#include "engine/cpu/direct_conv.h"

namespace yolocu::cpu {
namespace {

Status run(KernelWork& work, const PictureJob& job) {
  if (work.source_place == SourcePlace::kPicture) work.call.set_source(job.picture);
  return work.call.run();
}

Status run(DirectConvWork& work, const PictureJob& job) {
  if (work.source_place == SourcePlace::kPicture) work.source.data = job.picture;
  direct_conv(work.destination, work.source, work.residual, work.weights, work.bias, work.problem);
  return {};
}

Status run(const UpsampleWork& work, const PictureJob&) {
  upsample(work.destination, work.source, work.factor);
  return {};
}

Status run(const AddWork& work, const PictureJob&) {
  add(work.destination, work.sources);
  return {};
}

Status run(const CopyWork& work, const PictureJob&) {
  copy(work.destination, work.source);
  return {};
}

Status run(GatherWork& work, const PictureJob& job) {
  if (work.source_place == SourcePlace::kPicture) work.source.data = job.picture;
  gather(work.destination, work.source, work.plan);
  return {};
}

Status run(const DecodeWork& work, const PictureJob& job) {
  if (const auto* dfl = std::get_if<DecodeDflOp>(work.op)) {
    decode_dfl(job.predictions, *dfl, work.heads, 1);
  } else if (const auto* anchor = std::get_if<DecodeAnchorOp>(work.op)) {
    decode_anchor(job.predictions, *anchor, work.heads, 1);
  }
  return {};
}

std::string name(const KernelWork& work) {
  return work.call.implementation();
}
std::string name(const DirectConvWork&) {
  return "direct";
}
std::string name(const UpsampleWork&) {
  return "upsample";
}
std::string name(const AddWork&) {
  return "add";
}
std::string name(const CopyWork&) {
  return "copy";
}
std::string name(const GatherWork&) {
  return "gather";
}
std::string name(const DecodeWork&) {
  return "decode";
}

}  // namespace

Status execute(Work& work, const PictureJob& job) {
  return std::visit([&](auto& w) { return run(w, job); }, work);
}

std::string implementation_name(const Work& work) {
  return std::visit([](const auto& w) { return name(w); }, work);
}

}  // namespace yolocu::cpu

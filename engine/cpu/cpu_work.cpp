#include "engine/cpu/cpu_work.h"

#include <algorithm>

#include "engine/base/str_cat.h"
#include "engine/cpu/plain_conv.h"

namespace yolocu::cpu {
namespace {

void run(ConvWork& work, const PictureJob& job) {
  ConvTask& task = work.task;
  if (work.source_place == SourcePlace::kPicture) {
    task.source = reinterpret_cast<const std::byte*>(job.picture);
  }
  if (work.choice.kernel == nullptr) {
    return plain_conv(*job.team, task, work.choice.algorithm, kernel_table().lanes);
  }
  job.team->run(task.chunks(), [&](int64_t chunk, int thread) {
    work.choice.kernel(task, chunk, job.scratch_of(thread));
  });
}

void run(const PoolWork& work, const PictureJob& job) {
  job.team->run(work.task.chunks(kernel_table().lanes), [&](int64_t chunk, int thread) {
    work.kernel(work.task, chunk, job.scratch_of(thread));
  });
}

void run(const UpsampleWork& work, const PictureJob& job) {
  upsample(*job.team, work.destination, work.source, work.factor);
}

void run(const AddWork& work, const PictureJob& job) {
  constexpr int64_t kPixels = 1024;  // a chunk
  const AddTask& task = work.task;
  const int64_t chunks = (task.pixels + kPixels - 1) / kPixels;
  const KernelTable& kernels = kernel_table();
  job.team->run(task.channels / kernels.lanes * chunks, [&](int64_t i, int) {
    const int64_t begin = i % chunks * kPixels;
    kernels.add(task, i / chunks, begin, std::min(task.pixels, begin + kPixels));
  });
}

void run(const CopyWork& work, const PictureJob& job) {
  copy(*job.team, work.destination, work.source);
}

void run(GatherWork& work, const PictureJob& job) {
  if (work.source_place == SourcePlace::kPicture) {
    work.source.data = reinterpret_cast<std::byte*>(job.picture);
  }
  gather(*job.team, work.destination, work.source, work.plan);
}

void run(const DecodeWork& work, const PictureJob& job) {
  decode(*job.team, work.task, job.output, job.scratch, job.scratch_bytes);
}

std::string name(const ConvWork& work) {
  const std::string algorithm = algorithm_name(work.choice.algorithm);
  if (work.choice.kernel == nullptr) return algorithm;
  return str_cat(algorithm, " ", kernel_table().name);
}
std::string name(const PoolWork&) {
  return "pool";
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

void execute(Work& work, const PictureJob& job) {
  std::visit([&](auto& w) { run(w, job); }, work);
}

std::string implementation_name(const Work& work) {
  return std::visit([](const auto& w) { return name(w); }, work);
}

}  // namespace yolocu::cpu

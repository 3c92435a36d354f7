#include "kernels/emulation/report.h"

#include "engine/base/str_cat.h"

namespace yolocu::emulation {

std::string index_text(const Index3& index) {
  return str_cat("(", index.x, ",", index.y, ",", index.z, ")");
}

std::string place_text(CallSite site) {
  constexpr std::string_view kThisFile = __FILE__;
  constexpr std::string_view kThisPath = "kernels/emulation/report.cpp";
  constexpr std::string_view kRoot = kThisFile.substr(0, kThisFile.size() - kThisPath.size());
  const std::string_view file = site.file == nullptr ? "?" : site.file;
  return str_cat(file.substr(file.starts_with(kRoot) ? kRoot.size() : 0), ":", site.line);
}

std::string violation_text(std::string_view kernel, const Violation& violation) {
  return str_cat("kernel ", kernel, ", block ", index_text(violation.block), ", thread ",
                 index_text(violation.thread), " at ", place_text(violation.site), ": ",
                 violation.what);
}

}  // namespace yolocu::emulation

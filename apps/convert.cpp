#include "weights/import/convert.h"

#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/model_source.h"
#include "apps/verify.h"
#include "engine/base/str_cat.h"
#include "weights/format/packed_file.h"

namespace yolocu {
namespace {

// A checkpoint saved after fusing has nothing left to fold.
std::string folding_text(const ConvertReport& report) {
  if (report.folded_batch_norms + report.fused_rep_convs + report.folded_implicit == 0) {
    return "folded already";
  }
  std::string text = str_cat(report.folded_batch_norms, " batch norms folded, ",
                             report.fused_rep_convs, " RepConvs fused");
  if (report.folded_implicit > 0) {
    text += str_cat(", implicit knowledge of ", report.folded_implicit, " levels folded");
  }
  return text;
}

std::string report_text(const ConvertedModel& converted, const std::string& path) {
  const ModelSummary summary = summarize(converted.model);
  const ConvertReport& report = converted.report;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  const std::string size = error ? "" : fixed(static_cast<double>(bytes) / 1e6, 1) + " MB, ";
  return str_cat(one_line(path), ": ", one_line(converted.model.spec.architecture), ", ",
                 summary.layers, " layers, ", quantity(summary.parameters), " parameters (",
                 summary.weight_types, "), ", class_count(converted.model.spec), " classes, ", size,
                 "from ", report.dialect, ": ", folding_text(report), ", head ", report.head, ", ",
                 report.dropped_nodes, " nodes dropped\n");
}

// What `info` tells of the conversion: the keys of FORMAT.md.
PackedNotes notes_of(const ConvertReport& report, HeadBranch branch) {
  return {{"conversion.dialect", report.dialect},
          {"conversion.head", report.head},
          {"conversion.branch", branch == HeadBranch::kMain ? "main" : "auxiliary"},
          {"conversion.folded", folding_text(report)},
          {"conversion.dropped_nodes", std::to_string(report.dropped_nodes)}};
}

ConvertOptions options_of(const ConvertArguments& arguments) {
  ConvertOptions options;
  options.weight_dtype = arguments.dtype;
  options.input_size = arguments.size;
  options.branch = arguments.branch;
  options.architecture = arguments.architecture;
  return options;
}

Result<ConvertedModel> make_model(const ConvertArguments& arguments) {
  const ConvertOptions options = options_of(arguments);
  if (arguments.seed) return make_synthetic_model(static_cast<uint64_t>(*arguments.seed), options);
  return convert_checkpoint(arguments.checkpoint, options);
}

Status convert(const ConvertArguments& arguments) {
  std::error_code error;
  if (std::filesystem::equivalent(arguments.checkpoint, arguments.output, error)) {
    return invalid_argument(arguments.output + ": the output would replace the checkpoint");
  }
  std::string verified;
  if (arguments.verification == Verification::kOn) {
    YOLOCU_ASSIGN_OR_RETURN(verified, verify_folding(arguments.checkpoint, options_of(arguments)));
    verified = one_line(arguments.output) + ": " + verified + "\n";
  }
  YOLOCU_ASSIGN_OR_RETURN(const ConvertedModel converted, make_model(arguments));
  YOLOCU_RETURN_IF_ERROR(write_packed_file(converted.model, arguments.output,
                                           notes_of(converted.report, arguments.branch)));
  return print(report_text(converted, arguments.output) + verified);
}

}  // namespace

int convert_command(const ConvertArguments& arguments) {
  return report(convert(arguments));
}

}  // namespace yolocu

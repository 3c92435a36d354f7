#include "apps/commands.h"
#include "apps/console.h"
#include "apps/model_source.h"
#include "engine/base/str_cat.h"
#include "weights/export/onnx_export.h"
#include "weights/format/file_io.h"
#include "weights/format/quantization.h"

namespace yolocu {
namespace {

Status export_model(const ExportOnnxArguments& arguments) {
  YOLOCU_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, open_model(arguments.model));
  YOLOCU_ASSIGN_OR_RETURN(model, dequantized(std::move(model)));
  const Result<OnnxFile> file = export_onnx(
      *model,
      {.batch = arguments.batch, .height = arguments.size.height, .width = arguments.size.width});
  if (!file.ok()) return file.status().with_context(model_label(arguments.model));
  YOLOCU_RETURN_IF_ERROR(write_file(arguments.output, std::as_bytes(std::span(file->bytes))));
  return print(str_cat(one_line(arguments.output), ": images [", arguments.batch, ", 3, ",
                       file->height, ", ", file->width, "] to predictions [", arguments.batch, ", ",
                       file->anchors, ", ", file->row, "], ONNX opset 17, fp32\n"));
}

}  // namespace

int export_onnx_command(const ExportOnnxArguments& arguments) {
  return report(export_model(arguments));
}

}  // namespace yolocu

#include "bench/kernels/networks.h"

#include <filesystem>
#include <utility>

#include "weights/format/packed_file.h"
#include "weights/import/arch/architecture.h"
#include "weights/import/arch/build.h"
#include "weights/import/arch/tensor_source.h"
#include "weights/import/lowering.h"

namespace yolocu::bench {

Result<Network> architecture_network(const std::string& name) {
  YOLOCU_ASSIGN_OR_RETURN(const Architecture* const architecture, find_architecture(name));
  ZeroSource zeros;
  YOLOCU_ASSIGN_OR_RETURN(const Checkpoint checkpoint, build_checkpoint(*architecture, zeros));
  Lowering lowering;
  lowering.builder = GraphBuilder(DType::kF16);
  YOLOCU_RETURN_IF_ERROR(lower_model(lowering, checkpoint.model));
  lowering.builder.drop_unreachable();
  YOLOCU_ASSIGN_OR_RETURN(Model model, std::move(lowering.builder).finish());
  Network network{name, std::move(model.spec)};
  YOLOCU_ASSIGN_OR_RETURN(const auto shapes, infer_shapes(network.spec.graph));
  network.spec.input_size = graph_stride(shapes) < 64 ? 640 : 1280;
  return network;
}

Result<Network> packed_network(const std::string& path) {
  YOLOCU_ASSIGN_OR_RETURN(const auto model, open_packed_file(path));
  return Network{std::filesystem::path(path).stem().string(), model->spec};
}

const std::vector<std::string>& default_networks() {
  static const std::vector<std::string> names = {"gelan-t", "gelan-c",     "gelan-e",
                                                 "yolov7",  "yolov7-tiny", "yolov7-w6"};
  return names;
}

}  // namespace yolocu::bench

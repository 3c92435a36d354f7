#include "weights/import/arch/tensor_source.h"

#include <utility>

namespace yolocu {

Result<std::shared_ptr<const ImportedTensor>> ZeroSource::take(const std::string&,
                                                               const std::vector<Dim>& shape) {
  ImportedTensor tensor;
  size_t count = 1;
  for (const Dim& dim : shape) {
    tensor.shape.push_back(dim.extent);
    count *= static_cast<size_t>(dim.extent);
  }
  tensor.values.assign(count, 0.0f);
  return std::make_shared<const ImportedTensor>(std::move(tensor));
}

}  // namespace yolocu

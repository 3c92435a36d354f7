// Tables of text.
#pragma once

#include <string>
#include <vector>

namespace yolocu {

using TableRow = std::vector<std::string>;

enum class Align : uint8_t { kLeft, kRight };

// Rows of as many cells as there are columns, the first one the head, each column as wide as its
// widest cell. Cells pass one_line().
std::string text_table(const std::vector<TableRow>& rows, const std::vector<Align>& columns);

}  // namespace yolocu

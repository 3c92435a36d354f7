#include "apps/text_table.h"

#include <algorithm>

#include "apps/console.h"

namespace yolocu {

std::string text_table(const std::vector<TableRow>& rows, const std::vector<Align>& columns) {
  std::vector<TableRow> clean = rows;
  std::vector<size_t> widths(columns.size(), 0);
  for (TableRow& row : clean) {
    for (size_t i = 0; i < columns.size(); ++i) {
      row[i] = one_line(row[i]);
      widths[i] = std::max(widths[i], character_count(row[i]));
    }
  }
  std::string text;
  for (const TableRow& row : clean) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      const std::string room(widths[i] - character_count(row[i]), ' ');
      line += columns[i] == Align::kLeft ? row[i] + room : room + row[i];
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace yolocu

#include "apps/plan_table.h"

#include "apps/console.h"
#include "apps/text_table.h"
#include "engine/base/str_cat.h"

namespace yolocu {
namespace {

std::string megabytes(int64_t bytes) {
  return fixed(static_cast<double>(bytes) / 1e6, 2) + " MB";
}

std::string totals(const PlanReport& report) {
  std::string text = str_cat("plan for ", one_line(report.device), "\n");
  const auto line = [&](std::string_view key, const std::string& value) {
    text += "  " + padded(key, 14) + value + "\n";
  };
  std::string arena = megabytes(report.arena_bytes);
  if (report.arena_bound_bytes > 0) {
    arena = str_cat(report.arena_bytes, " bytes, ",
                    fixed(static_cast<double>(report.arena_bytes) /
                              static_cast<double>(report.arena_bound_bytes),
                          3),
                    " x the most that is alive at once");
  }
  line("arena", arena);
  if (report.launches == 0) return text;
  line("launches", std::to_string(report.launches));
  line("moved", str_cat(report.moved_bytes, " bytes of operands and results"));
  line("convolutions", fixed(report.flops / 1e9, 2) + " GFLOPs");
  return text;
}

TableRow row_of(const PlanStep& step) {
  TableRow row = {step.node, step.implementation, step.tile, step.grid, "", "", ""};
  if (step.bytes > 0) row[4] = std::to_string(step.bytes);
  if (step.flops > 0) row[5] = fixed(step.flops / 1e6, 1);
  if (step.arena_offset >= 0) row[6] = std::to_string(step.arena_offset);
  return row;
}

}  // namespace

std::string plan_table(const PlanReport& report) {
  std::vector<TableRow> rows = {
      {"layer", "kernel", "tile", "grid", "bytes", "MFLOPs", "arena offset"}};
  for (const PlanStep& step : report.steps) rows.push_back(row_of(step));
  return "\n" + totals(report) + "\n" +
         text_table(rows, {Align::kLeft, Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight,
                           Align::kRight, Align::kRight});
}

}  // namespace yolocu

// A plan as a table.
#pragma once

#include <string>

#include "engine/plan_report.h"

namespace yolocu {

// Totals, then a line each launch and each node without one.
std::string plan_table(const PlanReport& report);

}  // namespace yolocu

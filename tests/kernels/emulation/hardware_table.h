// Tables of hardware layouts in the optional reference data, each with an "_about" of its own.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/test_support.h"

namespace yolocu::testing {

inline std::string hardware_table_path(const std::string& name) {
  return "ptx/" + name + ".json";
}

// The table, without exceptions: not an object if it cannot be read.
inline nlohmann::json hardware_table(const std::string& name) {
  std::ifstream in(shared_dir() + "/" + hardware_table_path(name));
  auto table = nlohmann::json::parse(in, nullptr, false);
  EXPECT_TRUE(table.is_object()) << name << ".json";
  return table;
}

}  // namespace yolocu::testing

// Skips the test, with a message, where the table is absent.
#define YOLOCU_REQUIRE_HARDWARE_TABLE(name) \
  YOLOCU_REQUIRE_SHARED(::yolocu::testing::hardware_table_path(name))

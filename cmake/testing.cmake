# yolocu_add_test(NAME SOURCES... LIBRARIES... [LABELS...]): a GoogleTest program whose cases are
# ctest tests. Data folders come as definitions; tests that need the optional shared data skip
# themselves with a message where it is absent.
include(GoogleTest)
set(YOLOCU_SHARED_DIR ${PROJECT_SOURCE_DIR}/../shared CACHE PATH
  "Optional folder of reference data (golden tensors, checkpoints, pictures) for more tests")

function(yolocu_add_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} yolocu_test_support GTest::gtest_main)
  gtest_discover_tests(${name}
    TEST_PREFIX "${name}."
    DISCOVERY_MODE PRE_TEST
    NO_PRETTY_VALUES
    PROPERTIES TIMEOUT 600 LABELS "${ARG_LABELS}")
endfunction()

// The oracle of average precision, against what pycocotools computes.
#include "tests/reference/coco_ap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/npy.h"
#include "tests/apps/coco_json.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using namespace reference;  // NOLINT: the oracle
using nlohmann::json;

json read_json(const std::string& path) {
  return json::parse(std::ifstream(path));
}

std::vector<CocoObject> objects_of(const json& list) {
  std::vector<CocoObject> objects;
  for (const json& entry : list) objects.push_back(testing::coco_object(entry));
  return objects;
}

struct CocoSet {
  std::string folder;
  std::vector<CocoObject> labels, found;
  std::vector<int64_t> categories;
  json expected;
};

CocoSet load_set(const std::string& name) {
  CocoSet set{.folder = testing::shared_dir() + "/golden/d/" + name + "/",
              .labels = {},
              .found = {},
              .categories = {},
              .expected = {}};
  set.labels = objects_of(read_json(set.folder + "gt.json")["annotations"]);
  set.found = objects_of(read_json(set.folder + "dt.json"));
  set.expected = read_json(set.folder + "expected.json");
  set.categories = set.expected["category_ids"].get<std::vector<int64_t>>();
  return set;
}

std::vector<CocoCurve> curves_of(const CocoSet& set, size_t area, size_t limit) {
  std::vector<CocoCurve> curves;
  for (const int64_t category : set.categories) {
    curves.push_back(coco_curve(set.found, set.labels, category, area, limit));
  }
  return curves;
}

class CocoAp : public ::testing::TestWithParam<const char*> {};

// Every number of the accumulated arrays precision [T,R,K,A,M] and recall [T,K,A,M].
TEST_P(CocoAp, CurvesAreThoseOfPycocotools) {
  YOLOCU_REQUIRE_SHARED("golden/d/coco_a");
  const CocoSet set = load_set(GetParam());
  const auto precision = read_npy(set.folder + "precision_T10_R101_K_A4_M3.npy");
  const auto recall = read_npy(set.folder + "recall_T10_K_A4_M3.npy");
  ASSERT_OK(precision);
  ASSERT_OK(recall);
  const size_t categories = set.categories.size();
  for (size_t a = 0; a < kCocoAreas; ++a) {
    for (size_t m = 0; m < kCocoLimits; ++m) {
      const auto curves = curves_of(set, a, m);
      for (size_t k = 0; k < categories; ++k) {
        for (size_t t = 0; t < kCocoThresholds; ++t) {
          const size_t at = ((t * categories + k) * kCocoAreas + a) * kCocoLimits + m;
          ASSERT_NEAR(curves[k].recall[t], recall->values[at], 1e-6);
          for (size_t r = 0; r < kCocoRecalls; ++r) {
            const size_t place =
                (((t * kCocoRecalls + r) * categories + k) * kCocoAreas + a) * kCocoLimits + m;
            ASSERT_NEAR(curves[k].precision[t][r], precision->values[place], 1e-6)
                << "threshold " << t << " recall " << r << " category " << k << " area " << a
                << " limit " << m;
          }
        }
      }
    }
  }
}

TEST_P(CocoAp, SummaryIsThatOfPycocotools) {
  YOLOCU_REQUIRE_SHARED("golden/d/coco_a");
  const CocoSet set = load_set(GetParam());
  const json& stats = set.expected["stats"];
  const auto all = curves_of(set, 0, 2);
  EXPECT_NEAR(coco_ap(all), stats["AP@[.5:.95] all maxDets=100"], 1e-9);
  EXPECT_NEAR(coco_ap(all, 0), stats["AP@.5"], 1e-9);
  EXPECT_NEAR(coco_ap(all, 5), stats["AP@.75"], 1e-9);
  EXPECT_NEAR(coco_ap(curves_of(set, 1, 2)), stats["AP small"], 1e-9);
  EXPECT_NEAR(coco_ap(curves_of(set, 2, 2)), stats["AP medium"], 1e-9);
  EXPECT_NEAR(coco_ap(curves_of(set, 3, 2)), stats["AP large"], 1e-9);
  for (size_t k = 0; k < set.categories.size(); ++k) {
    const json& expected = set.expected["AP_per_category"][std::to_string(set.categories[k])];
    EXPECT_NEAR(coco_ap({all[k]}), expected, 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, CocoAp, ::testing::Values("coco_a", "coco_b"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace yolocu

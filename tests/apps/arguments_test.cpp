#include "apps/arguments.h"

#include "tests/support/test_support.h"

namespace yolocu {
namespace {

using Classes = std::vector<int64_t>;

TEST(Arguments, InputSizes) {
  const auto square = parse_input_size("640");
  ASSERT_OK(square);
  EXPECT_EQ(square->width, 640);
  EXPECT_EQ(square->height, 640);
  const auto wide = parse_input_size("1280x736");
  ASSERT_OK(wide);
  EXPECT_EQ(wide->width, 1280);
  EXPECT_EQ(wide->height, 736);
  for (const char* text : {"", "x", "0", "-640", "640x", "x640", "640x0", "6 40", "640.0",
                           "640X640", "640x640x640", "65537", "99999999999999999999"}) {
    EXPECT_FALSE(parse_input_size(text).ok()) << text;
  }
}

TEST(Arguments, Fractions) {
  for (const auto& [text, value] :
       {std::pair{"0", 0.0}, {"1", 1.0}, {"0.45", 0.45}, {"1e-3", 0.001}}) {
    const auto fraction = parse_fraction(text);
    ASSERT_OK(fraction);
    EXPECT_EQ(*fraction, value);
  }
  for (const char* text : {"", "1.001", "-0.1", "nan", "inf", "0,5", "0.5x", " 0.5"}) {
    EXPECT_FALSE(parse_fraction(text).ok()) << text;
  }
}

TEST(Arguments, Counts) {
  const auto count = parse_count("300");
  ASSERT_OK(count);
  EXPECT_EQ(*count, 300);
  for (const char* text : {"", "0", "-1", "1.5", "1e3", "1000001"}) {
    EXPECT_FALSE(parse_count(text).ok()) << text;
  }
}

TEST(Arguments, ClassesByNameOrNumber) {
  const std::vector<std::string> names = {"person", "traffic light", "7", "dog"};
  const auto classes = parse_classes("dog,0,traffic light,7", names);
  ASSERT_OK(classes);
  EXPECT_EQ(*classes, (Classes{3, 0, 1, 2})) << "a name that is a number wins";
  for (const char* text : {"cat", "4", "-1", "dog,", ""}) {
    const auto bad = parse_classes(text, names);
    ASSERT_FALSE(bad.ok()) << text;
    EXPECT_NE(bad.status().message().find("person, traffic light, 7, dog"), std::string::npos);
  }
}

TEST(Arguments, MistypedClassesAreToldTheNearestNames) {
  const std::vector<std::string> names = {"car", "cat", "cow", "traffic light", "person"};
  const std::pair<const char*, const char*> cases[] = {
      {"persn", "no class 'persn'; nearest: person"},
      {"Person", "no class 'Person'; nearest: person"},
      {"car, person", "no class ' person'; nearest: person"},
      {"traficlight", "no class 'traficlight'; nearest: traffic light"},
      {"catr", "no class 'catr'; nearest: car, cat"},
      {"ca", "no class 'ca'; nearest: car, cat"},
      {"elephant", "no class 'elephant'; valid are 0..4 or: car, cat, cow, traffic light, person"},
  };
  for (const auto& [typed, message] : cases) {
    const auto classes = parse_classes(typed, names);
    ASSERT_FALSE(classes.ok()) << typed;
    EXPECT_EQ(classes.status().message(), message);
  }
}

}  // namespace
}  // namespace yolocu

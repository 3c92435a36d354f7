#include "apps/console.h"

#include "apps/model_source.h"
#include "tests/support/test_support.h"

namespace yolocu {
namespace {

TEST(Console, OneLineHasNoControlCharacters) {
  EXPECT_EQ(one_line("a\nb\tc\x1B[0m\x7F"), "a?b?c?[0m?");
  EXPECT_EQ(one_line("a\xC2\x9B"
                     "1mb"),
            "a?1mb");  // CSI as one character
  EXPECT_EQ(one_line("\xC2\xA9"), "\xC2\xA9");
  EXPECT_EQ(one_line("caf\xC3\xA9 \xE7\x8C\xAB"), "caf\xC3\xA9 \xE7\x8C\xAB");
}

TEST(Console, PaddingCountsCharactersNotBytes) {
  EXPECT_EQ(padded("ab", 4), "ab  ");
  EXPECT_EQ(padded("\xC3\xA9", 3), "\xC3\xA9  ");
  EXPECT_EQ(padded("abcde", 3), "abcde");
  EXPECT_EQ(character_count("\xE7\x8C\xAB!"), 2u);
}

TEST(Console, FixedHoldsAnyDouble) {
  EXPECT_EQ(fixed(1.25, 1), "1.2");
  EXPECT_EQ(fixed(-0.5, 3), "-0.500");
  EXPECT_EQ(fixed(1.7e308, 2).size(), 312u);
}

TEST(ModelSource, QuantitiesAreShort) {
  EXPECT_EQ(quantity(0), "0");
  EXPECT_EQ(quantity(999), "999");
  EXPECT_EQ(quantity(817864), "818 k");
  EXPECT_EQ(quantity(25590912), "25.59 M");
}

TEST(ModelSource, OnlyCheckpointsAreToldToConvert) {
  const testing::TempDir folder;
  const std::string zip = "PK\3\4 and more", pickle = "\x80\x02}q", other = "x";
  const Status error = corrupt("as the reader said");
  for (const auto& [text, converts] : {std::pair{zip, true}, {pickle, true}, {other, false}}) {
    testing::write_bytes(folder.file("f"), std::as_bytes(std::span(text)));
    const std::string message = explain_open_error(folder.file("f"), error).message();
    EXPECT_EQ(message.find("yolocu convert") != std::string::npos, converts) << message;
  }
  EXPECT_EQ(explain_open_error("", error).message(), "embedded model: as the reader said");
  EXPECT_EQ(explain_open_error("absent", not_found("absent: gone")).message(), "absent: gone");
}

}  // namespace
}  // namespace yolocu

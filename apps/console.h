// What the program says, on two streams: results on stdout, errors as single lines on stderr.
#pragma once

#include <string>
#include <string_view>

#include "yolocu/status.h"

namespace yolocu {

// Exit codes of the program.
enum ExitCode : int { kExitOk = 0, kExitFailure = 1, kExitUsage = 2 };

// `text` without line breaks and other control characters, each of which becomes '?': names that
// come from files must not break lines or steer a terminal.
std::string one_line(std::string_view text);

// "yolocu: message" on stderr. Returns kExitFailure.
int report_failure(const Status& status);

// kExitOk, or report_failure.
int report(const Status& status);

// "yolocu COMMAND: message (yolocu COMMAND --help tells more)" on stderr; `command` may be empty.
// Returns kExitUsage.
int report_usage(std::string_view command, std::string_view message);

// Appends to stdout. kUnavailable if it takes no more: a full disk, a closed pipe.
Status print(std::string_view text);

// `text` with spaces after it up to `width` characters (UTF-8).
std::string padded(std::string_view text, size_t width);

// Characters of UTF-8 text.
size_t character_count(std::string_view text);

// printf's "%.*f".
std::string fixed(double value, int decimals);

}  // namespace yolocu

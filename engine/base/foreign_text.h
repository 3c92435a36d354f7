// Text from foreign files: checked before it is kept, tamed before it is shown in a message.
#pragma once

#include <string>
#include <string_view>

namespace yolocu {

// Whether `text` is well-formed UTF-8 (no surrogates, no overlong forms, up to U+10FFFF).
bool is_utf8(std::string_view text);

// At most 100 bytes of `text`, with '?' for everything but printable ASCII.
std::string printable(std::string_view text);

}  // namespace yolocu

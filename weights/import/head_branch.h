// Which of a head's prediction branches a conversion keeps.
#pragma once

#include <cstdint>

namespace yolocu {

// kAuxiliary: the branch that only training uses (programmable gradient information, deep
// supervision). Of a head with two auxiliary branches (TripleDDetect) the first.
enum class HeadBranch : uint8_t { kMain, kAuxiliary };

}  // namespace yolocu

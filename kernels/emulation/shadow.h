// What is known of every byte of a block's shared memory: whether it was written, whether an
// asynchronous copy is on its way to it, and who touched it last and when.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/emulation/clocks.h"
#include "kernels/launch.h"

namespace yolocu::emulation {

enum class AccessKind : uint8_t { kRead, kWrite, kAtomic, kAsyncWrite };

// Who accesses, and what it is ordered after.
struct Accessor {
  uint32_t thread = 0;
  uint32_t clock = 0;
  const Clock* known = nullptr;
};

// Two accesses race if one writes, they share a byte, they are not both atomic, and neither is
// ordered before the other. Each word of 4 bytes remembers two readers and two writers: with more
// at once a race can be missed, but none is invented.
class SharedShadow {
 public:
  explicit SharedShadow(size_t bytes) : words_((bytes + 3) / 4) {}

  // All bytes unwritten again, for the next block.
  void reset() { ++generation_; }

  // Records the access. A message if it is an error, else empty. The range lies inside the memory.
  std::string access(const Accessor& by, AccessKind kind, uint32_t address, size_t size,
                     CallSite site);
  // The copy whose kAsyncWrite was recorded by the same thread has arrived for it.
  void finish_async_write(const Accessor& by, uint32_t address, size_t size);

 private:
  struct Access {
    uint32_t clock = 0;
    uint16_t thread = 0;
    uint8_t bytes = 0;  // of the word, a bit each; 0: none
    bool atomic = false;
    CallSite site = {};
  };
  struct Word {
    uint32_t generation = 0;
    uint8_t written = 0, in_flight = 0;
    std::array<Access, 2> writers = {}, readers = {};
  };

  Word& fresh(size_t index);
  static std::string conflict(const Word& word, const Accessor& by, AccessKind kind, uint8_t bytes);
  static void record(Word& word, const Accessor& by, const Access& access, AccessKind kind);

  std::vector<Word> words_;
  uint32_t generation_ = 1;
};

}  // namespace yolocu::emulation

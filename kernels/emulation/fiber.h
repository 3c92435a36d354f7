// Fibers: stacks of their own that one host thread switches between. Each CUDA thread is one.
#pragma once

#include <cstddef>

namespace yolocu::emulation {

struct StackSpan {
  std::byte* bottom = nullptr;  // lowest address
  size_t size = 0;
};

// Equal stacks, each above a page that may not be touched, so that an overflow stops the program
// at once. Pages that were never used cost nothing.
class StackPool {
 public:
  StackPool() = default;
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  // Makes sure of `count` stacks; false if the system has no room for them. No stack may be in use.
  bool reserve(size_t count);
  StackSpan stack(size_t index) const;

 private:
  void release();

  std::byte* memory_ = nullptr;
  size_t count_ = 0;
};

// A default-made Fiber stands for the host thread's own stack. Nothing here may cross host threads.
class Fiber {
 public:
  using Entry = void (*)(void* argument);

  // At the first switch, entry(argument) runs on `stack`. It must not return: it ends in leave().
  void prepare(StackSpan stack, Entry entry, void* argument);

  // Goes on in `to`; returns when something switches back to `from`, the fiber that runs now.
  static void switch_to(Fiber& from, Fiber& to);
  // The same, but `from` never runs again. All its objects must be gone.
  [[noreturn]] static void leave(Fiber& from, Fiber& to);

 private:
  struct Transfer;
  static void start(void* context, void* data);
  static void arrive(void* context, void* data, void* fake_stack);
  template <typename T>
  friend void start_of(T transfer);

  void* context_ = nullptr;
  StackSpan stack_ = {};
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
};

}  // namespace yolocu::emulation

#include "kernels/emulation/fiber.h"

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cassert>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define YOLOCU_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define YOLOCU_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef YOLOCU_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace yolocu::emulation {
namespace {

namespace context = boost::context::detail;

constexpr size_t kPage = 4096;
// Kernels in tests use below 10 KiB; unoptimised and instrumented builds several times that.
constexpr size_t kStackBytes = size_t{256} * 1024;
constexpr size_t kPitch = kStackBytes + kPage;

// AddressSanitizer must know which stack is in use; without it these do nothing.
void announce_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] StackSpan to) {
#ifdef YOLOCU_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(fake_stack, to.bottom, to.size);
#endif
}

StackSpan finish_switch([[maybe_unused]] void* fake_stack) {
  StackSpan previous;
#ifdef YOLOCU_ADDRESS_SANITIZER
  const void* bottom = nullptr;
  __sanitizer_finish_switch_fiber(fake_stack, &bottom, &previous.size);
  previous.bottom = static_cast<std::byte*>(const_cast<void*>(bottom));
#endif
  return previous;
}

}  // namespace

// AddressSanitizer's marks of a stack would outlive it, and apply to what is mapped there next.
void StackPool::release() {
  if (memory_ == nullptr) return;
#ifdef YOLOCU_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(memory_, count_ * kPitch);
#endif
  munmap(memory_, count_ * kPitch);
  memory_ = nullptr;
  count_ = 0;
}

StackPool::~StackPool() {
  release();
}

bool StackPool::reserve(size_t count) {
  if (count <= count_) return true;
  release();
  void* memory = mmap(nullptr, count * kPitch, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  memory_ = static_cast<std::byte*>(memory);
  count_ = count;
  for (size_t i = 0; i < count; ++i) {
    if (mprotect(memory_ + i * kPitch, kPage, PROT_NONE) != 0) return false;
  }
  return true;
}

StackSpan StackPool::stack(size_t index) const {
  assert(index < count_);
  return {memory_ + index * kPitch + kPage, kStackBytes};
}

// Handed over by the fiber that leaves; lives on its stack.
struct Fiber::Transfer {
  Fiber* from;
  Fiber* to;
};

// The other side of every jump: remembers where the fiber we come from goes on.
void Fiber::arrive(void* context, void* data, void* fake_stack) {
  Fiber& from = *static_cast<Transfer*>(data)->from;
  from.context_ = context;
  const StackSpan previous = finish_switch(fake_stack);
  if (from.stack_.bottom == nullptr) from.stack_ = previous;  // the host thread's own
}

void Fiber::start(void* context, void* data) {
  Fiber& self = *static_cast<Transfer*>(data)->to;
  arrive(context, data, nullptr);
  self.entry_(self.argument_);
  assert(false && "the entry of a fiber must not return");
  std::abort();
}

template <typename T>
void start_of(T transfer) {
  Fiber::start(transfer.fctx, transfer.data);
}

void Fiber::prepare(StackSpan stack, Entry entry, void* argument) {
#ifdef YOLOCU_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(stack.bottom, stack.size);  // marks of the stack's former user
#endif
  stack_ = stack;
  entry_ = entry;
  argument_ = argument;
  context_ =
      context::make_fcontext(stack.bottom + stack.size, stack.size, &start_of<context::transfer_t>);
}

void Fiber::switch_to(Fiber& from, Fiber& to) {
  Transfer transfer{&from, &to};
  void* fake_stack = nullptr;
  announce_switch(&fake_stack, to.stack_);
  const context::transfer_t back = context::jump_fcontext(to.context_, &transfer);
  arrive(back.fctx, back.data, fake_stack);
}

void Fiber::leave(Fiber& from, Fiber& to) {
  Transfer transfer{&from, &to};
  announce_switch(nullptr, to.stack_);
  context::jump_fcontext(to.context_, &transfer);
  std::abort();  // nobody comes back
}

}  // namespace yolocu::emulation

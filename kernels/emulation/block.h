// One block of a launch: a fiber for each thread, and who runs when. Barriers, collectives, memory
// and asynchronous copies act on this state from files of their own.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/emulation/clocks.h"
#include "kernels/emulation/counters.h"
#include "kernels/emulation/fiber.h"
#include "kernels/emulation/global_memory.h"
#include "kernels/emulation/options.h"
#include "kernels/emulation/primitives.h"
#include "kernels/emulation/random.h"
#include "kernels/emulation/report.h"
#include "kernels/emulation/requests.h"
#include "kernels/emulation/shadow.h"

namespace yolocu::emulation {

// Leaves a kernel after an error; the entry of the fiber catches it.
struct Abort {};

// What all blocks of a launch share, and do not change.
struct Launch {
  std::string_view name;
  Index3 grid, block;
  uint32_t shared_bytes;
  EmulationOptions options;
  GlobalMemory* memory;
  std::function<void()> kernel;
};

enum class WaitKind : uint8_t { kNone, kBarrier, kCollective, kExited };

// Why a thread does not run. detail: the barrier's id, or the mask of the collective.
struct Wait {
  WaitKind kind = WaitKind::kNone;
  uint32_t detail = 0;
  CallSite site = {};
};

// The cp.async of one thread, oldest first.
struct AsyncQueue {
  struct Item {
    AsyncCopy copy;
    CallSite site;
    int64_t group;
  };
  std::vector<Item> items;  // from `first` on
  size_t first = 0;
  int64_t open_group = 0;  // number of the group that the next commit closes
};

class Block;

struct Thread {
  Fiber fiber;
  Block* block = nullptr;
  uint32_t rank = 0;
  Index3 index;
  Wait wait;
  uint32_t clock = 1;  // of its own accesses; grows at every release
  Clock* known = nullptr;
  AsyncQueue copies;

  uint32_t warp() const { return rank / 32; }
  uint32_t lane() const { return rank % 32; }
  Accessor accessor() const { return {rank, clock, known}; }
};

enum class CollectiveKind : uint8_t { kSyncWarp, kShuffle, kVote };

// Lanes that have come to a call which needs all of `mask`.
struct Collective {
  uint32_t mask = 0, arrived = 0;
  CollectiveKind kind = {};
  CallSite site = {};
};

// Warp-level state. Warp-wide matrix instructions belong here too: lanes may post them and run on,
// and the last lane to post executes them for all, as long as every release point (barrier,
// sync_warp, store to shared memory, exit) first waits for what was posted.
struct Warp {
  uint32_t lanes = 0;  // those that exist
  uint32_t ready = 0;  // those that can run
  std::array<Collective, 32> collectives = {};
  std::array<uint64_t, 32> inputs = {}, results = {};
  std::array<Shuffle, 32> shuffles = {};
  RequestLog requests;
};

struct Barrier {
  int expected = 0;
  int predicates = 0, result = 0;
  bool is_block_barrier = false;
  CallSite site = {};
  int arrived = 0;
  std::vector<uint32_t> came;  // lanes, a word for each warp
  std::vector<Thread*> waiting;
  Clock* released = nullptr;  // what all who came knew
  Clock* joined = nullptr;    // the last vector that went into it; threads share them
};

class Block {
 public:
  Block(const Launch& launch, const StackPool& stacks);
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Runs the block to its end, on the calling host thread. The first error, if there is one.
  std::optional<Violation> run(Index3 index, uint64_t seed);

  // The thread that runs now on this host thread; nullptr outside kernels.
  static Thread* current();

  // Stops the current thread until make_ready; throws Abort if the block fails meanwhile.
  void park(Thread& thread, const Wait& wait);
  void make_ready(Thread& thread);
  // Now and then lets another thread run first.
  void maybe_preempt(Thread& thread);
  // Reports the block's first error and throws Abort.
  [[noreturn]] void fail(const Thread& thread, CallSite site, std::string what);

  const Launch& launch;
  Index3 index;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::array<Barrier, 16> barriers;
  std::vector<std::byte> shared;
  SharedShadow shadow;
  ClockPool clocks;
  Counters counters;

 private:
  static void enter(void* thread);
  void run_kernel(Thread& thread);
  void reset(Index3 block_index, uint64_t seed);
  void exit_thread(Thread& thread);
  Thread* pick_ready(const Thread* running);
  Fiber& next_fiber(const Thread* running);
  void resume(Thread& running);
  void report(const Thread& thread, CallSite site, std::string what);
  void begin_abort();
  void report_deadlock();
  std::string waiting_text() const;

  const StackPool& stacks_;
  Fiber host_;
  Random random_;
  uint32_t until_preemption_ = 1;
  size_t exited_ = 0;
  bool aborting_ = false;
  std::vector<char> started_;
  std::optional<Violation> violation_;
};

}  // namespace yolocu::emulation

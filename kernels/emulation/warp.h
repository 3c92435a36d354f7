// A warp: what its lanes do together.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/emulation/agents.h"
#include "kernels/emulation/matrix_registers.h"
#include "kernels/emulation/primitives.h"
#include "kernels/emulation/requests.h"

namespace yolocu::emulation {

constexpr uint32_t kLanes = 32;

enum class CollectiveKind : uint8_t {
  kSyncWarp,
  kShuffle,
  kVote,
  kLoadMatrix,
  kStoreMatrix,
  kMultiply
};

// Lanes that have come to a call which needs all of `mask`.
struct Collective {
  uint32_t mask = 0, arrived = 0;
  CollectiveKind kind = {};
  CallSite site = {};
};

enum class WarpOpCode : uint8_t {
  kPoison,
  kFill,
  kLoadA,
  kLoadB,
  kMultiply,
  // From here on, of warpgroups: wgmma.h.
  kWgmmaFence,
  kWgmma,
  kWgmmaCommit,
  kWgmmaWait,
  kSetRegisters
};

// What wgmma multiplies: sums [64, columns] = a [64, k] * b [columns, k].
struct WgmmaOperands {
  uint64_t a = 0, b = 0;  // descriptors
  uint16_t columns = 0;
  uint8_t major_a = 0, major_b = 0;  // device::Major
  bool a_in_registers = false, replace = false;

  bool operator==(const WgmmaOperands&) const = default;
};

// Products that one warp issued and did not wait for, oldest first.
struct WgmmaState {
  struct Pending {
    MatrixElement element;
    uint32_t sums, a;  // registers
    WgmmaOperands operands;
    AsyncAgent agent;
    CallSite site;
    int64_t group;
    std::vector<uint32_t> early_a, early_b;  // operands that were read at once
  };
  std::vector<Pending> pending;
  int64_t open_group = 0;   // number of the group that the next commit closes
  uint64_t operations = 0;  // that the warpgroup must have in common
  uint32_t registers = 0;   // the last setmaxnreg asked for; 0: none
  CallSite registers_site = {};
};

// A matrix instruction of a whole warp. Registers are offsets into Warp::matrices.
struct WarpOp {
  WarpOpCode code = {};
  MatrixElement element = {};
  uint8_t row_tiles = 0, column_tiles = 0;
  uint32_t d = 0, a = 0, b = 0;  // kFill: a words from d on
  uint32_t bits = 0;        // kFill: the value; kPoison: how many; kWgmmaWait: groups that may wait
  int32_t tile_stride = 0;  // kLoadA, kLoadB: bytes
  CallSite site = {};

  bool operator==(const WarpOp& other) const {
    return code == other.code && element == other.element && row_tiles == other.row_tiles &&
           column_tiles == other.column_tiles && d == other.d && a == other.a && b == other.b &&
           bits == other.bits && tile_stride == other.tile_stride && site.line == other.site.line &&
           site.file == other.site.file;
  }
};

// One of a warpgroup.
struct WarpgroupOp : WarpOp {
  WgmmaOperands wgmma = {};  // only of kWgmma
};

// Operations that lanes have posted and not all lanes yet: each lane runs on after posting, and the
// last one to post executes for all. Every point where another thread could notice first waits for
// what was posted (wait_for_warp_ops).
struct WarpOps {
  static constexpr uint32_t kSlots = 32;  // how far a lane may run ahead
  struct Slot {
    WarpOp op;
    WgmmaOperands wgmma;  // only of kWgmma
    uint32_t lanes = 0;   // that posted it
    std::array<uint32_t, kLanes> addresses;
  };
  std::array<Slot, kSlots> slots;
  uint64_t executed = 0;
  uint32_t waiting = 0;  // lanes that wait for the posted to be executed
};

struct Warp {
  uint32_t first_thread = 0;  // id of lane 0
  uint32_t lanes = 0;         // those that exist
  uint32_t ready = 0;         // those that can run
  uint32_t exited = 0;
  std::array<Collective, kLanes> collectives = {};
  std::array<uint64_t, kLanes> inputs = {}, results = {};
  std::array<Shuffle, kLanes> shuffles = {};
  std::array<MatrixOperands, kLanes> operands = {};
  RequestLog requests;
  WarpOps ops;
  MatrixRegisters matrices;
  WgmmaState wgmma;
};

}  // namespace yolocu::emulation

#include "kernels/emulation/warp_ops.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/base/str_cat.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/memory_access.h"
#include "kernels/emulation/wgmma.h"

namespace yolocu::emulation {
namespace {

constexpr uint32_t kTileRows = 16;
constexpr uint32_t kChunkBytes = 16;  // of a row of a tile; two of them
constexpr uint32_t kWordsPerLine = 16;
constexpr uint32_t kPoisonWord = 0xFFFFFFFF;

// Where the chunk that each lane's address names goes in a tile [16, depth], in chunks.
struct ChunkPlace {
  uint32_t row, half;
};

constexpr ChunkPlace place_in_a(uint32_t lane) {
  return {lane % 16, lane / 16};
}

constexpr ChunkPlace place_in_b(uint32_t lane) {
  return {lane % 8 + lane / 16 * 8, lane / 8 % 2};
}

using Offsets = std::array<uint32_t, kLanes>;

constexpr Offsets chunk_offsets(ChunkPlace (*place)(uint32_t), uint32_t depth) {
  Offsets offsets = {};
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    offsets[lane] = place(lane).row * depth + place(lane).half * depth / 2;
  }
  return offsets;
}

constexpr Offsets kOffsetsA[] = {chunk_offsets(place_in_a, 16), chunk_offsets(place_in_a, 32)};
constexpr Offsets kOffsetsB[] = {chunk_offsets(place_in_b, 16), chunk_offsets(place_in_b, 32)};

uint32_t tiles_of_load(const WarpOp& op) {
  return op.code == WarpOpCode::kLoadA ? op.row_tiles : op.column_tiles;
}

void execute_load(const Block& block, Warp& warp, const WarpOps::Slot& slot) {
  const WarpOp& op = slot.op;
  const uint32_t depth = matrix_depth(op.element);
  const auto& all_offsets = op.code == WarpOpCode::kLoadA ? kOffsetsA : kOffsetsB;
  const Offsets& offsets = all_offsets[depth / 32];
  std::array<const std::byte*, kLanes> chunks;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    chunks[lane] = block.shared.data() + slot.addresses[lane];
  }
  uint32_t* words = warp.matrices.words(op.d);
  for (uint32_t tile = 0; tile < tiles_of_load(op); ++tile) {
    widen_tile(op.element, words, offsets.data(), chunks.data());
    words += kTileRows * depth;
    for (const std::byte*& chunk : chunks) chunk += op.tile_stride;
  }
}

void execute_multiply(Thread& thread, const WarpOp& op) {
  Cluster& cluster = *thread.cluster;
  Warp& warp = *thread.warp;
  if (op.element == MatrixElement::kE4m3) cluster.require(thread, 89, "e4m3 products", op.site);
  const ProductShape shape{op.row_tiles * kTileRows, op.column_tiles * kTileRows,
                           matrix_depth(op.element)};
  multiply_matrices(op.element, warp.matrices.words(op.d), warp.matrices.words(op.a),
                    warp.matrices.words(op.b), shape);
  cluster.counters.tensor_flops += int64_t{2} * shape.rows * shape.columns * shape.depth;
}

// Registers of a wgmma that is under way may not be accessed; others need a fence before the next.
void touch_registers(Thread& thread, uint32_t first, CallSite site) {
  MatrixRegisters& registers = thread.warp->matrices;
  if (registers.is_in_flight(first)) {
    thread.cluster->fail(thread, site,
                         "registers of a wgmma that is still under way: wgmma_wait is missing");
  }
  registers.touch(first);
}

void execute(Thread& thread, const WarpOps::Slot& slot) {
  Warp& warp = *thread.warp;
  const WarpOp& op = slot.op;
  if (op.code < WarpOpCode::kMultiply) touch_registers(thread, op.d, op.site);
  switch (op.code) {
    case WarpOpCode::kPoison:
      warp.matrices.reserve(op.d + op.bits);
      std::fill_n(warp.matrices.words(op.d), op.bits, kPoisonWord);
      break;
    case WarpOpCode::kFill: std::fill_n(warp.matrices.words(op.d), op.a, op.bits); break;
    case WarpOpCode::kLoadA:
    case WarpOpCode::kLoadB: execute_load(*thread.block, warp, slot); break;
    case WarpOpCode::kMultiply: execute_multiply(thread, op); break;
    case WarpOpCode::kWgmma: execute_wgmma_op(thread, {op, slot.wgmma}); break;
    default: execute_wgmma_op(thread, {op, {}}); break;
  }
}

// Lanes whose posted operations are all done go on.
void wake_lanes(Thread& thread) {
  Warp& warp = *thread.warp;
  for (uint32_t lanes = warp.ops.waiting; lanes != 0; lanes &= lanes - 1) {
    const auto lane = static_cast<uint32_t>(std::countr_zero(lanes));
    Thread& waiting = thread.cluster->threads[warp.first_thread + lane];
    if (waiting.posted > warp.ops.executed) continue;
    warp.ops.waiting &= ~(1u << lane);
    thread.cluster->make_ready(waiting);
  }
}

[[noreturn]] void fail_divergent(Thread& thread, const WarpOp& others, const WarpOp& op) {
  thread.cluster->fail(thread, op.site,
                       str_cat("divergent matrix instruction: other lanes of the warp execute the "
                               "one at ",
                               place_text(others.site), ", or on other registers"));
}

// The rows of a load are read by the lanes that name them.
void check_rows(Thread& thread, const WarpOp& op, uint32_t address) {
  const uint32_t tiles = tiles_of_load(op);
  for (uint32_t tile = 0; tile < tiles; ++tile) {
    const int64_t row = address + tile * op.tile_stride;
    check_shared(thread, AccessKind::kRead, static_cast<uint32_t>(row), kChunkBytes, op.site);
  }
}

}  // namespace

void reset_warp_ops(Warp& warp) {
  warp.ops.executed = 0;
  warp.ops.waiting = 0;
  warp.matrices.forget_states();
  for (WarpOps::Slot& slot : warp.ops.slots) slot.lanes = 0;
}

void wait_for_warp_ops_slowly(Thread& thread) {
  const WarpOps& ops = thread.warp->ops;
  const CallSite site = ops.slots[(thread.posted - 1) % WarpOps::kSlots].op.site;
  thread.warp->ops.waiting |= 1u << thread.lane();
  thread.cluster->park(thread, {WaitKind::kWarpOps, 0, site});
}

uint32_t take_matrix_registers(uint32_t words) {
  Thread& thread = *running_thread;
  const uint32_t first = thread.matrix_registers;
  thread.matrix_registers += (words + kWordsPerLine - 1) / kWordsPerLine * kWordsPerLine;
  return first;
}

void return_matrix_registers(uint32_t words) {
  running_thread->matrix_registers -= (words + kWordsPerLine - 1) / kWordsPerLine * kWordsPerLine;
}

void post_warp_op(const WarpOp& op, uint32_t address, const WgmmaOperands* wgmma) {
  Thread& thread = *running_thread;
  WarpOps& ops = thread.warp->ops;
  if (thread.posted - ops.executed >= WarpOps::kSlots) wait_for_warp_ops_slowly(thread);
  WarpOps::Slot& slot = ops.slots[thread.posted % WarpOps::kSlots];
  if (slot.lanes == 0) {
    slot.op = op;
    if (wgmma != nullptr) slot.wgmma = *wgmma;
  } else if (!(slot.op == op) || (wgmma != nullptr && !(slot.wgmma == *wgmma))) {
    fail_divergent(thread, slot.op, op);
  }
  if (op.code == WarpOpCode::kLoadA || op.code == WarpOpCode::kLoadB) {
    check_rows(thread, op, address);
    slot.addresses[thread.lane()] = address;
  }
  ++thread.posted;
  slot.lanes |= 1u << thread.lane();
  if (slot.lanes != thread.warp->lanes) return;
  if (thread.warp->lanes != 0xFFFFFFFF) {
    thread.cluster->fail(thread, op.site, "matrix instruction in a warp of less than 32 threads");
  }
  execute(thread, slot);
  slot.lanes = 0;
  ++ops.executed;
  if (ops.waiting != 0) wake_lanes(thread);
}

uint32_t read_matrix_register(uint32_t first, uint32_t offset, CallSite site) {
  Thread& thread = *running_thread;
  wait_for_warp_ops(thread);
  touch_registers(thread, first, site);
  return *thread.warp->matrices.words(first + offset);
}

}  // namespace yolocu::emulation

#include "kernels/emulation/wgmma.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/str_cat.h"
#include "kernels/emulation/async_proxy.h"
#include "kernels/emulation/cluster.h"
#include "kernels/emulation/wgmma_layout.h"

namespace yolocu::emulation {
namespace {

constexpr uint32_t kWarps = 4;  // of a warpgroup
constexpr uint32_t kRows = 16;  // of a warp
constexpr uint32_t kMostColumns = 256;
constexpr uint32_t kFewestRegisters = 24, kMostRegisters = 256;
constexpr uint32_t kBlockRegisters = 64 * 1024;

using Pending = WgmmaState::Pending;

uint32_t warp_in_block(const Thread& thread) {
  return thread.rank / kLanes;
}

uint32_t element_bytes(MatrixElement element) {
  return kWgmmaDepthBytes / matrix_depth(element);
}

// Apart from the registers, which each warp numbers by what else it holds.
bool is_same_instruction(WarpgroupOp a, const WarpgroupOp& b) {
  if (a.code != WarpOpCode::kSetRegisters) {  // whose `d` is the direction
    a.d = b.d;
    a.a = b.a;
  }
  return a == b && a.wgmma == b.wgmma;
}

// The n-th operation of each warp of a warpgroup must be the same.
void check_agreement(Thread& thread, const WarpgroupOp& op) {
  Block& block = *thread.block;
  const uint32_t group = warp_in_block(thread) / kWarps;
  if ((group + 1) * kWarps > block.warp_count) {
    thread.cluster->fail(thread, op.site,
                         "wgmma needs four whole warps, the first a multiple of 4");
  }
  WarpgroupLog& log = block.warpgroups[group];
  const uint64_t number = thread.warp->wgmma.operations++ - log.first;
  if (number == log.entries.size()) log.entries.push_back({op, 0});
  WarpgroupLog::Entry& entry = log.entries[number];
  if (!is_same_instruction(entry.op, op)) {
    thread.cluster->fail(thread, op.site,
                         str_cat("the warps of a warpgroup disagree: another one executes the "
                                 "operation at ",
                                 place_text(entry.op.site), " or has other operands"));
  }
  ++entry.warps;
  while (!log.entries.empty() && log.entries.front().warps == kWarps) {
    log.entries.erase(log.entries.begin());
    ++log.first;
  }
}

// ---- operands -----------------------------------------------------------------------------------

WgmmaOperand checked_operand(Thread& thread, uint64_t descriptor, device::Major major,
                             CallSite site) {
  std::string what = wgmma_descriptor_error(descriptor, major);
  if (!what.empty()) thread.cluster->fail(thread, site, str_cat("wgmma descriptor: ", what));
  return decode_wgmma_descriptor(descriptor);
}

// function(address, row, k) for the chunks of rows [first, first + rows) of an operand.
template <typename Function>
void for_chunks_of_rows(const WgmmaOperand& operand, device::Major major, uint32_t first,
                        uint32_t rows, uint32_t bytes, Function&& function) {
  for_each_wgmma_chunk(operand, major, first + rows, bytes,
                       [&](uint32_t address, uint32_t row, uint32_t k) {
                         if (row >= first) function(address, row - first, k);
                       });
}

struct OperandPart {
  uint64_t descriptor;
  device::Major major;
  uint32_t first_row, rows;
};

OperandPart part_a(const Thread& thread, const WgmmaOperands& operands) {
  return {operands.a, static_cast<device::Major>(operands.major_a),
          warp_in_block(thread) % kWarps * kRows, kRows};
}

OperandPart part_b(const WgmmaOperands& operands) {
  return {operands.b, static_cast<device::Major>(operands.major_b), 0, operands.columns};
}

void check_operand(Thread& thread, const Pending& product, const OperandPart& part) {
  const WgmmaOperand operand = checked_operand(thread, part.descriptor, part.major, product.site);
  for_chunks_of_rows(operand, part.major, part.first_row, part.rows, element_bytes(product.element),
                     [&](uint32_t address, uint32_t, uint32_t) {
                       async_access(thread, *thread.block, product.agent, AccessKind::kRead,
                                    address, kWgmmaChunkBytes, product.site);
                     });
}

// Rows that read_operand writes, some of them after the last.
uint32_t rows_read(uint32_t rows) {
  return (rows + kRows - 1) / kRows * kRows;
}

// The k-major form by tiles of 16 rows. A last tile of 8 holds its rows twice.
void read_k_major(const Block& block, MatrixElement element, const OperandPart& part,
                  uint32_t* words) {
  const WgmmaOperand operand = decode_wgmma_descriptor(part.descriptor);
  const uint32_t depth = matrix_depth(element);
  std::array<uint32_t, kTileChunks> offsets;
  for (uint32_t i = 0; i < kTileChunks; ++i) offsets[i] = i / 2 * depth + i % 2 * depth / 2;
  for (uint32_t row = 0; row < part.rows; row += kRows) {
    std::array<const std::byte*, kTileChunks> chunks;
    const uint32_t rows = std::min(kRows, part.rows - row);
    for (uint32_t i = 0; i < kTileChunks; ++i) {
      const uint32_t address = k_major_chunk(operand, part.first_row + row + i / 2 % rows, i % 2);
      chunks[i] = block.shared.data() + address;
    }
    widen_tile(element, words + row * depth, offsets.data(), chunks.data());
  }
}

// words [rows_read(rows), depth]: what the operand holds now.
void read_operand(const Block& block, MatrixElement element, const OperandPart& part,
                  uint32_t* words) {
  if (part.major == device::Major::kK) return read_k_major(block, element, part, words);
  const WgmmaOperand operand = decode_wgmma_descriptor(part.descriptor);
  const uint32_t depth = matrix_depth(element), bytes = element_bytes(element);
  const uint32_t elements = kWgmmaChunkBytes / bytes;
  for_chunks_of_rows(operand, part.major, part.first_row, part.rows, bytes,
                     [&](uint32_t address, uint32_t row, uint32_t k) {
                       for (uint32_t i = 0; i < elements; ++i) {
                         uint32_t bits = 0;
                         std::memcpy(&bits, block.shared.data() + address + i * bytes, bytes);
                         words[(row + i) * depth + k] = widen_element(element, bits);
                       }
                     });
}

// ---- products -----------------------------------------------------------------------------------

// Registers are known as whole objects: a fence covers all of the warp's, whichever sums it names.
// A mma.sync that reads a fragment which a wgmma under way reads as well is not noticed.
void check_registers(Thread& thread, uint32_t first, CallSite site) {
  MatrixRegisters& registers = thread.warp->matrices;
  if (!registers.is_touched(first)) return;
  thread.cluster->fail(thread, site,
                       "registers were accessed since the last wgmma_fence, and meet a wgmma");
}

void issue(Thread& thread, const WarpgroupOp& op) {
  Warp& warp = *thread.warp;
  check_registers(thread, op.d, op.site);
  if (op.wgmma.a_in_registers) check_registers(thread, op.a, op.site);
  Pending product{op.element,
                  op.d,
                  op.a,
                  op.wgmma,
                  make_warp_agent(thread, AgentKind::kProduct,
                                  static_cast<uint32_t>(&warp - thread.cluster->warps.data())),
                  op.site,
                  warp.wgmma.open_group,
                  {},
                  {}};
  if (!op.wgmma.a_in_registers) check_operand(thread, product, part_a(thread, op.wgmma));
  check_operand(thread, product, part_b(op.wgmma));
  if (thread.cluster->launch.options.delivery == AsyncDelivery::kEarly) {
    const uint32_t depth = matrix_depth(op.element);
    product.early_b.resize(size_t{rows_read(op.wgmma.columns)} * depth);
    read_operand(*thread.block, op.element, part_b(op.wgmma), product.early_b.data());
    if (!op.wgmma.a_in_registers) {
      product.early_a.resize(size_t{kRows} * depth);
      read_operand(*thread.block, op.element, part_a(thread, op.wgmma), product.early_a.data());
    }
  }
  warp.matrices.begin_flight(op.d);
  if (op.wgmma.a_in_registers) warp.matrices.begin_flight(op.a);
  warp.wgmma.pending.push_back(std::move(product));
}

void multiply(Thread& thread, const Pending& product) {
  Warp& warp = *thread.warp;
  const WgmmaOperands& operands = product.operands;
  const ProductShape shape{kRows, operands.columns, matrix_depth(product.element)};
  std::array<uint32_t, size_t{kRows} * 32> late_a;
  std::array<uint32_t, size_t{kMostColumns} * 32> late_b;
  const uint32_t* a = product.early_a.data();
  const uint32_t* b = product.early_b.data();
  if (operands.a_in_registers) {
    a = warp.matrices.words(product.a);
  } else if (product.early_a.empty()) {
    read_operand(*thread.block, product.element, part_a(thread, operands), late_a.data());
    a = late_a.data();
  }
  if (product.early_b.empty()) {
    read_operand(*thread.block, product.element, part_b(operands), late_b.data());
    b = late_b.data();
  }
  uint32_t* sums = warp.matrices.words(product.sums);
  if (operands.replace) std::fill_n(sums, kRows * operands.columns, 0u);
  multiply_matrices(product.element, sums, a, b, shape);
  thread.cluster->counters.tensor_flops += int64_t{2} * shape.rows * shape.columns * shape.depth;
}

// All lanes of the warp know what the products' agents did.
void learn_agents(Thread& thread, const std::vector<AgentClock>& agents) {
  Cluster& cluster = *thread.cluster;
  const Clock* from = nullptr;
  Clock* to = nullptr;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    Thread& each = cluster.threads[thread.warp->first_thread + lane];
    if (each.known != from || to == nullptr) {
      from = each.known;
      cluster.clocks.release(to);
      to = cluster.clocks.copy(*each.known);
      for (const AgentClock& agent : agents) {
        to->known[agent.agent] = std::max(to->known[agent.agent], agent.clock);
      }
    }
    cluster.clocks.share(each.known, to);
  }
  cluster.clocks.release(to);
}

// Groups below `end` are done: this is the latest moment at which their operands may be read.
void finish_groups(Thread& thread, int64_t end) {
  Warp& warp = *thread.warp;
  std::vector<Pending>& pending = warp.wgmma.pending;
  std::vector<AgentClock> agents;
  for (Pending& product : pending) {
    if (product.group >= end) break;
    multiply(thread, product);
    warp.matrices.end_flight(product.sums);
    if (product.operands.a_in_registers) warp.matrices.end_flight(product.a);
    agents.push_back(product.agent.id);
    release_agent(*thread.cluster, product.agent);
  }
  pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(agents.size()));
  if (!agents.empty()) learn_agents(thread, agents);
}

// setmaxnreg; d 1: increase, 0: decrease. The first one of a warp is taken in either direction, as
// the compiler's register count is not known here; nor is it seen whether the warpgroup met at a
// barrier between two.
void set_registers(Thread& thread, const WarpgroupOp& op) {
  uint32_t& registers = thread.warp->wgmma.registers;
  const bool increases = op.d != 0;
  std::string what;
  if (op.bits % 8 != 0 || op.bits < kFewestRegisters || op.bits > kMostRegisters) {
    what = str_cat("setmaxnreg: expected a multiple of 8 in 24..256, got ", op.bits);
  } else if (registers != 0 && increases != (op.bits > registers)) {
    what = str_cat("setmaxnreg: ", increases ? "increase" : "decrease", " from ", registers, " to ",
                   op.bits);
  }
  if (!what.empty()) thread.cluster->fail(thread, op.site, std::move(what));
  registers = op.bits;
  thread.warp->wgmma.registers_site = op.site;
}

// Whoever exits later notices: the warp that lacks an operation, or one that executed it.
void check_missing_warps(Thread& thread, const WarpgroupLog& log, const Warp* warps) {
  if (log.entries.empty()) return;
  for (const Warp* warp = warps; warp != warps + kWarps; ++warp) {
    const bool is_over = warp == thread.warp || thread.cluster->has_exited(*warp);
    if (!is_over || warp->wgmma.operations != log.first) continue;
    thread.cluster->fail(thread, log.entries.front().op.site,
                         str_cat("only ", log.entries.front().warps,
                                 " warps of a warpgroup execute this, and another one exits"));
  }
}

// What setmaxnreg asked for must fit together when all is done: an increase waits for it.
void check_register_total(Thread& thread) {
  const Block& block = *thread.block;
  if (block.exited + 1 < block.thread_count) return;
  uint32_t total = 0;
  CallSite site = {};
  for (uint32_t i = 0; i < block.warp_count; ++i) {
    const WgmmaState& state = thread.cluster->warps[block.first_warp + i].wgmma;
    total += state.registers * kLanes;
    if (state.registers != 0) site = state.registers_site;
  }
  if (total <= kBlockRegisters) return;
  thread.cluster->fail(thread, site,
                       str_cat("setmaxnreg: the warps of the block ask for ", total,
                               " registers together, of ", kBlockRegisters));
}

}  // namespace

void execute_wgmma_op(Thread& thread, const WarpgroupOp& op) {
  // sm_90a alone has wgmma; setmaxnreg came with it and stayed.
  Cluster& cluster = *thread.cluster;
  cluster.require(thread, 90, "warpgroup instructions", op.site);
  if (op.code != WarpOpCode::kSetRegisters && cluster.launch.options.compute_capability >= 100) {
    cluster.fail_capability(thread, "wgmma", op.site);
  }
  WgmmaState& state = thread.warp->wgmma;
  check_agreement(thread, op);
  switch (op.code) {
    case WarpOpCode::kWgmmaFence: thread.warp->matrices.fence(); break;
    case WarpOpCode::kWgmma: issue(thread, op); break;
    case WarpOpCode::kWgmmaCommit: ++state.open_group; break;
    case WarpOpCode::kWgmmaWait: finish_groups(thread, state.open_group - op.bits); break;
    default: set_registers(thread, op); break;
  }
}

void finish_wgmma(Thread& thread) {
  const WgmmaState& state = thread.warp->wgmma;
  if (!state.pending.empty()) {
    thread.cluster->fail(thread, state.pending[0].site,
                         "the thread exits with a wgmma that it never waited for");
  }
  const Block& block = *thread.block;
  const uint32_t group = warp_in_block(thread) / kWarps;
  if (group >= block.warpgroups.size()) return;  // fewer than four warps: they executed none
  check_missing_warps(thread, block.warpgroups[group],
                      &thread.cluster->warps[block.first_warp + group * kWarps]);
  check_register_total(thread);
}

void reset_wgmma(Cluster& cluster, Warp& warp) {
  for (Pending& product : warp.wgmma.pending) release_agent(cluster, product.agent);
  warp.wgmma.pending.clear();
  warp.wgmma.open_group = 0;
  warp.wgmma.operations = 0;
  warp.wgmma.registers = 0;
}

void reset_warpgroups(Block& block) {
  block.warpgroups.resize(block.warp_count / kWarps);
  for (WarpgroupLog& log : block.warpgroups) {
    log.entries.clear();
    log.first = 0;
  }
}

}  // namespace yolocu::emulation

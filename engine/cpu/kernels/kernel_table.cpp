#include "engine/cpu/kernels/kernel_table.h"

#include <cstdlib>
#include <string_view>

namespace yolocu::cpu {
namespace {

#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && has_avx2();
}

bool has_avx512_dot() {
  return has_avx512() && __builtin_cpu_supports("avx512bf16") &&
         __builtin_cpu_supports("avx512vnni");
}
#else
bool has_avx2() {
  return false;
}
bool has_avx512() {
  return false;
}
bool has_avx512_dot() {
  return false;
}
#endif

const KernelTable& choose() {
  const char* const wish = std::getenv("YOLOCU_CPU_KERNELS");
  const KernelTable* best = nullptr;
  for (const KernelTable* table :
       {avx512_dot_kernels(), avx512_kernels(), avx2_kernels(), portable_kernels()}) {
    if (table == nullptr || !can_run(*table)) continue;
    if (wish != nullptr && std::string_view(wish) == table->name) return *table;
    if (best == nullptr) best = table;
  }
  return *best;
}

}  // namespace

bool can_run(const KernelTable& table) {
  if (&table == portable_kernels()) return true;
  if (&table == avx2_kernels()) return has_avx2();
  if (&table == avx512_kernels()) return has_avx512();
  return &table == avx512_dot_kernels() && has_avx512_dot();
}

const KernelTable& kernel_table() {
  static const KernelTable& table = choose();
  return table;
}

}  // namespace yolocu::cpu

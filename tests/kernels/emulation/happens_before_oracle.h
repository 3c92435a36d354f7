// What the checks of global memory are judged by: every access ever made, one full vector clock a
// thread, and the definition of a race. Shares nothing with kernels/emulation but the kinds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "kernels/emulation/global_shadow.h"

namespace yolocu::testing {

class HappensBeforeOracle {
 public:
  using Times = std::vector<uint32_t>;  // a thread each
  struct Access {
    uint32_t thread, time;
    emulation::GlobalAccess kind;
    size_t offset, size;
    uint32_t launch;
    Times seen;  // by its thread
  };

  explicit HappensBeforeOracle(size_t threads)
      : threads_(threads), seen_(threads, Times(threads)), fenced_(seen_), pending_(seen_) {
    waited_.assign(threads, true);
  }

  void start_launch(bool is_dependent) {
    ++launch_;
    if (!is_dependent) first_in_chain_ = launch_;
    waited_.assign(threads_, !is_dependent);
    words_.clear();
    seen_.assign(threads_, Times(threads_));
    fenced_ = pending_ = seen_;
    time_ = 0;
  }
  void wait(uint32_t thread) { waited_[thread] = true; }
  uint32_t launch() const { return launch_; }
  uint32_t first_in_chain() const { return first_in_chain_; }

  // Earlier accesses that this one conflicts with. Recorded either way.
  std::vector<Access> access(uint32_t thread, emulation::GlobalAccess kind, size_t offset,
                             size_t size) {
    Access now{thread, step(thread), kind, offset, size, launch_, seen_[thread]};
    std::vector<Access> conflicts;
    for (const Access& old : history_) {
      if (is_race(old, now)) conflicts.push_back(old);
    }
    history_.push_back(now);
    return conflicts;
  }

  void barrier(uint32_t first, uint32_t end) {
    Times all(threads_);
    for (uint32_t t = first; t < end; ++t) {
      step(t);
      join(all, seen_[t]);
    }
    for (uint32_t t = first; t < end; ++t) seen_[t] = all;
  }
  void fence(uint32_t t) {
    step(t);
    join(seen_[t], pending_[t]);
    fenced_[t] = seen_[t];
  }
  void load(uint32_t t, size_t word, bool acquires) {
    step(t);
    join(acquires ? seen_[t] : pending_[t], word_at(word));
  }
  void store(uint32_t t, size_t word, bool releases) {
    step(t);
    word_at(word) = releases ? seen_[t] : fenced_[t];
  }
  void update(uint32_t t, size_t word, bool acquires, bool releases) {
    step(t);
    const Times released = releases ? seen_[t] : fenced_[t];
    join(acquires ? seen_[t] : pending_[t], word_at(word));
    join(word_at(word), released);
  }

  // Whether the shadow may have forgotten `old` by now: two others of its kind on a byte of it that
  // nothing orders with it.
  bool may_be_forgotten(const Access& old) const {
    if (old.kind == emulation::GlobalAccess::kWrite) return false;
    int others = 0;
    for (const Access& other : history_) {
      const bool is_same_kind = atomic(other) == atomic(old) && writes(other) == writes(old);
      others += is_same_kind && overlap(other, old) && other.launch == old.launch &&
                !is_before(old, other) && !is_before(other, old);
    }
    return others - (is_before(old, old) ? 0 : 1) >= 2;
  }

 private:
  static void join(Times& into, const Times& from) {
    for (size_t i = 0; i < into.size(); ++i) into[i] = std::max(into[i], from[i]);
  }
  static bool writes(const Access& a) {
    return a.kind != emulation::GlobalAccess::kRead &&
           a.kind != emulation::GlobalAccess::kAtomicRead;
  }
  static bool atomic(const Access& a) {
    return a.kind != emulation::GlobalAccess::kRead && a.kind != emulation::GlobalAccess::kWrite;
  }
  static bool overlap(const Access& a, const Access& b) {
    return a.offset < b.offset + b.size && b.offset < a.offset + a.size;
  }
  static bool is_before(const Access& old, const Access& now) {
    return old.time <= now.seen[old.thread];
  }

  bool is_race(const Access& old, const Access& now) const {
    if (!overlap(old, now) || (!writes(old) && !writes(now)) || (atomic(old) && atomic(now))) {
      return false;
    }
    if (old.launch != now.launch) return old.launch >= first_in_chain_ && !waited_[now.thread];
    return !is_before(old, now);
  }

  uint32_t step(uint32_t thread) { return seen_[thread][thread] = ++time_; }
  Times& word_at(size_t word) { return words_.try_emplace(word, threads_).first->second; }

  size_t threads_;
  uint32_t launch_ = 1, first_in_chain_ = 1, time_ = 0;
  std::vector<Times> seen_, fenced_, pending_;
  std::vector<bool> waited_;
  std::map<size_t, Times> words_;
  std::vector<Access> history_;
};

}  // namespace yolocu::testing

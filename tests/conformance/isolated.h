// Work in another process: a device that hangs or whose context is lost takes nothing else with it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>

#include "tests/conformance/case.h"

namespace yolocu::conformance {

// Does one item of work after the other in a forked process, which keeps what `work` holds (a CUDA
// context) from one to the next. A process that dies, takes longer than `limit` or returns an
// error, after which a context may be of no use, is replaced for the next item.
class IsolatedWorker {
 public:
  using Work = std::function<Result<Bytes>(size_t item)>;

  // Starts nothing yet. CUDA must not be in use in this process.
  IsolatedWorker(Work work, std::chrono::milliseconds limit)
      : work_(std::move(work)), limit_(limit) {}
  ~IsolatedWorker() { stop(); }
  IsolatedWorker(const IsolatedWorker&) = delete;
  IsolatedWorker& operator=(const IsolatedWorker&) = delete;

  // What work(item) returns there. kUnavailable if the process dies, or is killed at the limit.
  Result<Bytes> run(size_t item);

 private:
  Status start();
  Result<Bytes> ask(size_t item);
  int stop();  // the status that the process ended with, as of waitpid

  Work work_;
  std::chrono::milliseconds limit_;
  pid_t process_ = -1;
  int socket_ = -1;
};

}  // namespace yolocu::conformance

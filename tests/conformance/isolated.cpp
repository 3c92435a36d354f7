#include "tests/conformance/isolated.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "engine/base/str_cat.h"

namespace yolocu::conformance {
namespace {

using Clock = std::chrono::steady_clock;

// The message: the code of a Status, then its text or, after kOk, the bytes.
Bytes packed(const Result<Bytes>& result) {
  Bytes message = {static_cast<uint8_t>(result.status().code())};
  const std::string text = result.status().message();
  message.insert(message.end(), text.begin(), text.end());
  if (result.ok()) message.insert(message.end(), result->begin(), result->end());
  return message;
}

Result<Bytes> unpacked(const Bytes& message) {
  const auto code = static_cast<StatusCode>(message[0]);
  if (code == StatusCode::kOk) return Bytes(message.begin() + 1, message.end());
  return Status(code, std::string(message.begin() + 1, message.end()));
}

[[noreturn]] void work_in_child(const std::function<Result<Bytes>()>& work, int pipe) {
  const Bytes message = packed(work());
  size_t done = 0;
  while (done < message.size()) {
    const ssize_t count = write(pipe, message.data() + done, message.size() - done);
    if (count < 0) break;
    done += static_cast<size_t>(count);
  }
  _exit(0);  // the parent's buffers and handlers are not this process's to flush and call
}

// Until the other end is closed; false at the deadline.
bool read_all(int pipe, Clock::time_point deadline, Bytes& message) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting = {.fd = pipe, .events = POLLIN, .revents = 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) return false;
    uint8_t buffer[65536];
    const ssize_t count = read(pipe, buffer, sizeof(buffer));
    if (count <= 0) return true;
    message.insert(message.end(), buffer, buffer + count);
  }
}

std::string end_text(int status) {
  return WIFSIGNALED(status) ? str_cat("signal ", WTERMSIG(status))
                             : str_cat("exit code ", WEXITSTATUS(status));
}

}  // namespace

Result<Bytes> run_isolated(const std::function<Result<Bytes>()>& work,
                           std::chrono::milliseconds limit) {
  int ends[2];
  if (pipe(ends) != 0) return unavailable("cannot make a pipe");
  const pid_t child = fork();
  if (child < 0) return unavailable("cannot start a process");
  if (child == 0) {
    close(ends[0]);
    work_in_child(work, ends[1]);
  }
  close(ends[1]);
  Bytes message;
  const bool in_time = read_all(ends[0], Clock::now() + limit, message);
  close(ends[0]);
  if (!in_time) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (!in_time) return unavailable(str_cat("still running after ", limit.count(), " ms"));
  if (status != 0 || message.empty()) {
    return unavailable(str_cat("its process ended with ", end_text(status)));
  }
  return unpacked(message);
}

}  // namespace yolocu::conformance

#include "tests/conformance/isolated.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "engine/base/str_cat.h"

namespace yolocu::conformance {
namespace {

using Clock = std::chrono::steady_clock;

// An answer: its size without these 8 bytes, the code of a Status, then its text or, after kOk, the
// bytes.
constexpr size_t kSizeBytes = sizeof(uint64_t);

Bytes packed(const Result<Bytes>& result) {
  const std::string text = result.status().message();
  const uint64_t size = 1 + (result.ok() ? result->size() : text.size());
  Bytes answer(kSizeBytes);
  std::memcpy(answer.data(), &size, kSizeBytes);
  answer.push_back(static_cast<uint8_t>(result.status().code()));
  if (!result.ok()) answer.insert(answer.end(), text.begin(), text.end());
  if (result.ok()) answer.insert(answer.end(), result->begin(), result->end());
  return answer;
}

Result<Bytes> unpacked(const Bytes& answer) {
  const auto code = static_cast<StatusCode>(answer[kSizeBytes]);
  const auto begin = answer.begin() + kSizeBytes + 1;
  if (code == StatusCode::kOk) return Bytes(begin, answer.end());
  return Status(code, std::string(begin, answer.end()));
}

bool is_whole(const Bytes& answer) {
  uint64_t size = 0;
  if (answer.size() <= kSizeBytes) return false;
  std::memcpy(&size, answer.data(), kSizeBytes);
  return answer.size() == kSizeBytes + size;
}

// False if the other end is closed, which shall raise no SIGPIPE.
bool send_all(int socket, const void* bytes, size_t size) {
  const char* rest = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t count = send(socket, rest, size, MSG_NOSIGNAL);
    if (count <= 0) return false;
    rest += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

// An exception ends this process, and not as a second one of the parent.
[[noreturn]] void work_in_child(const IsolatedWorker::Work& work, int socket) noexcept {
  size_t item = 0;
  while (recv(socket, &item, sizeof(item), MSG_WAITALL) == static_cast<ssize_t>(sizeof(item))) {
    const Bytes answer = packed(work(item));
    if (!send_all(socket, answer.data(), answer.size())) break;
  }
  _exit(0);  // the parent's buffers and handlers are not this process's to flush and call
}

enum class Answer : uint8_t { kWhole, kEnded, kLate };

Answer receive(int socket, Clock::time_point deadline, Bytes& answer) {
  while (!is_whole(answer)) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting = {.fd = socket, .events = POLLIN, .revents = 0};
    if (left <= 0) return Answer::kLate;
    const int ready = poll(&waiting, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Answer::kLate;
    uint8_t buffer[65536];
    const ssize_t count = recv(socket, buffer, sizeof(buffer), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Answer::kEnded;
    answer.insert(answer.end(), buffer, buffer + count);
  }
  return Answer::kWhole;
}

std::string end_text(int status) {
  return WIFSIGNALED(status) ? str_cat("signal ", WTERMSIG(status))
                             : str_cat("exit code ", WEXITSTATUS(status));
}

}  // namespace

Result<Bytes> IsolatedWorker::run(size_t item) {
  if (process_ < 0) YOLOCU_RETURN_IF_ERROR(start());
  Result<Bytes> result = ask(item);
  if (!result.ok()) stop();
  return result;
}

Status IsolatedWorker::start() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return unavailable("cannot make sockets");
  process_ = fork();
  if (process_ == 0) {
    close(ends[0]);
    work_in_child(work_, ends[1]);
  }
  close(ends[1]);
  socket_ = ends[0];
  if (process_ > 0) return {};
  close(socket_);
  return unavailable("cannot start a process");
}

Result<Bytes> IsolatedWorker::ask(size_t item) {
  Bytes bytes;
  const Clock::time_point deadline = Clock::now() + limit_;
  const Answer answer =
      send_all(socket_, &item, sizeof(item)) ? receive(socket_, deadline, bytes) : Answer::kEnded;
  if (answer == Answer::kWhole) return unpacked(bytes);
  if (answer == Answer::kEnded) {
    return unavailable(str_cat("its process ended with ", end_text(stop())));
  }
  kill(process_, SIGKILL);
  return unavailable(str_cat("still running after ", limit_.count(), " ms"));
}

int IsolatedWorker::stop() {
  int status = 0;
  if (process_ < 0) return status;
  shutdown(socket_, SHUT_RDWR);  // even if a process forked since then has it, too
  close(socket_);
  waitpid(process_, &status, 0);
  process_ = -1;
  return status;
}

}  // namespace yolocu::conformance

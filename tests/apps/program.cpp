#include "tests/apps/program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/test_support.h"

namespace yolocu::testing {
namespace {

std::string file_text(const std::string& path) {
  const auto bytes = read_bytes(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// In the child, between fork and exec: only calls that are safe there.
void redirect(int target, const char* path, int flags) {
  const int file = open(path, flags, 0600);
  if (file < 0 || dup2(file, target) < 0) _exit(127);
  close(file);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

ProgramResult run_yolocu(const std::vector<std::string>& arguments,
                         const std::string& stdout_path) {
  const TempDir folder;
  const std::string out = stdout_path.empty() ? folder.file("out") : stdout_path;
  const std::string err = folder.file("err");
  std::vector<std::string> words = {YOLOCU_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  const pid_t child = fork();
  if (child == 0) {
    redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
    redirect(STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT);
    redirect(STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT);
    execv(argv[0], argv.data());
    _exit(127);
  }
  ProgramResult result;
  int status = 0;
  rusage usage{};
  if (child < 0 || wait4(child, &status, 0, &usage) != child) return result;
  result.peak_bytes = int64_t{usage.ru_maxrss} * 1024;
  result.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (stdout_path.empty()) result.out = file_text(out);
  result.err = file_text(err);
  return result;
}

}  // namespace yolocu::testing

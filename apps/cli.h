// The yolocu program but for main(): command line to subcommand to exit code.
#pragma once

namespace yolocu {

// Runs the program as the shell started it. Returns 0 for success, 1 if something failed (one line
// "yolocu: FILE: cause" on stderr each), 2 for a command line that makes no sense (one line that
// points to --help). Throws nothing.
int run_program(int argc, const char* const* argv);

}  // namespace yolocu

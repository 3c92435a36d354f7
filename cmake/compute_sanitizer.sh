#!/usr/bin/env bash
# Runs the tests of a build folder that use a GPU (ctest label `device`) under NVIDIA's
# compute-sanitizer: memcheck, racecheck, synccheck and initcheck, one after the other. A kernel that
# one of them objects to fails its test.
# Usage: cmake/compute_sanitizer.sh BUILD_DIR [ctest arguments...]
#        cmake/compute_sanitizer.sh --command PROGRAM [arguments...]
# The second form runs one program instead, under memcheck and racecheck.
# Status: 0; 1 if a test failed; 2 for a wrong call; 77 (skipped) without a GPU or the tool.
set -euo pipefail

skip() {
  echo "compute-sanitizer: skipped: $*" >&2
  exit 77
}

if (($# < 1)) || [[ $1 == --command && $# -lt 2 ]] ||
  [[ $1 != --command && ! -f $1/CTestTestfile.cmake ]]; then
  echo "usage: cmake/compute_sanitizer.sh BUILD_DIR [ctest arguments...]" >&2
  echo "       cmake/compute_sanitizer.sh --command PROGRAM [arguments...]" >&2
  echo "BUILD_DIR: a build with tests and CUDA, such as build/dev" >&2
  exit 2
fi
build=$1
shift

# Without a device every test would skip itself, and the run would look clean.
command -v nvidia-smi >/dev/null || skip "it needs a GPU, and there is no nvidia-smi"
devices=$(nvidia-smi --list-gpus 2>&1) || skip "it needs a GPU; nvidia-smi says: $devices"
[[ $devices == *GPU* ]] || skip "it needs a GPU, and nvidia-smi lists none"
sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
[[ -x $sanitizer ]] || skip "there is no compute-sanitizer in PATH or /usr/local/cuda/bin"
echo "$devices"

if [[ $build == --command ]]; then
  for tool in memcheck racecheck; do
    echo "==> $tool: $*"
    "$sanitizer" --tool "$tool" --error-exitcode 1 "$@" </dev/null ||
      { echo "error: compute-sanitizer objected, or the program failed" >&2 && exit 1; }
  done
  exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# One line a test program: its path, a tab, a file that names its cases in a flag (an argument may be
# too long). One process a program and tool: starting under the sanitizer takes seconds.
list_programs() {
  ctest --test-dir "$build" -L '^device$' --show-only=json-v1 "$@" | python3 -c '
import collections, json, sys
filters = collections.defaultdict(list)
flag = "--gtest_filter="
for test in json.load(sys.stdin)["tests"]:
    program, *arguments = test["command"]
    filters[program] += [a[len(flag):] for a in arguments if a.startswith(flag)]
for number, (program, cases) in enumerate(filters.items()):
    flags = f"{sys.argv[1]}/{number}"
    print(flag + ":".join(cases), file=open(flags, "w"))
    print(program, flags, sep="\t")' "$scratch"
}

programs=$(list_programs "$@")
if [[ -z $programs ]]; then
  echo "error: $build has no test with the label device; build its tests first" >&2
  exit 1
fi

status=0
for tool in memcheck racecheck synccheck initcheck; do
  while IFS=$'\t' read -r program flags; do
    echo "==> $tool: $program"
    "$sanitizer" --tool "$tool" --error-exitcode 1 "$program" "--gtest_flagfile=$flags" \
      </dev/null || status=1
  done <<<"$programs"
done
if ((status)); then
  echo "error: a test failed, or compute-sanitizer objected; see above" >&2
fi
exit "$status"

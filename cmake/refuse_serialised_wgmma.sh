#!/usr/bin/env bash
# Runs a compiler command and fails if ptxas remarks C75xx: it has serialised wgmma, or put in fences
# and waits of its own, because sums are touched while they are in flight or no wgmma_fence comes
# before. Such code is correct and slow. ptxas calls the remark information, so that neither
# -Werror=all-warnings nor -Xptxas -Werror fails on it. CMake puts this before every nvcc command.
# Usage: cmake/refuse_serialised_wgmma.sh COMMAND...
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
"$@" 2>"$log" || status=$?
cat "$log" >&2
if ((status == 0)) && grep -qE '\(C75[0-9]{2}\)' "$log"; then
  echo "error: ptxas changes the order of wgmma (C75xx above); kernels/device/wgmma.h has the rules" >&2
  status=1
  output=
  for word in "$@"; do  # an object that stayed would pass for built
    [[ $output != -o ]] || rm -f "$word"
    output=$word
  done
fi
exit "$status"

#!/usr/bin/env bash
# Compiles every kernel for every supported GPU architecture, as a release does. Needs nvcc 12.8 or
# later, no GPU. Result: build/all-architectures/kernels/libyolocu_kernels.a
# Usage: cmake/build_all_architectures.sh [architecture...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A100; RTX 30; RTX 40 and L4; H100; B200; RTX 50.
architectures=(80 86 89 90a 100a 120a)
if (($#)); then
  architectures=("$@")
fi
list=$(IFS=';' && echo "${architectures[*]}")

nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
version=$("$nvcc" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\).*/\1/p')
if [[ -z $version ]] || [[ $(printf '12.8\n%s\n' "$version" | sort -V | head -n 1) != 12.8 ]]; then
  echo "error: needs nvcc 12.8 or later, found ${version:-none}" >&2
  exit 1
fi

echo "==> compiling the kernels for sm_${list//;/, sm_}"
cmake -S . -B build/all-architectures -G Ninja -DCMAKE_BUILD_TYPE=Release -DYOLOCU_CUDA=ON \
  -DYOLOCU_BUILD_TESTS=OFF -DYOLOCU_BUILD_BENCH=OFF -DYOLOCU_WARNINGS_AS_ERRORS=ON \
  "-DCMAKE_CUDA_ARCHITECTURES=$list"
cmake --build build/all-architectures --target yolocu_kernels
echo "==> built build/all-architectures/kernels/libyolocu_kernels.a"

#!/usr/bin/env python3
"""Prints what every kernel uses on every architecture, and fails on what a kernel must not have.

Usage: cmake/kernel_report.py [ARCHITECTURE...]     compiles the kernels first, as a release does
       cmake/kernel_report.py --compiled PATH...    objects, archives or build folders that are there

Architectures: 80 86 89 90a 100a 120a unless given. Every primitive is compiled for them too. That needs nvcc 12.8 or later, no GPU; the
result is build/all-architectures/kernels/libyolocu_kernels.a. Of a build folder that archive is read.

Failures (status 1):
  - a stack frame or accesses to local memory: registers were spilled, or an array has an index that
    is not known when compiling. Exceptions: cmake/allowed_spills.txt;
  - a body that does nothing: what needs another architecture must trap instead.
Kernels that trap are marked 'needs newer': they hold an instruction that the architecture lacks, and
dispatch must not choose them there. That wgmma is not serialised is checked when it is compiled
(cmake/refuse_serialised_wgmma.sh).
"""

import argparse
import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import cubin  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
ARCHIVE = pathlib.Path("kernels/libyolocu_kernels.a")
# The second one holds every primitive once: it is compiled, and not reported.
TARGETS = ["yolocu_kernels", "primitives_compile"]
ALLOWED_SPILLS = ROOT / "cmake/allowed_spills.txt"
# A100; RTX 30; RTX 40 and L4; H100; B200; RTX 50.
ARCHITECTURES = ["80", "86", "89", "90a", "100a", "120a"]
OLDEST_NVCC = (12, 8)  # the first that knows them all


def fail(message):
    sys.exit(f"error: {message}")


def nvcc_version():
    nvcc = os.environ.get("CUDACXX") or shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    try:
        text = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return None
    found = re.search(r"release (\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def compile_kernels(architectures):
    version = nvcc_version()
    if version is None or version < OLDEST_NVCC:
        found = "none" if version is None else "%d.%d" % version
        fail(f"needs nvcc 12.8 or later, found {found}")
    build = ROOT / "build/all-architectures"
    switches = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_CUDA_ARCHITECTURES": ";".join(architectures),
        "YOLOCU_CUDA": "ON",
        "YOLOCU_WARNINGS_AS_ERRORS": "ON",
        "YOLOCU_BUILD_TESTS": "ON",  # for primitives_compile
        "YOLOCU_BUILD_BENCH": "OFF",
    }
    print(f"==> compiling the kernels for sm_{', sm_'.join(architectures)}", flush=True)
    configure = ["cmake", "-S", ROOT, "-B", build, "-G", "Ninja"]
    configure += [f"-D{name}={value}" for name, value in switches.items()]
    for command in (configure, ["cmake", "--build", build, "--target", *TARGETS]):
        if subprocess.run(command).returncode != 0:
            fail("compiling failed")
    return build


def read_kernels(paths):
    """{(symbol, architecture): kernel}; of copies in several objects one is enough."""
    kernels = {}
    for path in paths:
        file = path / ARCHIVE if path.is_dir() else path
        if not file.is_file():
            fail(f"{file} does not exist: build the target yolocu_kernels first")
        try:
            for kernel in cubin.kernels_in(file):
                kernels[kernel.symbol, kernel.architecture] = kernel
        except cubin.Unreadable as error:
            fail(f"{file}: {error}")
    if not kernels:
        fail(f"no kernels in {' '.join(map(str, paths))}")
    return list(kernels.values())


def readable_names(symbols):
    """{symbol: name}: demangled, without parameters and our own namespaces."""
    names = symbols
    if shutil.which("c++filt"):
        text = "\n".join(symbols)
        run = subprocess.run(["c++filt", "-p"], input=text, capture_output=True, text=True)
        names = run.stdout.splitlines()
    short = [re.sub(r"^void |yolocu::|cuda_target::|device::", "", name) for name in names]
    return dict(zip(symbols, short))


class AllowedSpills:
    """Lines "sm_90a PATTERN": kernels, by pattern of their readable name, that may use a stack."""

    def __init__(self, path):
        lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
        self.entries = [tuple(line.split(maxsplit=1)) for line in lines if line]
        self.used = set()
        for entry in self.entries:
            if len(entry) != 2:
                fail(f"{path}: expected 'ARCHITECTURE PATTERN', got '{' '.join(entry)}'")

    def allows(self, architecture, name):
        of_architecture = [e for e in self.entries if e[0] == architecture]
        found = [e for e in of_architecture if fnmatch.fnmatchcase(name, e[1])]
        self.used.update(found)
        return bool(found)

    def unused(self, architectures):
        return [e for e in self.entries if e[0] in architectures and e not in self.used]


def remarks(kernel, name, allowed):
    """(text for the table, failures)."""
    failures = []
    if kernel.only_exits:
        failures.append("does nothing")
    if kernel.stack_bytes or kernel.local_stores or kernel.local_loads:
        if allowed.allows(kernel.architecture, name):
            return "allowed spills", failures
        failures.append("uses local memory")
    return ", ".join(failures) or ("needs newer" if kernel.traps else ""), failures


def architecture_number(architecture):
    return int(re.search(r"\d+", architecture)[0])


def print_table(kernels, names, allowed):
    """One line a kernel and architecture; returns how many failed."""
    width = max(len(name) for name in [*names.values(), "kernel"])
    print(f"{'kernel':{width}}  arch     registers  shared  stack  local st/ld")
    failed = 0
    kernels.sort(key=lambda k: (names[k.symbol], architecture_number(k.architecture)))
    for kernel in kernels:
        remark, failures = remarks(kernel, names[kernel.symbol], allowed)
        failed += bool(failures)
        print(
            f"{names[kernel.symbol]:{width}}  {kernel.architecture:7}  {kernel.registers:9}  "
            f"{kernel.shared_bytes:6}  {kernel.stack_bytes:5}  "
            f"{f'{kernel.local_stores}/{kernel.local_loads}':>11}  {remark}".rstrip()
        )
    return failed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("architecture", nargs="*", help="80, 90a, ...")
    parser.add_argument("--compiled", nargs="+", type=pathlib.Path, metavar="PATH")
    parser.add_argument("--allowed", type=pathlib.Path, default=ALLOWED_SPILLS, metavar="FILE")
    arguments = parser.parse_args()
    paths = arguments.compiled or [compile_kernels(arguments.architecture or ARCHITECTURES)]
    kernels = read_kernels(paths)
    names = readable_names(sorted({kernel.symbol for kernel in kernels}))
    allowed = AllowedSpills(arguments.allowed)
    failed = print_table(kernels, names, allowed)
    architectures = {kernel.architecture for kernel in kernels}
    for architecture, pattern in allowed.unused(architectures):
        failed += 1
        print(f"{arguments.allowed}: nothing spills any more: {architecture} {pattern}")
    print(f"{len(names)} kernels on {', '.join(sorted(architectures, key=architecture_number))}")
    if failed:
        fail(f"{failed} of the lines above name what a kernel must not have")


if __name__ == "__main__":
    main()

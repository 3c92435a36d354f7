#!/usr/bin/env python3
"""cmake/kernel_report.py and cmake/refuse_serialised_wgmma.sh, on kernels with planted faults.

Usage: kernel_report_test.py NVCC ARCHITECTURE... (80 90a ...)
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cmake"))
import cubin  # noqa: E402

NVCC, *ARCHITECTURES = sys.argv[1:]
KERNELS = ROOT / "tests/kernels/reported_kernels.cu"
CHAIN = ROOT / "tests/kernels/serialised_wgmma.cu"


def gencode(architecture):
    return f"-gencode=arch=compute_{architecture},code=sm_{architecture}"


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def ptxas_figures(log):
    """{(symbol, architecture): (registers, static shared bytes, stack bytes)} of ptxas -v."""
    figures = {}
    for part in re.split(r"Compiling entry function ", log)[1:]:
        symbol, architecture = re.match(r"'(\w+)' for '(\w+)'", part).groups()
        registers = int(re.search(r"Used (\d+) registers", part)[1])
        shared = re.search(r"(\d+) bytes smem", part)
        stack = int(re.search(r"(\d+) bytes stack frame", part)[1])
        figures[symbol, architecture] = (registers, int(shared[1]) if shared else 0, stack)
    return figures


class KernelReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        cls.object = cls.folder / "kernels.o"
        flags = ["-Xptxas=-v", "-Wno-deprecated-gpu-targets", *map(gencode, ARCHITECTURES)]
        compiled = run(NVCC, *flags, "-c", KERNELS, "-o", cls.object)
        if compiled.returncode != 0:
            raise RuntimeError(compiled.stderr)
        cls.figures = ptxas_figures(compiled.stderr)
        cls.kernels = list(cubin.kernels_in(cls.object))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def of_name(self, name):
        found = [kernel for kernel in self.kernels if name in kernel.symbol]
        self.assertEqual(len(found), len(ARCHITECTURES))
        return found

    def report(self, *extra):
        return run(sys.executable, ROOT / "cmake/kernel_report.py", *extra)

    def test_figures_are_those_of_ptxas(self):
        read = {
            (k.symbol, k.architecture): (k.registers, k.shared_bytes, k.stack_bytes)
            for k in self.kernels
        }
        self.assertEqual(len(read), 5 * len(ARCHITECTURES))
        self.assertEqual(read, self.figures)

    def test_static_shared_memory(self):
        for kernel in self.of_name("reverse"):
            self.assertEqual((kernel.shared_bytes, kernel.stack_bytes), (128, 0), kernel)

    def test_local_memory(self):
        for kernel in self.of_name("has_stack") + self.of_name("spills"):
            self.assertGreater(kernel.stack_bytes, 0, kernel)
            self.assertGreater(kernel.local_stores, 0, kernel)
            self.assertGreater(kernel.local_loads, 0, kernel)
        for kernel in self.of_name("reverse"):
            self.assertEqual((kernel.local_stores, kernel.local_loads), (0, 0), kernel)

    def test_empty_and_trapping_bodies(self):
        for kernel in self.kernels:
            self.assertEqual(kernel.only_exits, "does_nothing" in kernel.symbol, kernel)
            self.assertEqual(kernel.traps, "traps" in kernel.symbol, kernel)

    def test_report_fails_and_names_the_faults(self):
        report = self.report("--compiled", self.object)
        self.assertEqual(report.returncode, 1, report.stderr)
        self.assertIn(f"{3 * len(ARCHITECTURES)} of the lines above", report.stderr)
        for name, remark in (
            ("has_stack", "uses local memory"),
            ("spills", "uses local memory"),
            ("does_nothing", "does nothing"),
            ("traps", "needs newer"),
        ):
            lines = [line for line in report.stdout.splitlines() if line.startswith(name)]
            self.assertEqual(len(lines), len(ARCHITECTURES))
            for line in lines:
                self.assertTrue(line.endswith(remark), line)

    def test_allowed_spills_are_used_or_reported(self):
        allowed = self.folder / "allowed.txt"
        sm = f"sm_{ARCHITECTURES[0]}"
        allowed.write_text(f"{sm} spil*  # a reason\n{sm} gone\n")
        report = self.report("--compiled", self.object, "--allowed", allowed)
        self.assertEqual(report.returncode, 1)
        self.assertRegex(report.stdout, rf"spills +{sm} .*allowed spills\n")
        self.assertIn(f"nothing spills any more: {sm} gone\n", report.stdout)
        self.assertIn(f"{3 * len(ARCHITECTURES)} of the lines above", report.stderr)

    def test_compressed_code_is_not_overlooked(self):
        compressed = self.folder / "compressed.o"
        flags = ["-Wno-deprecated-gpu-targets", "-Xfatbin=-compress-all", gencode("80")]
        self.assertEqual(run(NVCC, *flags, "-c", KERNELS, "-o", compressed).returncode, 0)
        report = self.report("--compiled", compressed)
        self.assertEqual(report.returncode, 1)
        self.assertIn("compressed", report.stderr)

    def test_missing_files_are_named(self):
        report = self.report("--compiled", self.folder / "nothing.a")
        self.assertEqual(report.returncode, 1)
        self.assertIn("nothing.a does not exist", report.stderr)


class SerialisedWgmma(unittest.TestCase):
    def compile_chain(self, folder, touch_sums):
        flags = ["-std=c++20", f"-I{ROOT}", f"-I{ROOT}/engine/include", gencode("90a")]
        flags.append(f"-DYOLOCU_TOUCH_SUMS={touch_sums}")
        refuse = ROOT / "cmake/refuse_serialised_wgmma.sh"
        output = pathlib.Path(folder) / "chain.o"
        return run(refuse, NVCC, *flags, "-c", CHAIN, "-o", output), output

    def test_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            compiled, output = self.compile_chain(folder, "true")
            self.assertEqual(compiled.returncode, 1, compiled.stderr)
            self.assertIn("(C75", compiled.stderr)
            self.assertIn("error: ptxas changes the order of wgmma", compiled.stderr)
            self.assertFalse(output.exists())

    def test_sums_left_alone_are_accepted(self):
        with tempfile.TemporaryDirectory() as folder:
            compiled, output = self.compile_chain(folder, "false")
            self.assertEqual((compiled.returncode, compiled.stderr), (0, ""))
            self.assertTrue(output.exists())

    def test_the_status_of_the_command_is_kept(self):
        refuse = ROOT / "cmake/refuse_serialised_wgmma.sh"
        self.assertEqual(run(refuse, "bash", "-c", "exit 7").returncode, 7)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

"""The steps of bench/gpu_report with programs in name only: limits, and what is wrong is noticed.

Usage: gpu_report_steps_test.py SOURCE_DIR BUILD_DIR
"""

import json
import sys
import time
import unittest

from report_fixture import SOURCE, TemporaryFolder

import report_clock
import report_steps
import report_text


class Steps(TemporaryFolder):
    def plan(self, program=None, python=sys.executable):
        """Of a machine with a GPU; test programs are files of the folder."""
        return report_steps.Plan(root=SOURCE, program=program, tests=self.folder, models=[],
                                 python=python, dry_run=False)

    def outcome(self, step, plan=None, report=None, limit=60, seconds=60):
        clock = report_clock.Clock(seconds)
        return report_clock.run_step(plan, clock, report, limit, step)

    def of_command(self, text, **limits):
        program = self.script("program", text)
        return self.outcome(lambda plan, clock, report: clock.run([program]), **limits)


class Limits(Steps):
    def test_outcomes(self):
        self.assertEqual(self.of_command("#!/bin/sh\necho fine\n"),
                         {"status": "ok", "text": "fine\n"})
        self.assertEqual(self.of_command("#!/bin/sh\necho first; echo the cause >&2; exit 3\n"),
                         {"status": "failed", "text": "program: exit 3: the cause",
                          "output": ["first", "the cause"]})
        self.assertEqual(self.of_command("#!/bin/sh\necho not here\nexit 77\n"),
                         {"status": "skipped", "text": "not here"})
        self.assertEqual(self.of_command("#!/bin/sh\n", seconds=0),
                         {"status": "skipped", "text": "no time left"})

    def test_the_last_40_lines_of_a_failure_are_kept(self):
        outcome = self.of_command("#!/bin/sh\nseq 1 100\nexit 1\n")
        self.assertEqual(outcome["output"], [str(i) for i in range(61, 101)])

    def test_a_step_beyond_its_limit_ends_with_all_that_it_started(self):
        start = time.monotonic()
        marker = self.folder / "late"
        outcome = self.of_command(
            f"#!/bin/sh\necho begun\n(sleep 4; touch {marker}) &\nsleep 60\n", limit=2)
        self.assertEqual(outcome, {"status": "timed out", "output": ["begun"],
                                   "text": "program was still running after 2 s of this step"})
        self.assertLess(time.monotonic() - start, 20)
        time.sleep(max(0, start + 5 - time.monotonic()))
        self.assertFalse(marker.exists())

    def test_all_steps_fit_in_9_minutes(self):
        self.assertLess(sum(limit for _, limit, _ in report_steps.STEPS), 9 * 60)

    def test_a_report_is_saved_after_each_step(self):
        saved = []
        report_steps.run_all(self.plan(self.folder / "absent"), 0, {},
                             lambda report: saved.append(len(report["steps"])))
        self.assertEqual(saved, list(range(1, len(report_steps.STEPS) + 1)))


# A program whose "emulated" device is off by ERROR in every value.
WRONG = """#!{python}
import sys
sys.path.insert(0, {bench!r})
sys.dont_write_bytecode = True
import npy
words = dict(zip(sys.argv[3::2], sys.argv[4::2]))
error = {{"reference": 0.0, "emulated": 1e-3, "cuda": {error}}}[words["--device"]]
npy.write_npy(words["--output"], (1, 100, 6), [i + error for i in range(600)])
"""


class Predictions(Steps):
    def predictions(self, error):
        text = WRONG.format(python=sys.executable, bench=str(SOURCE / "bench"), error=error)
        return self.outcome(report_steps.predictions, self.plan(self.script("yolocu", text)), {})

    def test_wrong_predictions_are_noticed(self):
        self.assertEqual(self.predictions("2e-3")["status"], "ok")
        outcome = self.predictions("5e-3")
        self.assertEqual(outcome["status"], "failed")
        self.assertIn("box mean", outcome["text"])
        self.assertEqual(self.predictions("float('nan')")["status"], "failed")


class KernelTests(Steps):
    # A shard i of n passes i + 1 tests and skips 2; {last}: what the last does besides.
    SHARD = """#!/bin/sh
echo "[  PASSED  ] $((GTEST_SHARD_INDEX + 1)) tests."
echo "[  SKIPPED ] 2 tests."
if [ $((GTEST_SHARD_INDEX + 1)) = "$GTEST_TOTAL_SHARDS" ]; then {last}; fi
"""

    def kernel_tests(self, last):
        self.script("tests/kernels/kernel_device_test", self.SHARD.format(last=last))
        return self.outcome(report_steps.kernel_tests, self.plan())

    def test_shards_are_summed(self):
        outcome = self.kernel_tests("true")
        self.assertEqual(outcome["status"], "ok", outcome)
        passed, _, skipped, _, _, shards, _ = outcome["text"].split()
        n = int(shards)
        self.assertEqual((int(passed), int(skipped)), (n * (n + 1) // 2, 2 * n))

    def test_one_shard_fails(self):
        outcome = self.kernel_tests("echo wrong at 3; exit 1")
        self.assertEqual(outcome["status"], "failed")
        self.assertIn("exit 1: wrong at 3", outcome["text"])
        self.assertEqual(outcome["output"][-1], "wrong at 3")

    def test_nothing_passes(self):
        self.script("tests/kernels/kernel_device_test", "#!/bin/sh\necho '[  PASSED  ] 0 tests.'\n")
        outcome = self.outcome(report_steps.kernel_tests, self.plan())
        self.assertEqual(outcome["status"], "failed")


class Networks(Steps):
    def test_one_that_fails_does_not_keep_the_others(self):
        program = self.script("yolocu", """#!/bin/sh
case "$*" in *gelan-c*) echo out of luck; exit 1 ;; esac
echo '{"size": "640x640", "batch": 1, "median_ms": 1, "p99_ms": 2}'
""")
        report = {"networks": []}
        outcome = self.outcome(report_steps.networks, self.plan(program), report)
        self.assertEqual(outcome, {
            "status": "failed", "output": ["out of luck", "out of luck"],
            "text": "gelan-c, made-up weights, batch 1: yolocu: exit 1: out of luck; "
                    "gelan-c, made-up weights, batch 32: yolocu: exit 1: out of luck"})
        self.assertEqual(len(report["networks"]), 10)


class Torch(Steps):
    PYTHON = """#!/bin/sh
if [ "$1" = -c ]; then echo 'no NumPy here'; echo 9.9 {cuda}; exit; fi
echo 'a warning'
echo '{{"mode": "eager", "batch": 1, "median_ms": 1}}'
case $2 in *gelan-c*) echo '{{"mode": "gra'; {then} ;; esac
echo '{{"mode": "graph", "batch": 1, "median_ms": 1}}'
"""

    def torch(self, cuda="True", then="true", step=report_steps.torch_networks, limit=60):
        program = self.script("yolocu", "#!/bin/sh\nexit 0\n")
        python = self.script("python", self.PYTHON.format(cuda=cuda, then=then))
        self.report = {"networks": []}
        return self.outcome(step, self.plan(program, python), self.report, limit=limit)

    def measured(self):
        return [(n["model"].split(",")[0], n["runner"]) for n in self.report["networks"]]

    def test_models_and_modes(self):
        self.assertEqual(self.torch(), {"status": "ok", "text": "torch 9.9: 6 times"})
        self.assertEqual(self.measured(), [
            (name, runner) for name in ("embedded", "gelan-c", "yolov7")
            for runner in ("torch eager", "torch graph")])

    def test_what_was_measured_before_a_failure_stays(self):
        outcome = self.torch(then="exit 5")
        self.assertEqual(outcome["status"], "ok")
        self.assertIn("5 times; gelan-c, made-up weights: python: exit 5", outcome["text"])
        self.assertEqual(self.measured()[2:4],
                         [("gelan-c", "torch eager"), ("yolov7", "torch eager")])

    def test_what_was_measured_before_the_limit_stays(self):
        outcome = self.torch(then="sleep 60", limit=3)
        self.assertEqual(outcome["status"], "ok")
        self.assertIn("3 times; no time left for all of gelan-c", outcome["text"])
        self.assertEqual(self.measured()[2:], [("gelan-c", "torch eager")])

    def test_skips(self):
        self.assertEqual(self.torch(cuda="False")["status"], "skipped")
        self.assertEqual(self.torch(cuda="is not what this says")["status"], "skipped")
        self.assertEqual(self.torch(step=report_steps.torch_compile)["status"], "skipped")


def measured(name, us, layers=1, **more):
    """An entry of Google Benchmark's JSON."""
    return {"name": f"{name}/iterations:20/manual_time", "run_name": "r", "iterations": 20,
            "real_time": us, "cpu_time": 1, "time_unit": "us", "layers": layers, **more}


ENTRIES = [measured("conv/n/a/1x8x8x8->8k1s1/igemm", 3, layers=4, **{"TFLOP/s": 1.5, "roof_%": 5}),
           measured("conv/n/a/1x8x8x8->8k1s1/cublaslt", 2, layers=4),
           measured("conv/n/b/1x8x8x8->8k3s1/igemm/splits:2", 5, **{"GB/s": 70}),
           measured("nms/n/c/1x84_13/sorted", 50), measured("nms/n/c/1x84_84/sorted", 90)]


class Kernels(Steps):
    def kernels(self, entries):
        self.script("bench/kernel_bench", f"""#!{sys.executable}
import sys
path = [word for word in sys.argv if word.startswith("--benchmark_out=")][0].split("=")[1]
open(path, "w").write({json.dumps({"benchmarks": entries})!r})
""")
        self.report = {}
        return self.outcome(report_steps.kernels, self.plan(), self.report)

    def test_rows_are_short(self):
        self.assertEqual(self.kernels(ENTRIES)["text"], "5 cases of gelan-c")
        self.assertEqual(self.report["kernels"][0], {
            "name": "conv/n/a/1x8x8x8->8k1s1/igemm", "real_time": 3, "time_unit": "us", "layers": 4,
            "TFLOP/s": 1.5, "roof_%": 5})

    def test_a_kernel_that_fails_is_named(self):
        bad = {"name": "pool/n/d/x/y", "error_occurred": True, "error_message": "lost"}
        outcome = self.kernels([*ENTRIES, bad])
        self.assertEqual((outcome["status"], outcome["text"]), ("failed", "pool/n/d/x/y: lost"))
        self.assertEqual(len(self.report["kernels"]), 5)
        self.assertEqual(self.kernels([])["status"], "failed")

    def test_tables(self):
        self.kernels(ENTRIES)
        lines = report_text.kernel_tables(self.report["kernels"]).splitlines()
        self.assertEqual([line for line in lines if line.startswith("|")], [
            "| family | layers | us |", "| --- | --- | --- |",
            "| conv | 5 | 17.0 |", "| nms of 13 | 1 | 50.0 |", "| nms of 84 | 1 | 90.0 |",
            "| conv beside cuBLASLt | 4 | 12.0 |", "| cuBLASLt | 4 | 8.0 |",
            "| kernel | layers | layers x us | us | cuBLASLt us | TFLOP/s | GB/s | roof_% |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            "| nms/n/c/1x84_84/sorted | 1 | 90.0 | 90.0 |  |  |  |  |",
            "| nms/n/c/1x84_13/sorted | 1 | 50.0 | 50.0 |  |  |  |  |",
            "| conv/n/a/1x8x8x8->8k1s1/igemm | 4 | 12.0 | 3.0 | 2.0 | 1.5 |  | 5.0 |",
            "| conv/n/b/1x8x8x8->8k3s1/igemm/splits:2 | 1 | 5.0 | 5.0 |  |  | 70.0 |  |"])

    def test_only_the_slowest_are_listed(self):
        self.kernels([measured(f"pool/n/{i}/s/v", i) for i in range(1, 31)])
        rows = [line for line in report_text.kernel_tables(self.report["kernels"]).splitlines()
                if line.startswith("| pool/")]
        self.assertEqual(len(rows), 15)
        self.assertIn("pool/n/30/", rows[0])
        self.assertIn("pool/n/16/", rows[-1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

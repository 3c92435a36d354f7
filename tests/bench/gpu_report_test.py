"""bench/gpu_report without a GPU: its dry run, its limits, and that it notices what is wrong.

Usage: gpu_report_test.py SOURCE_DIR BUILD_DIR
"""

import array
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE, BUILD = (pathlib.Path(word) for word in sys.argv[1:3])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench"))

import agreement  # noqa: E402
import npy  # noqa: E402
import report_steps  # noqa: E402
import report_text  # noqa: E402

SCRIPT = SOURCE / "bench/gpu_report"


def load_script():
    loader = importlib.machinery.SourceFileLoader("gpu_report", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_report", loader))
    loader.exec_module(module)
    return module


def run_script(*words):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True,
                          env=environment)


class TemporaryFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def script(self, name, text):
        """An executable file in the folder, which makes its parents."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def plan(self, program):
        return report_steps.Plan(root=SOURCE, program=program, tests=self.folder, models=[],
                                 python=sys.executable, dry_run=True)


class DryRun(TemporaryFolder):
    def test_everything_but_the_gpu(self):
        result = run_script(str(BUILD), "--tests", str(BUILD), "--out", self.folder, "--dry-run")
        self.assertEqual(result.returncode, 0, result.stderr)
        files = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(len(files), 2, files)
        self.assertTrue(files[0].startswith("no-gpu-"), files)
        report = json.loads((self.folder / files[0]).read_text())
        steps = {step["name"]: step for step in report["steps"]}
        self.assertEqual(list(steps), [name for name, _, _ in report_steps.STEPS])
        for name in ("predictions", "detections", "networks"):
            self.assertEqual(steps[name]["status"], "ok", steps[name])
        self.assertEqual(steps["sanitizer"]["status"], "skipped")
        self.assertNotEqual(steps["detections"]["text"][0], "0")  # the picture has objects
        ours = [n for n in report["networks"] if n["runner"] == "yolocu"]
        self.assertEqual([n["batch"] for n in ours], [1, 2])
        self.assertEqual(ours[0]["device"], "emulated")
        self.assertGreater(ours[0]["median_ms"], 0)
        text = (self.folder / files[1]).read_text()
        self.assertIn("# no GPU", text)
        self.assertIn("| embedded | 64x64 | 2 |", text)

    @unittest.skipIf(report_steps.gpu_facts(), "there is a GPU")
    def test_without_a_gpu_it_says_so_in_one_line(self):
        result = run_script(str(BUILD), "--out", self.folder)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn("no GPU", result.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_build_that_is_not_there(self):
        result = run_script(str(self.folder / "absent"), "--dry-run")
        self.assertEqual(result.returncode, 2)
        self.assertIn("absent", result.stderr)


# Stands for yolocu: everything small, and on the emulated device.
SMALL_PROGRAM = """#!{python}
import os, sys
small = {{"cuda": "emulated", "1000": "2", "200": "1", "20": "0", "32": "2"}}
words = [small.get(word, word) for word in sys.argv[1:]]
size = {{"bench": ["--size", "64"], "detect": ["--size", "320"]}}.get(words[0], [])
os.execv({program!r}, ["yolocu", *words, *size])
"""

FAKE_NVIDIA_SMI = """#!/bin/sh
case $1 in
  --list-gpus) echo 'GPU 0: NVIDIA Test Card' ;;
  *) echo 'NVIDIA Test Card, 1.0, 9.0, 1 MiB, 1 MHz, 1 MHz, 1 MHz, 1 W, 30' ;;
esac
"""


class WithACardInNameOnly(TemporaryFolder):
    """The way that a machine with a GPU takes."""

    def test_all_steps(self):
        self.script("tools/nvidia-smi", FAKE_NVIDIA_SMI)
        self.script("tools/compute-sanitizer", '#!/bin/sh\nshift 4\nexec "$@"\n')
        self.script("build/bin/yolocu", SMALL_PROGRAM.format(python=sys.executable,
                                                             program=str(BUILD / "bin/yolocu")))
        path = f"{self.folder / 'tools'}{os.pathsep}{os.environ['PATH']}"
        result = subprocess.run(
            [sys.executable, SCRIPT, self.folder / "build", "--tests", self.folder, "--out",
             self.folder / "out"], capture_output=True, text=True,
            env={**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"})
        self.assertEqual(result.returncode, 0, result.stderr)
        report_path = next((self.folder / "out").glob("test-card-*.json"))
        report = json.loads(report_path.read_text())
        self.assertEqual(report["card"], "NVIDIA Test Card")
        self.assertEqual(report["facts"]["driver_version"], "1.0")
        statuses = {step["name"]: step["status"] for step in report["steps"]}
        for name in ("sanitizer", "predictions", "detections", "networks"):
            self.assertEqual(statuses[name], "ok", report["steps"])
        self.assertEqual(statuses["kernel tests"], "skipped")
        self.assertEqual([n["iterations"] for n in report["networks"]], [2, 1])
        self.assertEqual(report["correctness"]["cuda"], report["correctness"]["emulated"])
        self.assertNotIn("dry run", report_path.with_suffix(".md").read_text())


class Steps(TemporaryFolder):
    def status(self, text, limit=10, seconds=10):
        program = self.script("program", text)
        clock = report_steps.Clock(seconds)
        return report_steps.run_step(None, clock, {}, limit, lambda p, c, r: c.run([program]))

    def test_outcomes(self):
        self.assertEqual(self.status("#!/bin/sh\necho fine\n"), ("ok", "fine\n"))
        status, text = self.status("#!/bin/sh\necho first; echo the cause >&2; exit 3\n")
        self.assertEqual(status, "failed")
        self.assertIn("exit 3: the cause", text)
        self.assertEqual(self.status("#!/bin/sh\necho not here\nexit 77\n"),
                         ("skipped", "not here"))
        self.assertEqual(self.status("#!/bin/sh\n", seconds=0)[0], "skipped")

    def test_a_step_beyond_its_limit_ends_with_all_that_it_started(self):
        start = time.monotonic()
        marker = self.folder / "late"
        status, _ = self.status(f"#!/bin/sh\n(sleep 2; touch {marker}) &\nsleep 60\n", limit=0.5)
        self.assertEqual(status, "timed out")
        self.assertLess(time.monotonic() - start, 20)
        time.sleep(max(0, start + 3 - time.monotonic()))
        self.assertFalse(marker.exists())

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

    def predictions(self, error):
        text = self.WRONG.format(python=sys.executable, bench=str(SOURCE / "bench"), error=error)
        plan = self.plan(self.script("yolocu", text))
        plan.dry_run = False  # the device is cuda
        return report_steps.run_step(plan, report_steps.Clock(60), {}, 60,
                                     report_steps.predictions)

    def test_wrong_predictions_are_noticed(self):
        self.assertEqual(self.predictions("2e-3")[0], "ok")
        status, text = self.predictions("5e-3")
        self.assertEqual(status, "failed")
        self.assertIn("box mean", text)
        self.assertEqual(self.predictions("float('nan')")[0], "failed")


class Agreement(unittest.TestCase):
    def test_spread_is_of_boxes_and_scores_apart(self):
        x = ((1, 2, 6), array.array("f", range(12)))
        y = ((1, 2, 6), array.array("f", [*range(11), 15]))
        result = agreement.compare(x, y)
        self.assertEqual(result["box"], {"mean": 0, "p99": 0, "max": 0})
        self.assertEqual(result["score"], {"mean": 1, "p99": 4, "max": 4})

    def test_detections(self):
        a = {"class_id": 1, "score": 0.5, "box": [0, 0, 100, 100]}
        near = {"class_id": 1, "score": 0.51, "box": [0, 0, 100, 98]}
        self.assertEqual(agreement.detections_differ([a], [near]), "")
        for other in ({**near, "score": 0.53}, {**near, "class_id": 2},
                      {**near, "box": [0, 0, 100, 90]}):
            self.assertNotEqual(agreement.detections_differ([a], [other]), "")
        self.assertIn("not found", agreement.detections_differ([a], [near, a]))
        self.assertIn("expected", agreement.detections_differ([a, a], [a]))


class Files(TemporaryFolder):
    def test_npy(self):
        path = self.folder / "x.npy"
        npy.write_npy(path, (2, 1, 3), [1.5, 2, -3, 0, 5, 6])
        content = path.read_bytes()
        self.assertEqual((len(content) - 24) % 64, 0)  # NEP 1: the data is aligned
        self.assertEqual(content[-24:-20], b"\x00\x00\xc0\x3f")
        self.assertEqual(npy.read_npy(path), ((2, 1, 3), array.array("f", [1.5, 2, -3, 0, 5, 6])))
        path.write_bytes(content[:-4])
        with self.assertRaises(ValueError):
            npy.read_npy(path)

    def test_cards_have_short_names(self):
        label = load_script().card_label
        self.assertEqual(label("NVIDIA H100 80GB HBM3"), "h100-80gb-hbm3")
        self.assertEqual(label("NVIDIA GeForce RTX 4090"), "geforce-rtx-4090")

    def test_one_column_for_each_runner(self):
        network = {"model": "m", "size": "64x64", "batch": 1, "median_ms": 1.5, "p99_ms": 2}
        text = report_text.network_table([{**network, "runner": "yolocu"},
                                          {**network, "runner": "torch eager"},
                                          {**network, "batch": 32, "runner": "yolocu"}])
        self.assertEqual(text.splitlines(), [
            "| model | input | batch | yolocu | torch eager |",
            "| --- | --- | --- | --- | --- |",
            "| m | 64x64 | 1 | 1.500 (2.000) | 1.500 (2.000) |",
            "| m | 64x64 | 32 | 1.500 (2.000) |  |"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

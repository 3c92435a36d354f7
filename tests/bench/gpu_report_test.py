"""bench/gpu_report without a GPU: its dry run, the way that it takes with one, and its files.

Usage: gpu_report_test.py SOURCE_DIR BUILD_DIR
"""

import array
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
import unittest

from report_fixture import BUILD, SOURCE, TemporaryFolder

import agreement
import npy
import report_steps
import report_text

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
        self.assertEqual([(n["model"], n["batch"]) for n in ours],
                         [("embedded", 1), ("embedded", 2), ("gelan-t, made-up weights", 1),
                          ("gelan-t, made-up weights", 2)])
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
small = {{"cuda": "emulated", "1000": "2", "100": "1", "20": "0", "32": "2", "gelan-c": "gelan-t",
          "gelan-e": "gelan-t", "yolov7": "yolov7-tiny"}}
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
        names = ["embedded", *(report_steps.made_up(a) for a in report_steps.ARCHITECTURES)]
        self.assertEqual([(n["model"], n["iterations"]) for n in report["networks"]],
                         [(name, iterations) for name in names for iterations in (2, 1)])
        self.assertEqual([n["end_to_end"] is None for n in report["networks"]],
                         [False, *11 * [True]])  # of batch 1 and true weights
        self.assertEqual(report["correctness"]["cuda"], report["correctness"]["emulated"])
        self.assertNotIn("dry run", report_path.with_suffix(".md").read_text())


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

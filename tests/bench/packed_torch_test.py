"""bench/packed_torch.py against `yolocu run --device reference`, where there is PyTorch.

Usage: packed_torch_test.py SOURCE_DIR BUILD_DIR
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = (pathlib.Path(word) for word in sys.argv[1:3])
SCRIPT = SOURCE / "bench/packed_torch.py"
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench"))

import agreement  # noqa: E402
import npy  # noqa: E402
import report_steps  # noqa: E402

# fp32 sums in another order: pixels, and scores in 0..1.
BOX_ERROR, SCORE_ERROR = 1e-2, 1e-4


def run(*words):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"{words}: {result.stderr}")
    return result.stdout


class PackedTorch(unittest.TestCase):
    def agrees(self, model, size):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            report_steps.write_picture(folder / "x.npy", size)
            run(BUILD / "bin/yolocu", "run", model, "--input", folder / "x.npy", "--output",
                folder / "ours.npy", "--device", "reference")
            run(sys.executable, SCRIPT, model, "--input", folder / "x.npy", "--output",
                folder / "torch.npy")
            ours = npy.read_npy(folder / "ours.npy")
            apart = agreement.compare(npy.read_npy(folder / "torch.npy"), ours)
        self.assertLess(apart["box"]["max"], BOX_ERROR)
        self.assertLess(apart["score"]["max"], SCORE_ERROR)
        row = ours[0][-1]
        return max(score for i, score in enumerate(ours[1]) if i % row >= 4)

    def test_embedded_model(self):
        best = self.agrees(SOURCE / "weights/demo/codes-nano.yolocu", 192)
        self.assertGreater(best, 0.5)  # it does find the code

    def test_checkpoints(self):
        """Networks with groups, space_to_depth, slices and anchors; some beside the clone only."""
        golden = SOURCE / "tests/data/golden/a", SOURCE.parent / "shared/golden/a"
        names = ["v9_gelan-t_fused", "v7_yolov7-w6", "v7_yolov7", "v9_yolov9-c"]
        found = [next(iter(sorted((root / name).glob("*.pt"))), None)
                 for name in names for root in golden if (root / name).is_dir()]
        for checkpoint in found:
            with self.subTest(checkpoint=checkpoint), tempfile.TemporaryDirectory() as folder:
                model = pathlib.Path(folder) / "model.yolocu"
                run(BUILD / "bin/yolocu", "convert", checkpoint, "-o", model, "--dtype", "fp32")
                self.agrees(model, 64)

    def test_times(self):
        output = run(sys.executable, SCRIPT, SOURCE / "weights/demo/codes-nano.yolocu",
                     "--size", 64, "--iterations", 3, "--warmup", 1, "--batch", 1, 2)
        results = [json.loads(line) for line in output.splitlines()]
        self.assertEqual([(r["mode"], r["batch"], r["iterations"]) for r in results],
                         [("eager", 1, 3), ("eager", 2, 3)])
        for result in results:
            self.assertLessEqual(result["min_ms"], result["median_ms"])
            self.assertLessEqual(result["median_ms"], result["p99_ms"])


if __name__ == "__main__":
    if importlib.util.find_spec("torch") is None:
        print("skipped: there is no PyTorch in", sys.executable)
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])

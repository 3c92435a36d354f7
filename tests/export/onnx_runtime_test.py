"""`yolocu export-onnx` against ONNX's checker and ONNX Runtime, where there are both.

Usage: onnx_runtime_test.py SOURCE_DIR BUILD_DIR
"""

import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = (pathlib.Path(word) for word in sys.argv[1:3])
YOLOCU = BUILD / "bin/yolocu"
EMBEDDED = SOURCE / "weights/demo/codes-nano.yolocu"

# fp32 sums in another order: pixels, and scores in 0..1. Random networks amplify them.
EMBEDDED_ERROR = (1e-3, 1e-5)
RANDOM_ERROR = (5e-1, 1e-3)


def yolocu(*words):
    result = subprocess.run([str(word) for word in (YOLOCU, *words)], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"{words}: {result.stderr}")


def checkpoints():
    """Random networks with every op; some are beside the clone only."""
    names = ["v9_gelan-t_fused", "v9_yolov9-t", "v9_yolov9-e", "v9_yolov9-c", "v7_yolov7",
             "v7_yolov7-tiny", "v7_yolov7-w6", "v7_yolov7-e6e"]
    roots = SOURCE / "tests/data/golden/a", SOURCE.parent / "shared/golden/a"
    for name in names:
        files = [file for root in roots for file in sorted((root / name).glob("*.pt"))]
        if files:
            yield name, files[0]


class Export(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def compare(self, model, batch, height, width):
        """Largest distance of boxes and of scores between ONNX Runtime and the reference device."""
        file, x, y = (self.folder / name for name in ("model.onnx", "x.npy", "y.npy"))
        yolocu("export-onnx", model, "-o", file, "--batch", batch, "--size", f"{width}x{height}")
        onnx.checker.check_model(onnx.load(file), full_check=True)
        images = numpy.random.default_rng(7).random((batch, 3, height, width), numpy.float32)
        numpy.save(x, images)
        yolocu("run", model, "--input", x, "--output", y, "--device", "reference", "--precision",
               "fp32")
        ours = numpy.load(y)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        self.assertEqual([value.name for value in session.get_inputs()], ["images"])
        self.assertEqual([value.name for value in session.get_outputs()], ["predictions"])
        self.assertEqual(session.get_outputs()[0].shape, list(ours.shape))
        theirs = session.run(None, {"images": images})[0]
        apart = numpy.abs(theirs - ours)
        return apart[..., :4].max(), apart[..., 4:].max()

    def expect_within(self, apart, errors, name):
        print(f"{name}: box {apart[0]:.2g} px, score {apart[1]:.2g}")
        self.assertLess(apart[0], errors[0], name)
        self.assertLess(apart[1], errors[1], name)

    def test_embedded_model(self):
        self.expect_within(self.compare(EMBEDDED, 2, 160, 224), EMBEDDED_ERROR, "embedded")

    def test_every_op(self):
        for name, checkpoint in checkpoints():
            with self.subTest(checkpoint=name):
                model = self.folder / "model.yolocu"
                yolocu("convert", checkpoint, "-o", model, "--dtype", "fp32")
                self.expect_within(self.compare(model, 1, 128, 192), RANDOM_ERROR, name)


if __name__ == "__main__":
    missing = [name for name in ("numpy", "onnx", "onnxruntime")
               if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: {sys.executable} has no {', '.join(missing)}")
        sys.exit(77)
    import numpy
    import onnx
    import onnxruntime
    unittest.main(argv=sys.argv[:1])

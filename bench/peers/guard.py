"""Whether a contestant computes the same network: its predictions beside yolocu's in fp32."""

import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import agreement  # noqa: E402

# Root mean square of differences by the deviation over the anchors, of widths and heights and of
# the logits of scores. Made-up weights amplify rounding: in fp32 gelan-t at 640x640 is 0.002 and
# 0.003 with ONNX Runtime, 0.02 and 0.04 with ncnn's Winograd; red and blue exchanged give 0.3 and
# 1.5.
# bf16 has 8 bits: yolov7-tiny 0.1 and 0.09, the trained demonstration model 0.01 and 0.03.
LIMITS = {"fp32": 0.1, "bf16": 0.2}
ANCHORS = 1000  # as many are looked at, evenly spread
LEAST_SCORE = 1e-6  # logits of less are all the same


def sample(predictions):
    """(shape, values) with at most about ANCHORS rows of the first picture."""
    (_, anchors, row), values = predictions
    rows = range(0, anchors, max(anchors // ANCHORS, 1))
    return (1, len(rows), row), [v for i in rows for v in values[i * row:(i + 1) * row]]


def logit(score):
    score = min(max(score, LEAST_SCORE), 1 - LEAST_SCORE)
    return math.log(score / (1 - score))


def relative(theirs, ours):
    """sqrt(mean (theirs - ours)^2) / deviation of ours. ValueError for NaN."""
    mean = sum(ours) / len(ours)
    apart = sum((a - b) ** 2 for a, b in zip(theirs, ours))
    spread = sum((b - mean) ** 2 for b in ours)
    if apart != apart:
        raise ValueError("predictions hold NaN")
    return math.sqrt(apart / spread) if spread > 0 else (math.inf if apart > 0 else 0.0)


def compare(theirs, ours):
    """Of two npy.read_npy results [1, anchors, 4 + classes]: "sizes" and "logits" as above, "box"
    and "score" as agreement.compare. ValueError if they cannot be compared."""
    if theirs[0] != ours[0]:
        raise ValueError(f"predictions have shape {theirs[0]}, expected {ours[0]}")
    theirs, ours = sample(theirs), sample(ours)
    row = ours[0][-1]

    def parts(values):
        sizes = [v for i, v in enumerate(values) if i % row in (2, 3)]
        return sizes, [logit(v) for i, v in enumerate(values) if i % row >= 4]

    pairs = list(zip(parts(theirs[1]), parts(ours[1])))
    return {"sizes": relative(*pairs[0]), "logits": relative(*pairs[1]),
            **agreement.compare(theirs, ours)}


def within(judged, precision):
    return max(judged["sizes"], judged["logits"]) <= LIMITS[precision]


def anchors_per_cell(shape, size):
    """What kind of head gives predictions of this shape from a square input: 1 with distributions,
    3 with anchors. Strides are 8, 16, 32 and may go on."""
    return round(shape[1] / (size * size * (1 / 64 + 1 / 256 + 1 / 1024)))


def verdict(precision, judged, sound):
    """None, or why a contestant computes something else. `sound`: what compare() says of it in the
    same precision with a network that does not amplify rounding and has the same kind of head; None
    if it could not be compared. It decides where made-up weights amplify the rounding of bf16
    beyond all use."""
    if within(judged, precision):
        return None
    if precision == "fp32":
        return f"computes something else: {told(judged)} from yolocu in fp32"
    if sound is not None and within(sound, precision):
        return None
    return f"computes something else: {told(judged)} from yolocu in fp32; of a network that does " \
        "not amplify rounding " + (told(sound) if sound else "nothing to compare")


def told(judged):
    return (f"sizes {judged['sizes']:.2g}, logits {judged['logits']:.2g}, "
            f"box mean {judged['box']['mean']:.2g} px")

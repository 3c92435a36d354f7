"""How far predictions are apart, and whether two lists of detections are the same."""

BOX_IOU = 0.95  # of objects that count as the same
SCORE_DIFFERENCE = 0.02


def nearest_rank(sorted_values, percent):
    return sorted_values[-(-percent * len(sorted_values) // 100) - 1]


def spread(differences):
    """mean, p99 and max of absolute differences; ValueError for NaN."""
    if any(d != d for d in differences):
        raise ValueError("predictions hold NaN")
    ordered = sorted(differences)
    return {"mean": sum(ordered) / len(ordered), "p99": nearest_rank(ordered, 99),
            "max": ordered[-1]}


def compare(a, b):
    """Of two read_npy results [B, anchors, 4 + classes]: boxes in pixels and scores, apart."""
    (shape, x), (other_shape, y) = a, b
    if shape != other_shape:
        raise ValueError(f"shapes differ: {shape} and {other_shape}")
    row = shape[-1]
    apart = [abs(p - q) for p, q in zip(x, y)]
    return {"box": spread([d for i, d in enumerate(apart) if i % row < 4]),
            "score": spread([d for i, d in enumerate(apart) if i % row >= 4])}


def beyond(judged, expected, factor):
    """What of `judged` is more than factor times `expected`, in words; empty if nothing is."""
    for part in ("box", "score"):
        for key in ("mean", "p99"):
            limit = factor * expected[part][key]
            if not judged[part][key] <= limit:
                return f"{part} {key} {judged[part][key]:.3g}, expected at most {limit:.3g}"
    return ""


def text(judged):
    return ", ".join(f"{part} mean {judged[part]['mean']:.2g} p99 {judged[part]['p99']:.2g}"
                     for part in ("box", "score")) + " from the reference device"


def iou(a, b):
    """Of boxes x1 y1 x2 y2."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return shared / (area(a) + area(b) - shared) if shared > 0 else 0.0


def same_object(a, b):
    return (a["class_id"] == b["class_id"] and iou(a["box"], b["box"]) >= BOX_IOU and
            abs(a["score"] - b["score"]) <= SCORE_DIFFERENCE)


def detections_differ(found, expected):
    """Which object has no partner in the other list, in words; empty if all have."""
    left = list(expected)
    for item in found:
        partner = next((other for other in left if same_object(item, other)), None)
        if partner is None:
            return f"no such object is expected: {item}"
        left.remove(partner)
    return f"not found: {left[0]}" if left else ""

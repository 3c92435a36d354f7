"""What rounds of times come to: medians, and quotients with their spread. Pure."""

import statistics


def summary(times):
    """Of a contestant's times, one a round."""
    return {"median_ms": statistics.median(times), "min_ms": min(times), "max_ms": max(times),
            "rounds": len(times), "times_ms": times}


def quotient(label, above, below):
    """above / below, each a row with a summary: of the medians, and median and range of the
    quotients of single rounds, in which both met the same machine."""
    rounds = [a / b for a, b in zip(above["times_ms"], below["times_ms"])]
    return {"what": label, "above": above["name"], "below": below["name"],
            "quotient": above["median_ms"] / below["median_ms"], "low": min(rounds),
            "middle": statistics.median(rounds), "high": max(rounds)}


def fastest(rows, precision):
    """The fastest peer of a precision, or None."""
    rows = [row for row in rows
            if row["maker"] != "yolocu" and row["precision"] == precision and "times_ms" in row]
    return min(rows, key=lambda row: row["median_ms"], default=None)


def quotients(rows):
    """What there is of: ours in fp32 by the best peer in fp32, in bf16 by OpenVINO's and by a still
    faster peer's, and our int8 by our bf16. Below 1 we are faster."""
    measured = {row["name"]: row for row in rows if "times_ms" in row}
    best = {precision: fastest(rows, precision) for precision in ("fp32", "bf16")}
    pairs = [("fp32 / best peer", "yolocu-fp32", best["fp32"]),
             ("bf16 / OpenVINO", "yolocu-bf16", measured.get("openvino-bf16")),
             ("int8 / our bf16", "yolocu-int8", measured.get("yolocu-bf16"))]
    if best["bf16"] is not None and best["bf16"]["name"] != "openvino-bf16":
        pairs.insert(2, ("bf16 / best peer", "yolocu-bf16", best["bf16"]))
    return [quotient(label, measured[above], below) for label, above, below in pairs
            if above in measured and below is not None]


def interleave(names, rounds, turn):
    """Times by name: in every round each has one turn(name) -> ms, and another begins. A turn that
    gives None is left out."""
    times = {name: [] for name in names}
    for i in range(rounds):
        first = i % max(len(names), 1)
        for name in names[first:] + names[:first]:
            value = turn(name)
            if value is not None:
                times[name].append(value)
    return times




def picture_quotients(rows):
    """Ours by the best peer of the same precision, of medians: what a picture takes."""
    found = []
    for ours in (row for row in rows if row["maker"] == "yolocu"):
        for key in ("cold_ms", "peak_mib", "warm_ms"):
            peers = [row for row in rows if row["maker"] != "yolocu" and row.get(key) and
                     row["precision"] == ours["precision"]]
            if not (peers and ours.get(key)):
                continue
            best = min(peers, key=lambda row: statistics.median(row[key]))
            found.append({"what": key, "above": ours["name"], "below": best["name"],
                          "quotient": statistics.median(ours[key]) / statistics.median(best[key])})
    return found

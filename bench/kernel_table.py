"""What kernel_bench measured, as a report needs it: short rows, sums by family, the slowest."""

import re

SLOWEST = 15
KEYS = ["real_time", "time_unit", "layers", "TFLOP/s", "GB/s", "roof_%"]
PEER = "/cublaslt"


def rows_of(benchmarks):
    """The entries of Google Benchmark's JSON with what says something, and names without its tail.
    Those that could not be measured are left out."""
    return [{"name": re.sub(r"/iterations:\d+/manual_time$", "", one["name"]),
             **{key: one[key] for key in KEYS if key in one}}
            for one in benchmarks if not one.get("error_occurred")]


def errors_of(benchmarks):
    return [f"{one['name']}: {one['error_message']}" for one in benchmarks
            if one.get("error_occurred")]


def total_us(row):
    """Of all layers of the network that are this case."""
    if row["time_unit"] != "us":
        raise ValueError(f"{row['name']}: a time in {row['time_unit']}, expected us")
    return row["layers"] * row["real_time"]


def case_of(row):
    """family/network/layer/shape: the same for a kernel and its peer."""
    return "/".join(row["name"].split("/")[:4])


def family_of(row):
    """The word before the first slash; of nms with the candidates, each number of which is a
    measurement of the same layer."""
    family, _, _, shape = row["name"].split("/")[:4]
    return f"nms of {shape.split('_')[-1]}" if family == "nms" else family


def families(rows):
    """family -> (layers, microseconds), in order; then what of conv has a peer, and the peer."""
    peers = {case_of(row) for row in rows if row["name"].endswith(PEER)}
    sums = {}

    def add(family, row):
        layers, us = sums.get(family, (0, 0))
        sums[family] = (layers + int(row["layers"]), us + total_us(row))

    ours = [row for row in rows if not row["name"].endswith(PEER)]
    for row in ours:
        add(family_of(row), row)
    for row in ours:
        if case_of(row) in peers:
            add("conv beside cuBLASLt", row)
    for row in rows:
        if row["name"].endswith(PEER):
            add("cuBLASLt", row)
    return sums


def slowest(rows):
    """The rows that take a network longest, each with its peer's microseconds or None."""
    peers = {case_of(row): row["real_time"] for row in rows if row["name"].endswith(PEER)}
    ours = [row for row in rows if not row["name"].endswith(PEER)]
    ours.sort(key=total_us, reverse=True)
    return [(row, peers.get(case_of(row))) for row in ours[:SLOWEST]]

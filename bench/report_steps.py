"""The steps of gpu_report, in order, each a function of a Plan and a Clock."""

import dataclasses
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import agreement
import kernel_table
import npy
from report_clock import Clock, Failure, Skip, run_step

# fp16 against the reference device: at most this many times the emulated device's own distance, by
# mean and 99th percentile. Never by the maximum, which rounding may take anywhere.
FP16_FACTOR = 3

# Official networks that are timed with made-up weights, so that no file is needed.
ARCHITECTURES = ["gelan-t", "gelan-c", "gelan-e", "yolov7-tiny", "yolov7"]
TORCH_ARCHITECTURES = ["gelan-c", "yolov7"]


@dataclasses.dataclass
class Plan:
    root: pathlib.Path
    program: pathlib.Path
    tests: pathlib.Path
    models: list
    python: str
    dry_run: bool
    compile: bool = False  # torch.compile, too

    @property
    def device(self):
        return "emulated" if self.dry_run else "cuda"

    @property
    def embedded(self):
        return self.root / "weights/demo/codes-nano.yolocu"


FACTS = ["name", "driver_version", "compute_cap", "memory.total", "clocks.max.sm",
         "clocks.max.memory", "clocks.sm", "power.limit", "temperature.gpu"]


def gpu_facts():
    """nvidia-smi's words for the first GPU, or None."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", f"--query-gpu={','.join(FACTS)}", "--format=csv,noheader"]
    try:
        result = subprocess.run(query, capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        return None
    values = [value.strip() for value in result.stdout.splitlines()[0].split(",")] \
        if result.returncode == 0 and result.stdout.strip() else []
    return dict(zip(FACTS, values)) if len(values) == len(FACTS) else None


def test_program(plan, path):
    program = plan.tests / path
    if not program.is_file():
        raise Skip(f"{path} is not in the build with the tests")
    return program


# Steps: return the text of the result. ----------------------------------------------------------


def conformance(plan, clock, report):
    command = [test_program(plan, "tests/conformance/conformance"), "--device", plan.device]
    if plan.dry_run:
        command += ["--seeds", "1", "--case", "warp/"]
    return clock.run(command).strip().splitlines()[-1]


def kernel_tests(plan, clock, report):
    """In shards of GoogleTest, for one process leaves most of a GPU and all cores but one idle."""
    command = [test_program(plan, "tests/kernels/kernel_device_test"), "--device", plan.device,
               "--gtest_brief=1"]
    if plan.dry_run:
        command.append("--gtest_filter=*Runtime.*")
    shards = min(8, len(os.sched_getaffinity(0)))
    outputs = clock.run_together(command, [
        {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(i)} for i in range(shards)])
    count = lambda word: sum(int(number) for output in outputs
                             for number in re.findall(rf"\[  {word} +\] (\d+) test", output))
    if count("PASSED") == 0:
        raise Failure("no test has passed", outputs[0])
    return f"{count('PASSED')} passed, {count('SKIPPED')} skipped, in {shards} processes"


def predictions(plan, clock, report):
    """cuda against reference, as far away as the emulated device is, within FP16_FACTOR."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_picture(folder / "x.npy", 64 if plan.dry_run else 320)
        for device in {"reference", "emulated", plan.device}:
            clock.run([plan.program, "run", plan.embedded, "--input", folder / "x.npy", "--output",
                       folder / f"{device}.npy", "--device", device])
        read = lambda device: npy.read_npy(folder / f"{device}.npy")
        judged = agreement.compare(read(plan.device), read("reference"))
        expected = agreement.compare(read("emulated"), read("reference"))
    report["correctness"] = {plan.device: judged, "emulated": expected}
    wrong = agreement.beyond(judged, expected, FP16_FACTOR)
    if wrong:
        raise Failure(wrong)
    return agreement.text(judged)


def detections(plan, clock, report):
    """The sample picture: the same objects as the reference device."""
    sample = plan.root / "weights/demo/sample.jpg"
    size = ["--size", "320"] if plan.dry_run else []
    found = {device: last_json(clock.run([plan.program, "detect", sample, "--json", "-",
                                           "--device", device] + size))
             for device in (plan.device, "reference")}
    lists = [found[device]["images"][0]["detections"] for device in (plan.device, "reference")]
    wrong = agreement.detections_differ(*lists)
    if wrong:
        raise Failure(wrong)
    return f"{len(lists[0])} objects, as the reference device finds them"


def made_up(architecture):
    return f"{architecture}, made-up weights"


def networks(plan, clock, report):
    architectures = ARCHITECTURES[:1] if plan.dry_run else ARCHITECTURES
    models = [("embedded", []), *((model.stem, [model]) for model in plan.models),
              *((made_up(name), ["--arch", name, "--network-only"]) for name in architectures)]
    batches = [(1, 2), (2, 1)] if plan.dry_run else [(1, 1000), (32, 100)]
    options = ["--device", plan.device, "--warmup", "0" if plan.dry_run else "20", "--json", "-",
               *(["--size", "64"] if plan.dry_run else [])]
    problems, outputs = [], ""
    for name, words in models:
        for batch, iterations in batches:
            try:
                output = clock.run([plan.program, "bench", *words, *options, "--batch", batch,
                                    "--iterations", iterations])
                add_network(report, name, "yolocu", last_json(output))
            except (Failure, ValueError) as failure:  # the others may do
                problems.append(f"{name}, batch {batch}: {failure}")
                outputs += failure.output
    if problems:
        raise Failure("; ".join(problems), outputs)
    return f"{len(models)} networks, {len(batches)} batches each"


def kernels(plan, clock, report):
    program = test_program(plan, "bench/kernel_bench")
    if plan.dry_run:
        raise Skip("times of kernels need a GPU")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "kernels.json"
        output = clock.run([program, "--device", "cuda", "--network", "gelan-c",
                            f"--benchmark_out={path}", "--benchmark_out_format=json"])
        benchmarks = json.loads(path.read_text())["benchmarks"]
    report["kernels"] = kernel_table.rows_of(benchmarks)
    errors = kernel_table.errors_of(benchmarks)
    if errors or not report["kernels"]:
        raise Failure("; ".join(errors) or "no kernel was measured", output)
    return f"{len(report['kernels'])} cases of gelan-c"


def torch_networks(plan, clock, report):
    return torch_in_modes(plan, clock, report, ["eager", "graph"])


def torch_compile(plan, clock, report):
    if not plan.compile or plan.dry_run:
        raise Skip("takes minutes: only with --compile, on a GPU")
    return torch_in_modes(plan, clock, report, ["compile"])


def torch_in_modes(plan, clock, report, modes):
    """As many models as the limit allows; what PyTorch cannot do is named and left out."""
    version = torch_version(plan, clock)
    options = ["--device", "cuda", "--precision", "fp16", "--iterations", "100", "--warmup", "10",
               "--batch", "1", "32", "--mode", *modes]
    if plan.dry_run:
        options = ["--iterations", "1", "--warmup", "0", "--size", "64", "--mode", "eager"]
    script = plan.root / "bench/packed_torch.py"
    problems, done = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name, model in torch_models(plan, clock, pathlib.Path(folder)):
            try:
                output = clock.run([plan.python, script, model, *options])
            except Failure as failure:
                output = failure.output
                problems.append(f"{name}: {failure}")
            except subprocess.TimeoutExpired as late:
                output = late.output
                problems.append(f"no time left for all of {name} and what follows")
            for result in json_lines(output):
                add_network(report, name, f"torch {result['mode']}", result)
                done += 1
            if clock.left() <= 0:
                break
    if done == 0:
        raise Failure("; ".join(problems), output)
    return "; ".join([f"torch {version}: {done} times", *problems])


def torch_version(plan, clock):
    output = clock.run([plan.python, "-c", "import torch; print(torch.__version__, "
                        "torch.cuda.is_available())"], fails=False)
    words = output.strip().splitlines()[-1].split()  # warnings may stand before it
    if len(words) != 2 or (words[1] != "True" and not plan.dry_run):
        raise Skip(f"no PyTorch with CUDA in {plan.python}")
    return words[0]


def torch_models(plan, clock, folder):
    """(name as in `networks`, packed file), each made when its turn comes."""
    yield "embedded", plan.embedded
    for architecture in ARCHITECTURES[:1] if plan.dry_run else TORCH_ARCHITECTURES:
        path = folder / f"{architecture}.yolocu"
        clock.run([plan.program, "convert", "--arch", architecture, "--synthetic", "1", "--dtype",
                   "fp16", "-o", path])
        yield made_up(architecture), path
    for model in plan.models:
        yield model.stem, model


def sanitizer(plan, clock, report):
    with tempfile.TemporaryDirectory() as folder:
        x, y = pathlib.Path(folder) / "x.npy", pathlib.Path(folder) / "y.npy"
        write_picture(x, 64)
        script = plan.root / "cmake/compute_sanitizer.sh"
        command = [script, "--command", plan.program, "run", plan.embedded, "--input", x,
                   "--output", y, "--device", plan.device]
        if plan.dry_run:
            raise Skip("compute-sanitizer needs a GPU")
        clock.run(command)
    return "memcheck and racecheck of a run at 64x64: clean"


# ------------------------------------------------------------------------------------------------


def write_picture(path, size):
    """A code of 21 x 21 modules with finder patterns on noisy grey: something for the embedded
    model to find. RGB in 0..1, the same every time."""
    numbers = random.Random(1)
    modules = [[numbers.random() < 0.5 for _ in range(21)] for _ in range(21)]
    for top, left in ((0, 0), (0, 14), (14, 0)):
        for i in range(7):
            for j in range(7):
                ring = max(abs(i - 3), abs(j - 3))  # dark but for the second ring
                modules[top + i][left + j] = ring != 2
    cell, begin = size // 32, size // 6

    def value(y, x):
        row, column = (y - begin) // cell, (x - begin) // cell
        if 0 <= row < 21 and 0 <= column < 21:
            return 0.05 if modules[row][column] else 0.95
        near = -2 <= row < 23 and -2 <= column < 23  # the quiet zone
        return 0.95 if near else 0.6 + 0.1 * numbers.random()

    plane = [value(y, x) for y in range(size) for x in range(size)]
    npy.write_npy(path, (1, 3, size, size), plane * 3)


def last_json(output):
    """The JSON document that ends an output; libraries may print warnings before it."""
    return json.loads(output[output.index("{"):])


def json_lines(output):
    """The JSON objects of an output, a line each; libraries may print warnings between them, and
    the last line may have been cut off."""
    results = []
    for line in output.splitlines():
        try:
            results += [json.loads(line)] if line.startswith("{") else []
        except ValueError:
            pass
    return results


def add_network(report, model, runner, result):
    report["networks"].append({**result, "model": model, "runner": runner})


# name, seconds, step. Less than 9 minutes together, so that no step can take another's time.
STEPS = [("conformance", 45, conformance), ("kernel tests", 60, kernel_tests),
         ("predictions", 45, predictions), ("detections", 20, detections),
         ("networks", 90, networks), ("kernels", 30, kernels), ("torch", 60, torch_networks),
         ("sanitizer", 60, sanitizer), ("torch.compile", 120, torch_compile)]


def run_all(plan, seconds, report, save):
    """Runs the steps and adds what they find to `report`: steps, networks and what single steps
    add. save(report) after each, for whoever started this may end it."""
    clock = Clock(seconds)
    report.update(steps=[], networks=[])
    for name, limit, step in STEPS:
        start = time.monotonic()
        outcome = run_step(plan, clock, report, limit, step)
        took = round(time.monotonic() - start, 1)
        report["steps"].append({"name": name, "seconds": took, **outcome})
        print(f"{name}: {outcome['status']} ({took} s): {outcome['text']}",
              *outcome.get("output", []), sep="\n    ", file=sys.stderr, flush=True)
        save(report)

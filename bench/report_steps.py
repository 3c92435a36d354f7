"""The steps of gpu_report, in order, each a function of a Plan and a Clock."""

import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import agreement
import npy

# fp16 against the reference device: at most this many times the emulated device's own distance, by
# mean and 99th percentile. Never by the maximum, which rounding may take anywhere.
FP16_FACTOR = 3


@dataclasses.dataclass
class Plan:
    root: pathlib.Path
    program: pathlib.Path
    tests: pathlib.Path
    models: list
    python: str
    dry_run: bool

    @property
    def device(self):
        return "emulated" if self.dry_run else "cuda"

    @property
    def embedded(self):
        return self.root / "weights/demo/codes-nano.yolocu"


class Skip(Exception):
    """A step that cannot be done here; the message says why."""


class Failure(Exception):
    """A step whose answer is wrong; the message says how."""


class Clock:
    """Runs commands within a step's own limit and the time that is left for all."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.step_end = self.end

    def begin_step(self, limit):
        self.step_end = min(self.end, time.monotonic() + limit)
        if self.left() <= 0:
            raise Skip("no time left")

    def left(self):
        return self.step_end - time.monotonic()

    def run(self, command, fails=True):
        """The output of a command. Failure with its last line for another status than 0."""
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", start_new_session=True)
        try:
            output, _ = process.communicate(timeout=max(self.left(), 0.001))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            process.communicate()
            raise
        lines = output.strip().splitlines() or [""]
        if process.returncode == 77:  # a test's word for "not here"
            raise Skip(lines[-1])
        if fails and process.returncode != 0:
            raise Failure(f"{pathlib.Path(command[0]).name}: exit {process.returncode}: "
                          f"{lines[-1]}")
        return output


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
    command = [test_program(plan, "tests/kernels/kernel_device_test"), "--device", plan.device,
               "--gtest_brief=1"]
    if plan.dry_run:
        command.append("--gtest_filter=*Runtime.*")
    return clock.run(command).strip().splitlines()[-1]


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
    found = {device: json.loads(clock.run([plan.program, "detect", sample, "--json", "-",
                                           "--device", device] + size))
             for device in (plan.device, "reference")}
    lists = [found[device]["images"][0]["detections"] for device in (plan.device, "reference")]
    wrong = agreement.detections_differ(*lists)
    if wrong:
        raise Failure(wrong)
    return f"{len(lists[0])} objects, as the reference device finds them"


def networks(plan, clock, report):
    models = [("embedded", [])] + [(model.stem, [model]) for model in plan.models]
    batches = [(1, 2), (2, 1)] if plan.dry_run else [(1, 1000), (32, 200)]
    for name, words in models:
        for batch, iterations in batches:
            command = [plan.program, "bench", *words, "--device", plan.device, "--batch", batch,
                       "--iterations", iterations, "--warmup", 0 if plan.dry_run else 20,
                       "--json", "-"] + (["--size", "64"] if plan.dry_run else [])
            add_network(report, name, "yolocu", json.loads(clock.run(command)))
    return f"{len(models)} models, {len(batches)} batches each"


def torch_networks(plan, clock, report):
    probe = clock.run([plan.python, "-c", "import torch; print(torch.__version__, "
                       "torch.cuda.is_available())"], fails=False).split()
    if len(probe) != 2 or (probe[1] != "True" and not plan.dry_run):
        raise Skip(f"no PyTorch with CUDA in {plan.python}")
    models = [("embedded", plan.embedded)] + [(model.stem, model) for model in plan.models]
    times = ["--iterations", "200", "--device", "cuda", "--precision", "fp16"]
    modes, batches = ["eager", "graph", "compile"], [1, 32]
    if plan.dry_run:
        times, modes = ["--iterations", "1", "--warmup", "0", "--size", "64"], ["eager"]
        batches = [1]
    cases = [(mode, name, model, batch) for mode in modes  # the slow one last
             for name, model in models for batch in batches]
    return f"torch {probe[0]}: " + measure_torch(plan, clock, report, cases, times)


def measure_torch(plan, clock, report, cases, times):
    """As many cases as the limit allows; one that PyTorch cannot do is named and left out."""
    problems, done = [], 0
    for mode, name, model, batch in cases:
        command = [plan.python, plan.root / "bench/packed_torch.py", model, *times,
                   "--batch", batch, "--mode", mode]
        try:
            add_network(report, name, f"torch {mode}", last_json(clock.run(command)))
            done += 1
        except Failure as failure:
            problems.append(f"{mode} of {name}, batch {batch}: {failure}")
        except subprocess.TimeoutExpired:
            problems.append(f"no time left for {mode} of {name}, batch {batch}, and what follows")
            break
    if done == 0:
        raise Failure("; ".join(problems))
    return "; ".join([f"{done} of {len(cases)} cases", *problems])


def kernels(plan, clock, report):
    program = test_program(plan, "bench/kernel_bench")
    if plan.dry_run:
        raise Skip("times of kernels need a GPU")
    result = last_json(clock.run([program, "--device", "cuda", "--network", "gelan-c",
                                  "--benchmark_format=json"]))
    report["kernels"] = result["benchmarks"]
    return f"{len(result['benchmarks'])} kernels"


# ------------------------------------------------------------------------------------------------


def write_picture(path, size):
    """A code of 21 x 21 modules with finder patterns on noisy grey: something for the embedded model
    to find. RGB in 0..1, the same every time."""
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
    return json.loads(output[output.index("\n{") if "\n{" in output else output.index("{"):])


def add_network(report, model, runner, result):
    report["networks"].append({**result, "model": model, "runner": runner})


# name, seconds, step; less than 9 minutes together, so that no step can take another's time
STEPS = [("conformance", 60, conformance), ("kernel tests", 100, kernel_tests),
         ("sanitizer", 60, sanitizer), ("predictions", 45, predictions),
         ("detections", 20, detections), ("networks", 90, networks),
         ("torch", 120, torch_networks), ("kernels", 40, kernels)]


def run_step(plan, clock, report, limit, step):
    """(status, text)"""
    try:
        clock.begin_step(limit)
        return "ok", step(plan, clock, report)
    except Skip as reason:
        return "skipped", str(reason)
    except subprocess.TimeoutExpired as late:
        return "timed out", f"{pathlib.Path(str(late.cmd[0])).name} took longer than {limit} s"
    except (Failure, OSError, ValueError, KeyError, IndexError) as error:
        return "failed", f"{type(error).__name__}: {error}" if not isinstance(error, Failure) \
            else str(error)


def run_all(plan, seconds, steps=None):
    """Runs the steps; what they found: steps, networks and what single steps add."""
    clock = Clock(seconds)
    report = {"steps": [], "networks": []}
    for name, limit, step in steps or STEPS:
        start = time.monotonic()
        status, text = run_step(plan, clock, report, limit, step)
        took = round(time.monotonic() - start, 1)
        report["steps"].append({"name": name, "status": status, "seconds": took, "text": text})
        print(f"{name}: {status} ({took} s): {text}", file=sys.stderr, flush=True)
    return report

"""Who is compared, behind one interface: processes of `yolocu` and workers around the peers.

A contestant has name, maker, precision and
  open(subject)                     makes it ready for a network
  predict(x, y)                     files of input and predictions
  time(x, warmup, runs)             median ms of the network only
  picture(image, warmup, runs)      median ms from a picture file to boxes, and the detections
  cold(image)                       ms, peak_kib and detections of a fresh process
  close()
Each raises Unavailable with the reason, in one line, for what cannot be had.
"""

import json
import os
import pathlib
import selectors
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
LIMIT_S = 300  # for one request, loading included


class Unavailable(Exception):
    """What cannot be had, and why, in one line."""


def run_program(words, seconds=LIMIT_S):
    """Standard output of a command."""
    try:
        result = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"no answer within {seconds} s") from late
    except OSError as error:
        raise Unavailable(str(error)) from error
    if result.returncode != 0:
        lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise Unavailable(lines[-1][:300] if lines else f"exit {result.returncode}")
    return result.stdout


def run_cold(command):
    """(output, ms, peak_kib) of a fresh process."""
    output = run_program([sys.executable, "-I", "-S", HERE / "launch.py", *command])
    output, told = output.rstrip("\n").rsplit("\n", 1)
    told = json.loads(told)
    if told["exit"] != 0:
        raise Unavailable(f"exit {told['exit']}")
    return output, told["ms"], told["peak_kib"]


class Program:
    """yolocu on a precision: a process for every turn, whose warm-up is the only one it has."""

    maker = "yolocu"

    def __init__(self, program, precision, settings):
        self.program, self.precision, self.settings = program, precision, settings
        self.name = f"yolocu-{precision}"

    def open(self, subject):
        if self.precision == "int8" and not subject.int8:
            raise Unavailable("no file with int8 weights: --int8 NAME=FILE")
        self.model = subject.int8 if self.precision == "int8" else subject.packed

    def close(self):
        pass

    def options(self):
        return ["--device", self.settings.device, "--precision", self.precision, "--threads",
                self.settings.threads]

    def predict(self, x, y):
        run_program([self.program, "run", self.model, "--input", x, "--output", y,
                     *self.options()])

    def bench(self, warmup, runs, *words):
        result = json.loads(run_program(
            [self.program, "bench", self.model, *self.options(), "--size", self.settings.size,
             "--warmup", warmup, "--iterations", runs, "--json", "-", *words]))
        if result["precision"] != self.precision:
            raise Unavailable(f"computed in {result['precision']}")
        return result

    def time(self, x, warmup, runs):
        result = self.bench(warmup, runs, "--network-only")
        self.flop = result["gflops"] * result["median_ms"] * 1e6
        return result["median_ms"]

    def picture(self, image, warmup, runs):
        return self.bench(warmup, runs, "--image", image)["end_to_end"]["median_ms"], None

    def cold(self, image):
        output, ms, peak_kib = run_cold(
            [self.program, "detect", image, "--model", self.model, *self.options(), "--size",
             self.settings.size, "--json", "-"])
        return ms, peak_kib, json.loads(output)["images"][0]["detections"]


class Worker:
    """A process that answers lines of JSON with lines of JSON (worker.py). While nothing is asked
    it is stopped by SIGSTOP, so that none of its threads can take time from another's turn."""

    def __init__(self, command):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log,
                                        start_new_session=True)
        self.unread = b""

    def ask(self, request, seconds=LIMIT_S):
        self.signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            answer = json.loads(self.read_line(time.monotonic() + seconds))
        except (OSError, ValueError) as error:
            raise Unavailable(self.last_words()) from error
        self.signal(signal.SIGSTOP)
        if "error" in answer:
            raise Unavailable(answer["error"])
        return answer

    def read_line(self, end):
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.unread:
                if not selector.select(max(end - time.monotonic(), 0)):
                    self.close()
                    raise Unavailable("no answer in time")
                read = os.read(self.process.stdout.fileno(), 1 << 16)
                if not read:
                    raise OSError("end of output")
                self.unread += read
        line, self.unread = self.unread.split(b"\n", 1)
        return line

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass  # it has ended; whoever reads from it will see

    def last_words(self):
        """Why it has ended: its status, and the last line that it wrote to standard error."""
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            pass  # it has only closed its output
        self.close()
        return f"its process ended with status {self.process.returncode}{self.last_line}"

    def close(self):
        if self.log.closed:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        self.last_line = f": {lines[-1][:300]}" if lines else ""
        for file in (self.log, self.process.stdout, self.process.stdin):
            try:
                file.close()
            except OSError:
                pass  # what it never read


class Peer:
    """A peer in a worker process of its own, which lives as long as one network is measured."""

    def __init__(self, python, backend, precision, settings, script=HERE / "worker.py"):
        self.python, self.backend, self.settings, self.script = python, backend, settings, script
        self.maker, self.precision = backend, precision
        self.name = f"{backend}-{precision}"
        self.worker = None

    def open(self, subject):
        self.close()
        self.request = {"backend": self.backend, "precision": self.precision,
                        "threads": self.settings.threads, "files": subject.files}
        self.worker = Worker([*self.interpreter(), self.script])
        self.worker.ask({"do": "open", **self.request})

    def interpreter(self):
        return [self.python, "-X", f"pycache_prefix={self.settings.work / 'pycache'}"]

    def close(self):
        if self.worker is not None:
            self.worker.close()
        self.worker = None

    def predict(self, x, y):
        self.worker.ask({"do": "predict", "input": str(x), "output": str(y)})

    def time(self, x, warmup, runs):
        answer = self.worker.ask({"do": "time", "input": str(x), "warmup": warmup, "runs": runs})
        return statistics.median(answer["times_ms"])

    def picture(self, image, warmup, runs):
        answer = self.worker.ask({"do": "picture", "image": str(image), "warmup": warmup,
                                  "runs": runs, "size": self.settings.size})
        return statistics.median(answer["times_ms"]), answer["detections"]

    def cold(self, image):
        request = json.dumps({**self.request, "image": str(image), "size": self.settings.size})
        output, ms, peak_kib = run_cold([*self.interpreter(), HERE / "cold.py", request])
        return ms, peak_kib, json.loads(output.strip().splitlines()[-1])

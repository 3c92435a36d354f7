"""The process of one peer: stays loaded and does what its standard input says, one JSON object a
line, an answer a line. Runs in the virtual environment.

  {"do": "open", "backend", "precision", "threads", "files"}  -> {"open_ms"}
  {"do": "predict", "input": x.npy, "output": y.npy}          -> {}
  {"do": "time", "input": x.npy, "warmup", "runs"}            -> {"times_ms"}: network only
  {"do": "picture", "image", "size", "warmup", "runs"}        -> {"times_ms", "detections"}: from
                                                                 the file to boxes

An answer to what went wrong is {"error": one line}. What libraries print goes to standard error.
"""

import ctypes
import json
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1


def timed(runs, warmup, what):
    """Times of `runs` calls of what() in ms, after `warmup` calls."""
    times = []
    for i in range(warmup + runs):
        start = time.perf_counter()
        what()
        if i >= warmup:
            times.append(1e3 * (time.perf_counter() - start))
    return times


class Peer:
    """What the requests mean, by way of a backend (backends.py) and NumPy."""

    def __init__(self):
        self.backend, self.placed = None, None

    def open(self, backend, precision, threads, files):
        import backends
        start = time.perf_counter()
        self.backend = backends.BACKENDS[backend](files, precision, threads)
        return {"open_ms": 1e3 * (time.perf_counter() - start)}

    def predict(self, input, output):
        import numpy
        y = numpy.asarray(self.backend.predict(numpy.load(input)), numpy.float32)
        numpy.save(output, numpy.ascontiguousarray(y.reshape(1, *y.shape[-2:])))
        return {}

    def time(self, input, warmup, runs):
        import numpy
        if self.placed != input:
            self.backend.place(numpy.load(input))
            self.placed = input
        return {"times_ms": timed(runs, warmup, self.backend.run)}

    def picture(self, image, size, warmup, runs):
        import pictures
        self.placed = None  # a backend has one input
        found = []
        times = timed(runs, warmup,
                      lambda: found.append(pictures.detect(self.backend, image, size)))
        return {"times_ms": times, "detections": found[-1]}


def serve(peer):
    """Answers until the end of standard input."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlives who started it
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(peer, request.pop("do"))(**request)
        except Exception as error:  # whatever a library throws is an answer
            words = " ".join(str(error).split())
            answer = {"error": f"{type(error).__name__}: {words[:300]}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(Peer())

"""bench/peers without the peers: a dry run, its arithmetic, and workers with a fake in them.

Usage: peers_test.py SOURCE_DIR BUILD_DIR
"""

import array
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE, BUILD = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
PEERS = SOURCE / "bench/peers"
sys.dont_write_bytecode = True
sys.path[:0] = [str(PEERS), str(SOURCE / "bench")]

import contestants  # noqa: E402
import figures  # noqa: E402
import guard  # noqa: E402
import installation  # noqa: E402
import models  # noqa: E402
import npy  # noqa: E402
import session  # noqa: E402
import tables  # noqa: E402

YOLOCU = BUILD / "bin/yolocu"
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}

# A peer that is there on every machine: what it is called decides how it behaves.
FAKE = """
import os, sys, threading, time
sys.path.insert(0, {peers!r})
sys.dont_write_bytecode = True
import worker
class Fake:
    def open(self, backend, precision, threads, files):
        print("noise of a library")
        if backend == "broken":
            raise RuntimeError("two\\nlines")
        self.backend = backend
        return {{"open_ms": 1}}
    def predict(self, input, output):
        sys.path.insert(0, {bench!r})
        import npy
        shape, y = npy.read_npy(os.path.join(os.path.dirname(output), "ours.npy"))
        if self.backend == "wrong":
            y = y[::-1]
        npy.write_npy(output, shape, y)
        return {{}}
    def time(self, input, warmup, runs):
        if self.backend == "mortal":
            print("the cause", file=sys.stderr, flush=True)
            os._exit(3)
        return {{"times_ms": worker.timed(runs, warmup, lambda: time.sleep(0.002))}}
    def spin(self):
        def forever():
            while True: pass
        threading.Thread(target=forever, daemon=True).start()
        return {{}}
    def sleep(self):
        time.sleep(60)
worker.serve(Fake())
"""


def is_running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def cpu_ticks(pid):
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(words[11]) + int(words[12])


class TemporaryFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.fake = self.folder / "fake.py"
        self.fake.write_text(FAKE.format(peers=str(PEERS), bench=str(SOURCE / "bench")))

    def worker(self):
        worker = contestants.Worker([sys.executable, self.fake])
        self.addCleanup(worker.close)
        worker.ask({"do": "open", "backend": "right", "precision": "fp32", "threads": 1,
                    "files": {}})
        return worker

    def settings(self):
        return session.Settings(program=YOLOCU, device="reference", threads=1, size=64, rounds=3,
                                picture_rounds=1, runs=2, warmup=1, work=self.folder,
                                image=SOURCE / "weights/demo/sample.jpg")

    def peer(self, backend):
        return contestants.Peer(sys.executable, backend, "fp32", self.settings(), self.fake)


class DryRun(TemporaryFolder):
    def run_script(self, *words, **more):
        return subprocess.Popen(
            [sys.executable, PEERS / "run", "--yolocu", YOLOCU, "--dry-run", "--work",
             self.folder / "work", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=ENVIRONMENT, **more)

    def test_everything_but_the_peers(self):
        path = self.folder / "report.json"
        process = self.run_script("--networks", "yolov7-tiny,absent", "--pictures", "codes-nano",
                                  "--json", path)
        out, err = process.communicate()
        self.assertEqual(process.returncode, 0, err)
        report = json.loads(path.read_text())
        network, absent = report["networks"]
        self.assertIn("absent", absent["reason"])
        rows = {row["name"]: row for row in network["rows"]}
        self.assertEqual(len(rows), 9)
        ours = rows["yolocu-fp32"]
        self.assertEqual(len(ours["times_ms"]), 2)
        self.assertGreater(ours["median_ms"], 0)
        self.assertEqual(ours["guard"]["sizes"], 0)
        self.assertIn("--int8", rows["yolocu-int8"]["reason"])
        for name in ("onnxruntime-fp32", "openvino-bf16", "ncnn-fp32", "opencv-fp32"):
            self.assertIn("dry run", rows[name]["reason"])
        picture = report["pictures"][0]["rows"][0]
        self.assertGreater(picture["cold_ms"][0], 0)
        self.assertGreater(picture["peak_mib"][0], 4)
        self.assertGreater(picture["warm_ms"][0], 0)
        self.assertGreater(report["sizes"]["yolocu"]["yolocu"], 1 << 20)
        self.assertIn("libstdc++", " ".join(report["sizes"]["yolocu"]))
        self.assertNotIn("libc.so.6", report["sizes"]["yolocu"])
        self.assertIn("CPU", report["machine"])
        self.assertIn("| yolocu-fp32 ", out)
        self.assertTrue(out.startswith("A dry run"), out)
        self.assertNotIn(f"{SOURCE}/", out)

    def test_what_makes_no_sense(self):
        for words in (["--contestants", "nobody"], ["--skip", "all"], ["--int8", "a=absent"]):
            process = self.run_script(*words)
            _, err = process.communicate()
            self.assertEqual(process.returncode, 2, err)
        process = self.run_script("--yolocu", self.folder / "absent")
        _, err = process.communicate()
        self.assertEqual((process.returncode, err.count("\n")), (2, 1), err)
        self.assertIn("absent", err)

    def test_an_interrupted_run_tells_what_it_has(self):
        process = self.run_script("--networks", ",".join(["yolov7-tiny", "gelan-s", "gelan-m"]),
                                  start_new_session=True)
        while "yolov7-tiny: preparing" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertIn("Machine:", out)
        with self.assertRaises(ProcessLookupError):  # nobody of its session is left
            for _ in range(3000):  # the system buries the dead when it finds the time
                os.killpg(process.pid, 0)
                time.sleep(0.01)


class Workers(TemporaryFolder):
    def test_answers(self):
        worker = self.worker()
        times = worker.ask({"do": "time", "input": "", "warmup": 1, "runs": 3})["times_ms"]
        self.assertEqual(len(times), 3)
        self.assertGreater(min(times), 1.9)
        with self.assertRaisesRegex(contestants.Unavailable, "RuntimeError: two lines$"):
            worker.ask({"do": "open", "backend": "broken", "precision": "", "threads": 1,
                        "files": {}})
        self.assertEqual(worker.ask({"do": "spin"}), {})  # an error is not its end

    def test_it_uses_no_time_while_nothing_is_asked(self):
        worker = self.worker()
        worker.ask({"do": "spin"})
        time.sleep(0.05)
        before = cpu_ticks(worker.process.pid)
        time.sleep(0.3)
        self.assertEqual(cpu_ticks(worker.process.pid), before)

    def test_one_that_ends_or_hangs_is_told_and_gone(self):
        worker = self.worker()
        worker.ask({"do": "open", "backend": "mortal", "precision": "", "threads": 1, "files": {}})
        for _ in range(2):  # asking again is no crash
            with self.assertRaisesRegex(contestants.Unavailable, "status 3: the cause"):
                worker.ask({"do": "time", "input": "", "warmup": 0, "runs": 1})
        late = self.worker()
        with self.assertRaisesRegex(contestants.Unavailable, "in time"):
            late.ask({"do": "sleep"}, seconds=0.2)
        self.assertFalse(is_running(late.process.pid))

    def test_it_does_not_outlive_its_parent(self):
        script = (f"import sys; sys.path.insert(0, {str(PEERS)!r})\n"
                  "sys.dont_write_bytecode = True\n"
                  "import contestants, os, signal\n"
                  f"w = contestants.Worker([sys.executable, {str(self.fake)!r}])\n"
                  "w.ask({'do': 'spin'}); print(w.process.pid, flush=True)\n"
                  "os.kill(os.getpid(), signal.SIGKILL)\n")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        pid, end = int(done.stdout), time.monotonic() + 10
        while is_running(pid) and time.monotonic() < end:
            time.sleep(0.01)
        self.assertFalse(is_running(pid))

    def test_a_cold_start_has_a_peak_of_its_own(self):
        held = bytearray(200 << 20)  # ours is not the child's
        output, ms, peak_kib = contestants.run_cold(
            [sys.executable, "-c",
             "import time; x = bytearray(50 << 20); time.sleep(.1); print(1)"])
        self.assertEqual(output.strip(), "1")
        self.assertGreater(ms, 100)
        self.assertGreater(peak_kib, 50 << 10)
        self.assertLess(peak_kib, 100 << 10)
        with self.assertRaisesRegex(contestants.Unavailable, "exit 3"):
            contestants.run_cold([sys.executable, "-c", "raise SystemExit(3)"])
        del held


class Sessions(TemporaryFolder):
    def test_each_gets_times_or_a_reason(self):
        settings = self.settings()
        who = [contestants.Program(YOLOCU, "fp32", settings),
               *(self.peer(name) for name in ("right", "wrong", "broken", "mortal", "missing"))]
        measured = session.Session(settings, who, {"missing": "pip: no such thing"},
                                   lambda text: None)
        self.addCleanup(measured.close)
        measured.begin()
        demo = SOURCE / "weights/demo/codes-nano.yolocu"
        result = measured.of("demo", demo, None, None, measured.network)
        rows = {row["maker"]: row for row in result["rows"]}
        self.assertEqual(len(rows["yolocu"]["times_ms"]), 3)
        self.assertEqual(len(rows["right"]["times_ms"]), 3)
        for maker, reason in (("wrong", "something else"), ("broken", "two lines"),
                              ("mortal", "the cause"), ("missing", "no such thing")):
            self.assertIn(reason, rows[maker]["reason"])
            self.assertNotIn("median_ms", rows[maker])
        self.assertTrue(result["trained"])
        quotient, = result["quotients"]
        self.assertEqual((quotient["above"], quotient["below"]), ("yolocu-fp32", "right-fp32"))
        self.assertEqual([one.worker for one in who[1:]], [None] * 5)  # all have been closed

    def test_models_for_ncnn_are_made_or_missed(self):
        pnnx = self.folder / "pnnx"
        onnx = self.folder / "x.onnx"
        onnx.write_bytes(b"")

        def made(text):
            pnnx.write_text("#!/bin/sh\n" + text)
            pnnx.chmod(0o755)
            folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
            return models.ncnn_files(folder, onnx, 64, pnnx)

        files = made('touch "${1%.onnx}.ncnn.bin"\n')
        self.assertTrue(files["ncnn"].endswith("/model.ncnn"), files)
        self.assertIn("no model", made("exit 0\n")["ncnn_problem"])
        self.assertEqual(made("echo no >&2; exit 1\n")["ncnn_problem"], "pnnx: no")


class Figures(unittest.TestCase):
    def row(self, name, times):
        return {"name": name, "maker": name.split("-")[0], "precision": name.split("-")[1],
                **figures.summary(times)}

    def test_quotients(self):
        rows = [self.row("yolocu-fp32", [10, 20, 30]), self.row("yolocu-bf16", [8, 8, 9]),
                self.row("yolocu-int8", [4, 4, 6]), self.row("openvino-fp32", [20, 10, 60]),
                self.row("ncnn-fp32", [30, 30, 30]), self.row("openvino-bf16", [16, 16, 16]),
                self.row("ncnn-bf16", [4, 4, 4]),
                {"name": "opencv-fp32", "maker": "opencv", "precision": "fp32", "reason": "none"}]
        found = {q["what"]: q for q in figures.quotients(rows)}
        self.assertEqual(list(found), ["fp32 / best peer", "bf16 / OpenVINO", "bf16 / best peer",
                                       "int8 / our bf16"])
        best = found["fp32 / best peer"]
        self.assertEqual((best["below"], best["quotient"]), ("openvino-fp32", 1.0))
        self.assertEqual((best["low"], best["middle"], best["high"]), (0.5, 0.5, 2.0))
        self.assertEqual(found["bf16 / OpenVINO"]["quotient"], 0.5)
        self.assertEqual(found["bf16 / best peer"]["below"], "ncnn-bf16")
        self.assertEqual(found["int8 / our bf16"]["quotient"], 0.5)
        self.assertEqual(figures.quotients(rows[1:2]), [])

    def test_rounds_begin_with_another_each_time(self):
        turns = []
        times = figures.interleave(["a", "b", "c"], 4, lambda name: turns.append(name) or
                                   (None if name == "c" else len(turns)))
        self.assertEqual("".join(turns), "abcbcacababc")
        self.assertEqual(times, {"a": [1, 6, 8, 10], "b": [2, 4, 9, 11], "c": []})
        self.assertEqual(figures.interleave([], 2, None), {})

    def test_pictures_by_the_best_peer_of_the_precision(self):
        rows = [{"name": "yolocu-bf16", "maker": "yolocu", "precision": "bf16",
                 "cold_ms": [1, 2, 9]},
                {"name": "a-bf16", "maker": "a", "precision": "bf16", "cold_ms": [8, 8, 8]},
                {"name": "b-bf16", "maker": "b", "precision": "bf16", "cold_ms": [4, 4, 90]},
                {"name": "c-fp32", "maker": "c", "precision": "fp32", "cold_ms": [1]}]
        self.assertEqual(figures.picture_quotients(rows), [
            {"what": "cold_ms", "above": "yolocu-bf16", "below": "b-bf16", "quotient": 0.5}])

    def test_tables(self):
        text = tables.table(["a", "b"], [["long", 1], ["x", 222]])
        self.assertEqual(text, "| a    |   b |\n| ---- | --: |\n| long |   1 |\n| x    | 222 |\n")
        sections = [{"network": "n", "gflop": 1.25, "rows": [
            self.row("a-fp32", [1.0, 2.0, 4.0]), {"name": "b-fp32", "reason": "why"}]},
            {"network": "m", "rows": [{"name": "b-fp32", "reason": "why"}]}]
        lines = tables.network_table(sections).splitlines()
        self.assertEqual(lines[2].split("|")[1:4],
                         [" a-fp32             ", " 2.0 (1.0-4.0) ", "   "])
        self.assertEqual(tables.reasons(sections), "- b-fp32 (n, m): why\n")

    def test_a_disturbed_run_says_so(self):
        def text(cores):
            return tables.disturbance_text({"disturbance": {"seconds": 1, "load_before": 0,
                                                            "others_cores": cores}})
        self.assertNotIn("DISTURBED", text(0.05))
        self.assertIn("DISTURBED", text(0.5))


class Guard(unittest.TestCase):
    # Sizes 10..80 and scores from all over 0..1.
    OURS = ((1, 8, 5), array.array("f", [v for i in range(1, 9)
                                         for v in (i, i, 10 * i, 10 * i, i / 9)]))

    def changed(self, column, change):
        values = self.OURS[1][:]
        for i in range(column, len(values), 5):
            values[i] = change(values[i])
        return self.OURS[0], values

    def test_distances(self):
        same = guard.compare(self.OURS, self.OURS)
        self.assertEqual((same["sizes"], same["logits"]), (0, 0))
        # 5 off in half of the sizes, whose variance is 100 * (64 - 1) / 12
        apart = guard.compare(self.changed(2, lambda v: v + 5), self.OURS)
        self.assertAlmostEqual(apart["sizes"], math.sqrt(12.5 / 525), places=6)
        self.assertEqual(apart["box"]["max"], 5)
        swapped = guard.compare(self.changed(4, lambda v: 1 - v), self.OURS)
        self.assertAlmostEqual(swapped["logits"], 2, places=5)
        with self.assertRaises(ValueError):
            guard.compare(self.changed(4, lambda v: math.nan), self.OURS)
        with self.assertRaises(ValueError):
            guard.compare(((1, 10, 4), self.OURS[1]), self.OURS)

    def test_verdicts(self):
        near = guard.compare(self.changed(2, lambda v: v + 1), self.OURS)
        middle = guard.compare(self.changed(2, lambda v: v + 5), self.OURS)  # 0.15
        far = guard.compare(self.changed(4, lambda v: 1 - v), self.OURS)
        self.assertIsNone(guard.verdict("fp32", near, None))
        self.assertIn("something else", guard.verdict("fp32", middle, near))
        self.assertIsNone(guard.verdict("bf16", middle, None))
        self.assertIsNone(guard.verdict("bf16", far, near))  # the network amplifies rounding
        self.assertIn("does not amplify", guard.verdict("bf16", far, far))
        self.assertIn("something else", guard.verdict("bf16", far, None))

    def test_kinds_of_heads(self):
        for anchors, size, per_cell in ((8400, 640, 1), (25200, 640, 3), (84, 64, 1),
                                        (102000, 1280, 3)):  # the last with stride 64
            self.assertEqual(guard.anchors_per_cell((1, anchors, 84), size), per_cell)

    def test_large_predictions_are_sampled(self):
        shape, values = guard.sample(((2, 25200, 5), array.array("f", range(2 * 25200 * 5))))
        self.assertEqual(len(values), shape[1] * 5)
        self.assertLess(shape[1], 1100)
        self.assertLess(max(values), 25200 * 5)  # of the first picture


class Installed(TemporaryFolder):
    def distribution(self, name, size, requires=()):
        folder = self.folder / "lib/python3.11/site-packages"
        info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}.bin").write_bytes(b"x" * size)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" +
                                       "".join(f"Requires-Dist: {one}\n" for one in requires))
        (info / "RECORD").write_text(f"{name}.bin,,\nabsent.bin,,\n")

    def test_sizes_are_of_a_package_and_what_it_requires(self):
        self.distribution("Peer-A", 100, ["num_py>=1", 'extra-thing; extra == "more"',
                                          "elsewhere; sys_platform == 'win32'"])
        self.distribution("Num.Py", 30, ["Peer-A"])  # a circle
        self.distribution("extra-thing", 5)
        self.assertEqual(installation.package_sizes(self.folder, "peer_a"),
                         {"peer-a": 100, "num-py": 30})
        self.assertEqual(installation.package_sizes(self.folder, "absent"), {})
        self.assertEqual(installation.package_sizes(self.folder / "absent", "peer-a"), {})

    def test_what_pip_cannot_get_is_a_problem_of_that_package_only(self):
        (self.folder / "bin").mkdir()
        python = self.folder / "bin/python"
        python.write_text('#!/bin/sh\nfor last; do :; done\ncase "$*" in *openvino*) '
                          'echo first >&2; echo "no such version" >&2; exit 1;; esac\n')
        python.chmod(0o755)
        problems = installation.install(self.folder, lambda text: None)
        self.assertEqual(problems, {"openvino": "pip: no such version"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

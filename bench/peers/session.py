"""A run of everything: guard, rounds, pictures. What fails becomes a reason, never an end."""

import dataclasses
import pathlib
import sys

import contestants
import figures
import guard
import models

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import agreement  # noqa: E402
import npy  # noqa: E402
import report_steps  # noqa: E402

PEERS = [("onnxruntime", ["fp32"]), ("openvino", ["fp32", "bf16"]), ("ncnn", ["fp32", "bf16"]),
         ("opencv", ["fp32"])]


@dataclasses.dataclass
class Settings:
    program: pathlib.Path
    device: str
    threads: int
    size: int
    rounds: int
    picture_rounds: int
    runs: int    # of a turn, timed
    warmup: int  # of a turn, before those
    work: pathlib.Path
    image: pathlib.Path


def everybody(settings, python):
    """All contestants in the order of the tables."""
    ours = [contestants.Program(settings.program, precision, settings)
            for precision in ("fp32", "bf16", "int8")]
    return ours + [contestants.Peer(python, backend, precision, settings)
                   for backend, precisions in PEERS for precision in precisions]


class Session:
    """`who`: contestants. `problems`: why one cannot take part at all, by maker."""

    def __init__(self, settings, who, problems, log):
        self.settings, self.who, self.problems, self.log = settings, who, problems, log
        self.sound = {}  # guard's words of networks that do not amplify rounding, by head and name
        self.input = settings.work / "input.npy"

    def begin(self):
        """The input of every network, the same for all."""
        self.settings.work.mkdir(parents=True, exist_ok=True)
        report_steps.write_picture(self.input, self.settings.size)

    def close(self):
        for one in self.who:
            one.close()

    def guarded(self, subject, sound=False):
        """Opens everybody for a network and compares what they compute. Rows: name, maker,
        precision, guard and reason, if there is one. `sound`: the network does not amplify
        rounding; what is found decides about others, not about itself."""
        folder = self.settings.work / subject.name
        ours = contestants.Program(self.settings.program, "fp32", self.settings)
        ours.open(subject)
        ours.predict(self.input, folder / "ours.npy")
        predictions = npy.read_npy(folder / "ours.npy")
        head, rows = guard.anchors_per_cell(predictions[0], self.settings.size), []
        for one in self.who:
            row = {"name": one.name, "maker": one.maker, "precision": one.precision}
            try:
                self.compare(one, subject, row, predictions)
                if sound:
                    self.sound[head, one.name] = row["guard"]
                elif one.precision in guard.LIMITS:
                    reason = guard.verdict(one.precision, row["guard"],
                                           self.sound.get((head, one.name)))
                    row.update({"reason": reason} if reason else {})
            except contestants.Unavailable as reason:
                row["reason"] = str(reason)
            except (OSError, ValueError) as error:  # of the predictions' file
                row["reason"] = f"computes something else: {error}"
            if "reason" in row:
                one.close()
            rows.append(row)
            self.log(f"{subject.name}: {one.name}: " +
                     (row.get("reason") or guard.told(row["guard"])))
        return rows

    def compare(self, one, subject, row, predictions):
        """row["guard"], of a contestant that is opened for it."""
        if one.maker in self.problems:
            raise contestants.Unavailable(self.problems[one.maker])
        one.open(subject)
        output = self.settings.work / subject.name / f"{one.name}.npy"
        one.predict(self.input, output)
        row["guard"] = guard.compare(npy.read_npy(output), predictions)

    def take_turns(self, rows, rounds, keys, turn):
        """Interleaved rounds of those that have no reason not to. turn(contestant) gives a figure
        for each of `keys`; their lists go into the rows. One that fails gets a reason instead."""
        by_name = {row["name"]: row for row in rows if "reason" not in row}
        who = {one.name: one for one in self.who}

        def guarded_turn(name):
            if "reason" in by_name[name]:
                return None
            try:
                return turn(who[name])
            except contestants.Unavailable as reason:
                by_name[name]["reason"] = str(reason)
                return None

        names = list(by_name)
        for name in names:  # a first turn that does not count
            guarded_turn(name)
        for name, found in figures.interleave(names, rounds, guarded_turn).items():
            if "reason" not in by_name[name]:
                for key, column in zip(keys, zip(*found)):
                    by_name[name][key] = list(column)

    def network(self, subject):
        """Network only: the rows of a table, and quotients."""
        s = self.settings
        rows = self.guarded(subject)
        self.take_turns(rows, s.rounds, ["times_ms"],
                        lambda one: (one.time(self.input, s.warmup, s.runs),))
        for row in rows:
            if "times_ms" in row:
                row.update(figures.summary(row["times_ms"]))
        flop = next((one.flop for one in self.who if getattr(one, "flop", None)), None)
        return {"network": subject.name, "trained": subject.trained, "gflop": flop and flop / 1e9,
                "rows": rows, "quotients": figures.quotients(rows)}

    def pictures(self, subject, skip):
        """From a picture file to boxes, in a fresh process and in one that is loaded."""
        s = self.settings
        rows = self.guarded(subject)
        found = {}

        def cold(one):
            ms, peak_kib, found[one.name] = one.cold(s.image)
            return ms, peak_kib / 1024

        if "cold" not in skip:
            self.take_turns(rows, s.picture_rounds, ["cold_ms", "peak_mib"], cold)
        if "warm" not in skip:
            self.take_turns(rows, s.picture_rounds, ["warm_ms"],
                            lambda one: (one.picture(s.image, s.warmup, s.runs)[0],))
        for row in rows:
            if row["name"] in found:
                row["objects"] = len(found[row["name"]])
                if subject.trained and "yolocu-fp32" in found:  # made-up weights amplify rounding
                    row["differ"] = agreement.detections_differ(found[row["name"]],
                                                                found["yolocu-fp32"])
        return {"network": subject.name, "trained": subject.trained, "rows": rows,
                "quotients": figures.picture_quotients(rows)}

    def of(self, name, packed, int8, pnnx, measure):
        """measure(subject) of a network by name, or why it could not be prepared or run."""
        self.log(f"{name}: preparing")
        try:
            return measure(models.prepare(name, packed, int8, self.settings, pnnx))
        except contestants.Unavailable as reason:
            self.log(f"{name}: {reason}")
            return {"network": name, "rows": [], "reason": str(reason)}
        finally:
            self.close()

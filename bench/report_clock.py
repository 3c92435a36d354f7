"""Time limits for the commands of gpu_report, and what ends a step other than its result."""

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import time

KEPT_LINES = 40  # of the output of a command that failed


class Skip(Exception):
    """A step that cannot be done here; the message says why."""


class Failure(Exception):
    """A step whose answer is wrong; the message says how. output: of the command that said so."""

    def __init__(self, message, output=""):
        super().__init__(message)
        self.output = output


def end_of(output):
    """The last lines of an output, or of None."""
    return (output or "").strip().splitlines()[-KEPT_LINES:]


class Clock:
    """Runs commands within a step's own limit and the time that is left for all."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.step_end = self.end

    def begin_step(self, limit):
        """The seconds that the step has."""
        self.step_end = min(self.end, time.monotonic() + limit)
        if self.left() <= 0:
            raise Skip("no time left")
        return self.left()

    def left(self):
        return self.step_end - time.monotonic()

    def run(self, command, fails=True, environment=None):
        """The output of a command. Failure with its last line for another status than 0;
        TimeoutExpired with the output so far. environment: variables beside those of this process.
        """
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", start_new_session=True,
                                   env={**os.environ, **(environment or {})})
        try:
            output, _ = process.communicate(timeout=max(self.left(), 0.001))
        except subprocess.TimeoutExpired as late:
            os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            late.output, _ = process.communicate()
            raise
        except BaseException:  # an interrupt: nothing goes on behind it
            os.killpg(process.pid, signal.SIGKILL)
            raise
        last = (end_of(output) or [""])[-1]
        if process.returncode == 77:  # a test's word for "not here"
            raise Skip(last)
        if fails and process.returncode != 0:
            name = pathlib.Path(command[0]).name
            raise Failure(f"{name}: exit {process.returncode}: {last}", output)
        return output

    def run_together(self, command, environments):
        """The outputs of a command that runs in several environments at the same time. Failure with
        the output of the first that failed, once all have ended."""
        with concurrent.futures.ThreadPoolExecutor(len(environments)) as pool:
            runs = [pool.submit(self.run, command, environment=one) for one in environments]
        failures = [run.exception() for run in runs if isinstance(run.exception(), Failure)]
        if failures:
            raise Failure(f"{len(failures)} of {len(runs)} failed: {failures[0]}",
                          failures[0].output)
        return [run.result() for run in runs]


def run_step(plan, clock, report, limit, step):
    """status, text and, of a command that failed or was late, the end of its output."""
    seconds = limit
    try:
        seconds = clock.begin_step(limit)
        return {"status": "ok", "text": step(plan, clock, report)}
    except Skip as reason:
        return {"status": "skipped", "text": str(reason)}
    except subprocess.TimeoutExpired as late:
        name = pathlib.Path(str(late.cmd[0])).name
        return {"status": "timed out", "output": end_of(late.output),
                "text": f"{name} was still running after {seconds:.0f} s of this step"}
    except Failure as failure:
        return {"status": "failed", "text": str(failure), "output": end_of(failure.output)}
    except (OSError, ValueError, KeyError, IndexError) as error:
        return {"status": "failed", "text": f"{type(error).__name__}: {error}"}

"""The machine and the software that figures are from, as far as they can be seen."""

import datetime
import os
import pathlib
import platform
import re
import resource
import subprocess
import time

import installation

FLAGS = ["avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
         "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8"]
LSCPU = ["Model name", "Vendor ID", "CPU family", "Model", "Thread(s) per core",
         "Core(s) per socket", "Socket(s)", "Hypervisor vendor", "L1d cache", "L1i cache",
         "L2 cache", "L3 cache"]


def first_match(pattern, path, absent="not visible"):
    try:
        match = re.search(pattern, pathlib.Path(path).read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return absent
    return match[1].strip() if match else absent


def lscpu():
    try:
        result = subprocess.run(["lscpu"], capture_output=True, text=True,
                                env={**os.environ, "LC_ALL": "C"})
    except OSError:
        return {}
    pairs = (line.partition(":") for line in result.stdout.splitlines())
    told = {key.strip(): value.strip() for key, _, value in pairs}
    return {key: told[key] for key in LSCPU if key in told}


def facts():
    flags = first_match(r"^flags\s*:(.*)$", "/proc/cpuinfo", "").split()
    return {
        "CPU": first_match(r"^model name\s*:(.*)$", "/proc/cpuinfo"),
        "cores for this process": len(os.sched_getaffinity(0)),
        **{key: value for key, value in lscpu().items() if key != "Model name"},
        "flags": " ".join(flag for flag in FLAGS if flag in flags),
        "memory": first_match(r"^MemTotal:(.*)$", "/proc/meminfo"),
        "governor": first_match(r"(.*)", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": first_match(r'^PRETTY_NAME="?([^"\n]*)', "/etc/os-release"),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }


def compiler(program):
    """What its file says it was built with."""
    found = re.findall(rb"(?:GCC: \([^)]*\) [0-9.]+|clang version [0-9.]+)",
                       pathlib.Path(program).read_bytes())
    return ", ".join(sorted({one.decode() for one in found})) or "not visible"


def commit(root):
    """Of the sources, "+" if they differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)
    try:
        revision = git("rev-parse", "--short=12", "HEAD").stdout.strip()
        return revision + ("+" if git("status", "--porcelain", "-uno").stdout.strip() else "")
    except OSError:
        return ""


def versions(program, venv, root):
    """Of everything that is compared."""
    told = {"yolocu": f"{commit(root) or 'unknown commit'}, {compiler(program)}",
            "libraries of yolocu": ", ".join(sorted(installation.program_sizes(program))[:-1]),
            "python": platform.python_version()}
    if venv is not None:
        for name, one in sorted(installation.distributions(venv).items()):
            if name in installation.PACKAGES:
                told[name] = one.version
    return told


class Disturbance:
    """How much of the processors others took between two moments."""

    def __init__(self):
        self.load, self.start, self.busy, self.own = \
            os.getloadavg()[0], time.monotonic(), self.busy_s(), self.own_s()

    @staticmethod
    def busy_s():
        """Of all processes of the machine, time stolen by its host included."""
        line = first_match(r"^cpu (.*)$", "/proc/stat", "")
        ticks = [int(word) for word in line.split()]
        user, nice, system, _, _, irq, softirq, steal = (ticks + [0] * 8)[:8]
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def own_s():
        """Of this process and all that it has waited for."""
        usages = [resource.getrusage(who)
                  for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    def result(self):
        """Only once all workers have ended."""
        wall = time.monotonic() - self.start
        others = max(self.busy_s() - self.busy - (self.own_s() - self.own), 0)
        return {"load_before": self.load, "seconds": wall, "others_cores": others / wall}

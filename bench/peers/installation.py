"""The virtual environment of the peers: what is put into it, and how large each of them is."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys

# What pip installs, by name. pnnx declares PyTorch, of which its program needs nothing.
PACKAGES = ["numpy", "onnxruntime", "openvino", "ncnn", "opencv-python-headless", "pnnx"]
WITHOUT_DEPENDENCIES = {"pnnx"}

# Of the C library, which every Linux has.
LIBC = re.compile(r"(ld-linux.*|linux-vdso|lib(c|m|dl|rt|pthread|resolv|util))\.so.*")


def normal(name):
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def site_packages(venv):
    """The folder of a virtual environment's packages."""
    return next(iter(sorted(pathlib.Path(venv).glob("lib/python3*/site-packages"))), None)


def distributions(venv):
    """Of each installed distribution, by normal name."""
    folder = site_packages(venv)
    found = importlib.metadata.distributions(path=[str(folder)]) if folder else []
    return {normal(one.metadata["Name"]): one for one in found}


def install(venv, log):
    """Makes the virtual environment if it is not there and adds what is missing. Returns problems
    by package: one that cannot be had does not keep the others out."""
    venv = pathlib.Path(venv)
    if not (venv / "bin/python").exists():
        log(f"making {venv}")
        made = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True)
        if made.returncode != 0:
            words = " ".join((made.stdout + made.stderr).split())
            return {name: f"python3 -m venv: {words[:300]}" for name in PACKAGES}
    problems = {}
    for name in PACKAGES:
        if name in distributions(venv):
            continue
        log(f"installing {name}")
        command = [venv / "bin/python", "-m", "pip", "install", "--quiet", name]
        command += ["--no-deps"] if name in WITHOUT_DEPENDENCIES else []
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            lines = result.stderr.strip().splitlines() or ["pip failed"]
            problems[name] = f"pip: {lines[-1][:300]}"
    return problems


def pnnx_program(venv):
    """The program itself: what pip puts into bin/ starts it through a module that needs PyTorch."""
    folder = site_packages(venv)
    program = folder / "pnnx/pnnx" if folder else None
    return program if program and program.is_file() else None


def required(distribution):
    """Normal names of what a distribution requires, extras left out."""
    for line in distribution.requires or []:
        requirement, _, marker = line.partition(";")
        if "extra" not in marker:
            yield normal(re.match(r"\s*([A-Za-z0-9._-]+)", requirement)[1])


def package_sizes(venv, name):
    """Bytes of a distribution and of everything installed that it requires, by name."""
    installed, sizes, waiting = distributions(venv), {}, [normal(name)]
    while waiting:
        name = waiting.pop()
        if name in sizes or name not in installed:  # not there: a marker for another system
            continue
        files = [file.locate() for file in installed[name].files or []]
        sizes[name] = sum(os.path.getsize(file) for file in files if os.path.isfile(file))
        waiting += required(installed[name])
    return sizes


def program_sizes(program):
    """Bytes of a program and of the shared libraries that it loads, the C library left out, by file
    name. The C++ library counts."""
    sizes = {pathlib.Path(program).name: os.path.getsize(program)}
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        match = re.match(r"\s*(\S+) => (\S+) \(", line)
        if match and not LIBC.fullmatch(match[1]):
            path = os.path.realpath(match[2])
            sizes[pathlib.Path(path).name] = os.path.getsize(path)
    return sizes

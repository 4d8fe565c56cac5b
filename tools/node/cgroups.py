"""The cgroups of a run: one of its name in each hierarchy, and below it those that the kubelet makes for pods.

Called by `scratch`. Nothing outside of that name is made, changed or removed. Knows both versions of cgroups.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mounts")
CONTROLLERS: Final = {"cpu", "cpuset", "memory", "pids"}
TYPES: Final = ("cgroup", "cgroup2")
INHERITED: Final = ("cpuset.cpus", "cpuset.mems")
"""Version 1 leaves them empty, and then no process may enter."""
REMOVE_TIMEOUT: Final = 10.0
INTERVAL: Final = 0.1


def hierarchies(mounts: Path = MOUNTS) -> list[Path]:
    """Where they are mounted: one for each controller in version 1, a single one in version 2."""
    fields = [line.split() for line in mounts.read_text().splitlines()]
    return [Path(each[1]) for each in fields if each[2] in TYPES]


def missing_controllers(roots: Sequence[Path]) -> set[str]:
    """Those that a kubelet needs, and that no new cgroup would have."""
    if any((root / "memory.limit_in_bytes").exists() for root in roots):
        return CONTROLLERS - set().union(*(root.name.split(",") for root in roots))
    files = [root / "cgroup.subtree_control" for root in roots]
    return CONTROLLERS - set().union(*(file.read_text().split() for file in files if file.exists()))


def make(name: str, roots: Sequence[Path]) -> None:
    for root in roots:
        (root / name).mkdir()
        for file in INHERITED:
            if (root / file).exists():
                (root / name / file).write_text((root / file).read_text())


def remove(name: str, roots: Sequence[Path]) -> None:
    """With all below, and first end what still runs there. Raises `TimeoutError` when something cannot be ended."""
    deadline = time.monotonic() + REMOVE_TIMEOUT
    while left := [root / name for root in roots if (root / name).exists()]:
        for group in left:
            _end_processes(group)
            _remove_folders(group)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{', '.join(map(str, left))}: a process there does not end")
        time.sleep(INTERVAL)


def _end_processes(group: Path) -> None:
    for file in group.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            for pid in file.read_text().split():
                if int(pid) > 0:  # 0 is one that this namespace cannot see
                    os.kill(int(pid), signal.SIGKILL)


def _remove_folders(group: Path) -> None:
    folders = [group, *(path for path in group.rglob("*") if path.is_dir())]
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            folder.rmdir()

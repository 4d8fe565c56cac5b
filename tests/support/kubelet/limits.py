"""Control groups that limit the memory of containers: made by `container`, removed by `agent`."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import Final

from tests.support.waiting import wait_until

ROOT: Final = Path("/sys/fs/cgroup")
PREFIX: Final = "coder-enterprise-tests"


@functools.cache
def _place() -> tuple[Path, str] | None:
    """Where groups can be made, and the name of the file with their limit; None when nowhere."""
    first, second = ROOT / "memory", ROOT / "cgroup.subtree_control"
    if os.access(first / "cgroup.procs", os.W_OK):
        return first, "memory.limit_in_bytes"
    if second.exists() and "memory" in second.read_text().split() and os.access(second, os.W_OK):
        return ROOT, "memory.max"
    return None


def missing() -> str:
    """Why there are no limits here; nothing when there are."""
    return "" if _place() else f"no group with a limit of memory can be made under {ROOT}"


def group(name: str, memory: int | None) -> Path | None:
    """One that lets its processes have so many bytes; None when there is nothing to limit, or no way to."""
    place = _place()
    if memory is None or place is None:
        return None
    folder = place[0] / f"{PREFIX}-{os.getpid()}-{name}"
    folder.mkdir(exist_ok=True)
    (folder / place[1]).write_text(str(memory))
    return folder


def remove(name: str) -> None:
    """Once no process is left in it."""
    place = _place()
    folder = place[0] / f"{PREFIX}-{os.getpid()}-{name}" if place else None
    if folder and folder.exists():
        wait_until(lambda: _removed(folder), f"the end of all processes in {folder}")


def _removed(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()

"""What a process has and has used, as Linux tells it: for all that the bench measures."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tools.processes import ProcessFailed


@dataclass(frozen=True)
class Usage:
    cpu: float
    """Seconds, of all its threads since it began."""
    memory: float
    """MiB that are resident."""
    peak: float
    """MiB that were, at most."""
    files: int
    """Open file descriptors."""
    connections: int
    """Those of them that are sockets."""


def usage(pid: int) -> Usage:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Vm")
    )
    if "VmRSS" not in status:
        raise ProcessFailed(f"the process {pid} has ended")
    opened = _opened(pid)
    return Usage(
        cpu=cpu_seconds(pid),
        memory=_mib(status["VmRSS"]),
        peak=_mib(status["VmHWM"]),
        files=len(opened),
        connections=sum(1 for target in opened if target.startswith("socket:")),
    )


def cpu_seconds(pid: int) -> float:
    """Of all threads, as exact as the kernel counts: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime((~pid << 3) | 2)


def _opened(pid: int) -> list[str]:
    targets = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            targets.append(os.readlink(path))  # noqa: PTH115 - what it names is no path
        except OSError:
            continue  # closed meanwhile
    return targets


def _mib(field: str) -> float:
    return int(field.split()[0]) / 1024

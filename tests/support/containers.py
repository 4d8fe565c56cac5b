"""The first process of a container: with the id 1 in namespaces of its own, and a user id that nobody knows.

What a container runtime does, by `unshare` of Linux. A signal from outside that has no handler there is lost.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from tools.processes import Process

_UNSHARE: Final = (
    *(shutil.which("unshare") or "unshare", "--user", "--map-user=1000670000", "--map-group=0"),
    *("--pid", "--fork", "--kill-child"),
)


@cache
def why_not() -> str:
    """What this machine lacks; "" when it can."""
    try:
        tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "there is no unshare"
    return tried.stderr.strip()


def as_first_process(command: Sequence[str]) -> list[str]:
    return [*_UNSHARE, *command]


def first_process(unshare: Process) -> int | None:
    """Its id out here; None until it is the program that it was told to become."""
    children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
    (child,) = children.read_text().split() or [""]
    if not child:
        return None
    try:
        became = b"coder_enterprise" in Path(f"/proc/{child}/cmdline").read_bytes()
    except FileNotFoundError:
        return None
    return int(child) if became else None

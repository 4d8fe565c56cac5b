"""Folders of what the tools start, with tokens and keys in them: each is removed at its end, and that of a process that
was killed when the next one is made.

They are in the temporary directory, where paths are short enough for sockets, and other users reach what they are
handed. Each is held by a lock on a file in it, which the kernel takes away with the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

PREFIX: Final = "coder-enterprise-"
LOCK: Final = ".lock"

_held: dict[Path, int] = {}
"""Files, by folder."""


def make(purpose: str) -> Path:
    """For this user alone, and for as long as the process lives, or until `remove`."""
    _remove_left_behind()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))
    unseen = folder / f"{LOCK}.new"
    held = os.open(unseen, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX)
    unseen.rename(folder / LOCK)  # a lock that nobody holds is one that was left
    _held[folder] = held
    return folder


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    held = _held.pop(folder, None)
    if held is not None:
        os.close(held)


def _remove_left_behind() -> None:
    """Those that nobody holds, of this user."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError):
            held = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if os.fstat(held).st_uid == os.getuid():
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(held)

"""Removes from an installation what none of our programs loads: a step of the image's build, run by the Dockerfile.

`check.py`, a later step, imports what they do load. What is named here and not there is an error: it has moved.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

FOLDERS: Final = (
    "kubernetes/client/api",  # a class for each group of the Kubernetes API; the operator sends its few requests itself
    "kubernetes/aio/client/api",
    "alembic/testing",
    "greenlet/tests",
    "sqlalchemy/testing",
)
SOURCES: Final = ("*.c", "*.cpp", "*.h", "*.hpp", "*.pxd", "*.pxi", "*.pyi", "*.pyx")
"""Of modules that are there compiled, and what only type checkers read."""


def trim(environment: Path) -> None:
    """`environment` is a virtual one. Raises `FileNotFoundError` for a folder that is not there."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    for name in FOLDERS:
        shutil.rmtree(packages / name)
    for pattern in SOURCES:
        for file in packages.rglob(pattern):
            file.unlink()
    for program in (environment / "bin").iterdir():
        if not program.is_symlink():  # all but Python itself
            program.unlink()


if __name__ == "__main__":
    trim(Path(sys.argv[1]))

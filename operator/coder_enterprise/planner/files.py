"""The text of manifests: of files, of folders with all below them, and of the standard input.

Called by `planner.manifests`. What cannot be read is a fault, and keeps nothing else from being read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from coder_enterprise.planner.faults import Fault, Origin

MAX_FILE: Final = 32 * 1024 * 1024
"""Bytes of one file: reading more takes minutes."""
SUFFIXES: Final = (".yaml", ".yml", ".json")
STDIN: Final = "-"
STDIN_NAME: Final = "standard input"


def texts(sources: Sequence[str], faults: list[Fault]) -> Iterator[tuple[str, str]]:
    """By the name of the file."""
    for source in sources:
        if source == STDIN:
            yield from _text(STDIN_NAME, lambda: sys.stdin.buffer.read(MAX_FILE + 1), faults)
            continue
        for path in _files(Path(source), faults, set()):
            yield from _text(str(path), partial(_beginning, path), faults)


def _text(file: str, read: Callable[[], bytes], faults: list[Fault]) -> Iterator[tuple[str, str]]:
    try:
        data = read()
        if len(data) > MAX_FILE:
            raise OSError(f"has more than {MAX_FILE >> 20} MiB; split it")
        text = data.decode("utf-8-sig")
    except OSError as error:
        faults.append(Fault(Origin(file, 1), error.strerror or str(error)))
    except UnicodeDecodeError:
        faults.append(Fault(Origin(file, 1), "is no UTF-8 text"))
    else:
        yield file, text


def _beginning(path: Path) -> bytes:
    """So much that one sees whether it is too large: a pipe or a device does not say its size."""
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def _files(path: Path, faults: list[Fault], seen: set[Path]) -> Iterator[Path]:
    """Of folders, those whose names end as manifests' do, in order; a link that leads back is not followed twice."""
    try:
        if not path.is_dir():
            yield path
            return
        real = path.resolve(strict=True)
        if real in seen:
            return
        seen.add(real)
        children = sorted(path.iterdir())
    except (OSError, RuntimeError) as error:  # a RuntimeError is a loop of links
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its links lead in a circle"
        faults.append(Fault(Origin(str(path), 1), reason))
        return
    for child in children:
        if child.name.startswith("."):
            continue
        if child.is_dir() or child.suffix in SUFFIXES:
            yield from _files(child, faults, seen)

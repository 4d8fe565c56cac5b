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


class FileError(Exception):
    """A file cannot be read; the message says why."""


def text_of(path: Path) -> str:
    """Raises `FileError`."""
    return _decoded(partial(_beginning, path))


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
        text = _decoded(read)
    except FileError as error:
        faults.append(Fault(Origin(file, 1), str(error)))
    else:
        yield file, text


def _decoded(read: Callable[[], bytes]) -> str:
    try:
        data = read()
    except OSError as error:
        raise FileError(error.strerror or str(error)) from None
    if len(data) > MAX_FILE:
        raise FileError(f"has more than {MAX_FILE >> 20} MiB; split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileError("is no UTF-8 text") from None


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
        children = sorted(filter(_is_wanted, path.iterdir()))
    except (OSError, RuntimeError) as error:  # a RuntimeError is a loop of links
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its links lead in a circle"
        faults.append(Fault(Origin(str(path), 1), reason))
        return
    for child in children:
        if child.exists() and not (child.is_dir() or child.is_file()):  # a pipe is waited for, without an end
            faults.append(Fault(Origin(str(child), 1), "is neither a file nor a folder"))
        else:
            yield from _files(child, faults, seen)


def _is_wanted(child: Path) -> bool:
    """Raises `OSError`."""
    return not child.name.startswith(".") and (child.is_dir() or child.suffix in SUFFIXES)

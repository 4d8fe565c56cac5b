"""Writes an export into a folder, and never over what a person has written there.

Called by `coder-enterprise export`. What was written last is kept beside the files, so that three states are known of
each: as exported then, as it is in the folder, and as Coder is now. Only what nobody edited follows Coder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from coder_enterprise.client.errors import OperatorError

RECORD: Final = ".coder-export.json"
"""Digests of what was written last, by path. Belongs into version control, with the files."""
UNFINISHED: Final = ".coder-export-unfinished"
"""What a file is called before all of it is there. Always the same, so that of an export that was killed none stays."""
_LAYOUT: Final = 1


class FolderError(OperatorError):
    """The folder cannot be written to; the message says which file and why."""


@dataclass
class Changes:
    """What an export would do to a folder, by path; sorted as the files are."""

    write: dict[str, str] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Edited by a person, and Coder has not changed since: left as they are."""
    conflicts: list[str] = field(default_factory=list)
    """Edited by a person, and Coder has changed too."""
    unchanged: int = 0


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """While it is compared and written, no other export does: what that writes would be taken for a person's edit.
    Made where there is none. Raises `FolderError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise FolderError(f"{error.filename or folder}: {error.strerror or error}") from None
    try:
        with contextlib.suppress(OSError):  # a file system may have no locks
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderError(f"{folder}: another export is writing there; repeat this one afterwards") from None
        yield
    finally:
        os.close(held)


def exported(folder: Path) -> frozenset[str]:
    """Paths that were written last. Raises `FolderError`."""
    return frozenset(_recorded(folder))


def compare(folder: Path, files: Mapping[str, str], standing: Collection[str] = ()) -> Changes:
    """What is neither among `files` nor `standing` is gone from Coder. Raises `FolderError`
    for what cannot be read."""
    recorded = _recorded(folder)
    _refuse_links(folder, {*files, *recorded})
    changes = Changes()
    for path, text in files.items():
        wanted, found = _digest(text.encode()), _found(folder / path)
        if found == wanted:
            changes.unchanged += 1
        elif found is None or found == recorded.get(path):
            changes.write[path] = text
        elif recorded.get(path) == wanted:
            changes.kept.append(path)
        else:
            changes.conflicts.append(path)
    for path in sorted(recorded.keys() - files.keys() - set(standing)):
        found = _found(folder / path)
        if found == recorded[path]:
            changes.remove.append(path)
        elif found is not None:
            changes.conflicts.append(path)
    return changes


def write(folder: Path, files: Mapping[str, str], changes: Changes, *, force: bool = False) -> None:
    """Each file as a whole or not at all, so that an interrupted export can be repeated. With `force`, also over what a
    person has edited. Raises `FolderError`."""
    recorded = _recorded(folder)
    texts = dict(changes.write)
    gone = list(changes.remove)
    if force:
        texts |= {path: files[path] for path in (*changes.kept, *changes.conflicts) if path in files}
        gone += [path for path in changes.conflicts if path not in files]
    open_ = () if force else changes.conflicts
    settled = {path for path in files if path not in open_ and path not in texts}
    try:
        try:
            for path, text in texts.items():
                _put(folder / path, text)
                settled.add(path)
            for path in gone:
                (folder / path).unlink(missing_ok=True)
                recorded.pop(path, None)
        finally:  # interrupted or not: what is written is nobody's edit
            _record(folder, recorded | {path: _digest(files[path].encode()) for path in settled})
    except OSError as error:
        raise FolderError(f"{error.filename or folder}: {error.strerror or error}") from None


def _record(folder: Path, digests: Mapping[str, str]) -> None:
    document = {"layout": _LAYOUT, "files": dict(sorted(digests.items()))}
    _put(folder / RECORD, json.dumps(document, indent=1) + "\n")


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(UNFINISHED)
    unfinished.unlink(missing_ok=True)
    try:
        with unfinished.open("x", encoding="utf-8") as file:
            file.write(text)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _refuse_links(folder: Path, paths: Collection[str]) -> None:
    """A folder may come from others, and be written to with more rights than theirs."""
    for parent in sorted({(folder / path).parent for path in paths}):
        try:
            inside = parent.resolve().is_relative_to(folder.resolve())
        except (OSError, RuntimeError):  # its links lead in a circle
            inside = False
        if not inside:
            raise FolderError(f"{parent} is a link that leads out of {folder}; put a folder in its place")


def _recorded(folder: Path) -> dict[str, str]:
    try:
        document = json.loads(_read(folder / RECORD))
        files = document["files"] if document["layout"] == _LAYOUT else {}
        return {str(path): str(digest) for path, digest in files.items() if _inside(str(path))}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FolderError(f"{error.filename or folder}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FolderError(
            f"{folder / RECORD} is not what an export wrote there; delete it, or choose another folder"
        ) from None


def _inside(path: str) -> bool:
    """A record that somebody changed must not lead out of the folder."""
    return not Path(path).is_absolute() and ".." not in Path(path).parts and "\0" not in path


def _found(path: Path) -> str | None:
    try:
        return _digest(_read(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderError(f"{error.filename or path}: {error.strerror or error}") from None


def _read(path: Path) -> bytes:
    """Of a file alone: a pipe would be waited for, and a device has no end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise FolderError(f"{path} is no file; move it away, or choose another folder")
    return path.read_bytes()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

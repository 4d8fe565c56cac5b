"""Archives in their other form: what is uploaded as ZIP is kept as tar, and a tar archive is handed out as ZIP.

`files` calls it. Both come from users: only plain files and folders are taken, what they unpack to is bounded before it
is read, and the work is done beside the event loop.
"""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from datetime import UTC, datetime
from typing import Final

from coder_enterprise.server.errors import BadRequest
from coder_enterprise.server.services.pools import Pool

_POOL: Final = Pool("archives", threads=1, max_waiting=16)
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""The others take as much memory as the archive says."""
_DAMAGES: Final = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error),
    *(RuntimeError, EOFError, ValueError, OSError, OverflowError),
)
_EARLIEST: Final = datetime(1980, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2107, 12, 31, tzinfo=UTC)
"""That ZIP can say."""


async def to_tar(data: bytes, limit: int) -> bytes:
    """In at most `limit` bytes. Raises `BadRequest` for what is no ZIP archive or too large, and `Overloaded`."""
    return await _POOL.run(_to_tar, data, limit)


async def to_zip(data: bytes) -> bytes:
    """Raises `BadRequest` for what is no tar archive, and `Overloaded`."""
    return await _POOL.run(_to_zip, data)


def _to_tar(data: bytes, limit: int) -> bytes:
    made = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source, tarfile.open(fileobj=made, mode="w") as target:
            for entry in source.infolist():
                _add_to_tar(source, entry, target, limit - made.tell())
    except _DAMAGES as error:
        raise BadRequest("The ZIP archive cannot be read.", str(error)) from None
    return made.getvalue()


def _add_to_tar(source: zipfile.ZipFile, entry: zipfile.ZipInfo, target: tarfile.TarFile, room: int) -> None:
    mode = entry.external_attr >> 16
    if entry.compress_type not in _METHODS or stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(f"{entry.filename}: only files and folders are taken, stored or deflated")
    header = tarfile.TarInfo(entry.filename)
    header.mode = stat.S_IMODE(mode) or (0o755 if entry.is_dir() else 0o644)
    header.mtime = int(_moment(entry).timestamp())
    header.type = tarfile.DIRTYPE if entry.is_dir() else tarfile.REGTYPE
    content = b"" if entry.is_dir() else _content(source, entry, max(room, 0) + 1)
    if len(content) > room:
        raise ValueError("it unpacks to more than a file may have")
    header.size = len(content)
    target.addfile(header, io.BytesIO(content))


def _content(source: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    with source.open(entry) as file:
        return file.read(limit)


def _moment(entry: zipfile.ZipInfo) -> datetime:
    """Of an entry that says none, as Go writes them in the month 0, and of one that says nonsense: the earliest."""
    try:
        return datetime(*entry.date_time, tzinfo=UTC)
    except ValueError:
        return _EARLIEST


def _to_zip(data: bytes) -> bytes:
    made = io.BytesIO()
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as source, zipfile.ZipFile(made, "w") as target:
            for entry in source:
                _add_to_zip(source, entry, target)
    except _DAMAGES as error:
        raise BadRequest("The tar archive cannot be read.", str(error)) from None
    return made.getvalue()


def _add_to_zip(source: tarfile.TarFile, entry: tarfile.TarInfo, target: zipfile.ZipFile) -> None:
    """What is neither a file nor a folder is left out: such an archive has been of use to a daemon already."""
    if entry.issparse() or not (entry.isreg() or entry.isdir()):
        return
    seconds = min(_LATEST.timestamp(), max(_EARLIEST.timestamp(), entry.mtime))  # in this order NaN is the earliest
    moment = datetime.fromtimestamp(seconds, UTC)
    header = zipfile.ZipInfo(f"{entry.name}/" if entry.isdir() else entry.name, moment.timetuple()[:6])
    header.compress_type = zipfile.ZIP_DEFLATED
    header.external_attr = ((stat.S_IFDIR if entry.isdir() else stat.S_IFREG) | entry.mode & 0o7777) << 16
    file = None if entry.isdir() else source.extractfile(entry)
    target.writestr(header, file.read() if file else b"")

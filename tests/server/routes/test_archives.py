"""Uploaded files as ZIP: kept as tar, handed out as ZIP."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from typing import Any

import pytest

from coder_enterprise.server.services import archives
from coder_enterprise.server.services.files import MAX_FILE
from tests.support.api import Client, checked, refused
from tests.support.provisioners import TAR, upload


def zipped(
    content: bytes = b"a", name: str = "main.tf", mode: int = 0o100644, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        entry = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
        entry.external_attr = mode << 16
        entry.compress_type = method
        archive.writestr(entry, content)
    return made.getvalue()


def tarred(*entries: tuple[str, bytes, bytes]) -> bytes:
    """Of names, types and contents."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size, entry.mode = kind, len(content), 0o750
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def tarred_with(**fields: Any) -> bytes:
    """One entry, which says these things of itself."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("main.tf")
        for field, value in fields.items():
            setattr(entry, field, value)
        archive.addfile(entry)
    return made.getvalue()


async def as_zip(client: Client, file_id: str) -> zipfile.ZipFile:
    answer = await client.get(f"/files/{file_id}", params={"format": "zip"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    return zipfile.ZipFile(io.BytesIO(answer.content))


@pytest.mark.parametrize("mimetype", ["application/zip", "application/x-zip-compressed"])
async def test_what_is_uploaded_as_zip_is_kept_as_tar(member: Client, mimetype: str) -> None:
    file_id = checked(await member.post("/files", content=zipped(), headers={"Content-Type": mimetype}))["hash"]
    answer = await member.get(f"/files/{file_id}")
    assert answer.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        (entry,) = archive.getmembers()
    assert (entry.name, entry.size, entry.mode, entry.mtime) == ("main.tf", 1, 0o644, 1767323046)


async def test_an_entry_without_a_time_is_taken_as_go_writes_it() -> None:
    data = zipped().replace(struct.pack("<HH", 3 << 11 | 4 << 5 | 3, 46 << 9 | 1 << 5 | 2), bytes(4))
    with tarfile.open(fileobj=io.BytesIO(await archives.to_tar(data, MAX_FILE))) as archive:
        assert archive.getmember("main.tf").mtime == 315532800


async def test_what_a_folder_is_packed_with_is_not_unpacked() -> None:
    data = zipped(bytes(MAX_FILE + 1), "modules/", 0o040755)
    with tarfile.open(fileobj=io.BytesIO(await archives.to_tar(data, MAX_FILE))) as archive:
        assert archive.getmember("modules").size == 0


async def test_the_same_zip_is_kept_once(member: Client) -> None:
    headers = {"Content-Type": "application/zip"}
    answers = [await member.post("/files", content=zipped(), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]


async def test_a_tar_archive_comes_back_as_zip(member: Client) -> None:
    data = tarred(("modules", tarfile.DIRTYPE, b""), ("modules/a.tf", tarfile.REGTYPE, b"text"))
    archive = await as_zip(member, await upload(member, data))
    assert archive.namelist() == ["modules/", "modules/a.tf"]
    assert archive.read("modules/a.tf") == b"text"
    assert archive.infolist()[1].external_attr >> 16 == 0o100750


async def test_what_is_no_file_and_no_folder_is_left_out_of_the_zip(member: Client) -> None:
    data = tarred(("link", tarfile.SYMTYPE, b""), ("a.tf", tarfile.REGTYPE, b"a"))
    assert (await as_zip(member, await upload(member, data))).namelist() == ["a.tf"]


@pytest.mark.parametrize(
    ("mtime", "year"), [(1e300, 2107), ("inf", 2107), ("nan", 1980), (-1, 1980)], ids=["late", "inf", "NaN", "early"]
)
async def test_a_time_that_zip_cannot_say_is_the_nearest(mtime: Any, year: int) -> None:
    fields = {"pax_headers": {"mtime": mtime}} if isinstance(mtime, str) else {"mtime": mtime}
    with zipfile.ZipFile(io.BytesIO(await archives.to_zip(tarred_with(**fields)))) as archive:
        assert archive.infolist()[0].date_time[0] == year


@pytest.mark.parametrize(
    "fields", [{"name": "n" * 70_000}, {"pax_headers": {"size": "9" * 23}}], ids=["a long name", "a size"]
)
async def test_a_tar_archive_that_zip_cannot_hold_is_refused(member: Client, fields: dict[str, Any]) -> None:
    file_id = await upload(member, tarred_with(**fields))
    refused(await member.get(f"/files/{file_id}", params={"format": "zip"}), 400)


async def test_what_is_no_archive_has_no_other_form(member: Client) -> None:
    file_id = await upload(member, TAR)
    refused(await member.get(f"/files/{file_id}", params={"format": "zip"}), 400)
    refused(await member.get(f"/files/{file_id}", params={"format": "rar"}), 400)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"no archive", "not a zip file"),
        (zipped()[:-30], "not a zip file"),
        (zipped(mode=0o120777), "only files and folders"),
        (zipped(method=zipfile.ZIP_LZMA), "only files and folders"),
        (zipped(bytes(MAX_FILE + 1)), "unpacks to more"),
    ],
    ids=["none", "cut short", "a link", "another method", "a bomb"],
)
async def test_an_archive_that_is_not_taken_says_why(member: Client, data: bytes, cause: str) -> None:
    answer = await member.post("/files", content=data, headers={"Content-Type": "application/zip"})
    assert cause in refused(answer, 400)["detail"]


async def test_many_small_files_are_too_much_together() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(10):
            archive.writestr(str(number), b"x" * 600)
    with pytest.raises(Exception, match=r"ZIP archive cannot be read"):
        await archives.to_tar(made.getvalue(), limit=8 * 1024)

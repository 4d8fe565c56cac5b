"""Uploaded files."""

from __future__ import annotations

import pytest

from coder_enterprise.server.services import files
from coder_enterprise.server.services.files import MAX_FILE
from tests.support.api import Client, refused
from tests.support.provisioners import TAR, create_version, upload


async def test_a_file_comes_back_as_it_was_sent(member: Client) -> None:
    file_id = await upload(member)
    answer = await member.get(f"/files/{file_id}")
    assert (answer.status_code, answer.content) == (200, TAR)
    assert answer.headers["content-type"] == "application/x-tar"


async def test_the_same_bytes_are_kept_once(member: Client) -> None:
    answers = [
        await member.post("/files", content=TAR, headers={"Content-Type": "application/x-tar; charset=x"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()


async def test_a_file_of_somebody_else_is_not_found(member: Client, user_admin: Client, template_admin: Client) -> None:
    file_id = await upload(member)
    refused(await user_admin.get(f"/files/{file_id}"), 404)
    assert (await template_admin.get(f"/files/{file_id}")).status_code == 200


@pytest.mark.parametrize("mimetype", ["", "text/plain", "application/gzip"])
async def test_another_type_of_content_is_refused(member: Client, mimetype: str) -> None:
    refused(await member.post("/files", content=TAR, headers={"Content-Type": mimetype}), 400)


async def test_a_file_that_no_daemon_could_be_sent_is_refused(member: Client) -> None:
    answer = await member.post("/files", content=bytes(MAX_FILE + 1), headers={"Content-Type": "application/x-tar"})
    refused(answer, 413)


async def test_files_need_a_session(nobody: Client) -> None:
    refused(await nobody.post("/files", content=TAR), 401)
    refused(await nobody.get("/files/x"), 401)


async def test_what_is_no_id_is_refused(member: Client) -> None:
    refused(await member.get("/files/x"), 400)


async def test_of_what_is_not_used_one_has_only_so_much(
    owner: Client, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_UNUSED", 155)
    await upload(owner, b"x" * 60)
    answer = await owner.post("/files", content=b"y" * 100, headers={"Content-Type": "application/x-tar"})
    assert "no template version" in refused(answer, 403)["message"]
    await upload(owner, b"x" * 60)  # it is there already
    await upload(member, b"y" * 100)
    await create_version(owner, name="v1", file_id=await upload(owner, b"x" * 60))
    await upload(owner, b"y" * 100)

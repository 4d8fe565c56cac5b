"""Provisioner keys."""

from __future__ import annotations

import uuid

import pytest
import structlog

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage.failures import Outage
from tests.support.api import Client, checked, refused
from tests.support.provisioners import Daemon, session_of

KEYS = "/organizations/default/provisionerkeys"


async def create(client: Client, name: str, **tags: str) -> str:
    key: str = checked(await client.post(KEYS, json={"name": name, "tags": tags}))["key"]
    return key


async def test_a_key_is_shown_once(owner: Client) -> None:
    key = await create(owner, "site", zone="a")
    assert len(key) == 43
    answer = await owner.get(KEYS)
    (shown,) = answer.json()
    assert set(shown) == {"id", "created_at", "organization", "name", "tags"}
    assert shown["tags"] == {"scope": "organization", "owner": "", "zone": "a"}
    assert key not in answer.text
    assert key not in (await owner.get("/audit?limit=100")).text


async def test_a_template_admin_manages_keys(template_admin: Client) -> None:
    await create(template_admin, "site")
    assert (await template_admin.delete(f"{KEYS}/SITE")).status_code == 204
    assert (await template_admin.get(KEYS)).json() == []


async def test_a_name_that_is_taken_in_any_case_is_a_conflict(owner: Client) -> None:
    await create(owner, "site")
    refused(await owner.post(KEYS, json={"name": "Site"}), 409, "name")


@pytest.mark.parametrize("name", ["", "psk", "user-auth", "Built-In", "a b", "x" * 65])
async def test_a_name_that_cannot_be_is_refused(owner: Client, name: str) -> None:
    refused(await owner.post(KEYS, json={"name": name}), 400, "name")


@pytest.mark.parametrize("tags", [{"scope": "user"}, {"owner": "x"}, {"a": "x" * 300}])
async def test_tags_that_a_key_cannot_have_are_refused(owner: Client, tags: dict[str, str]) -> None:
    refused(await owner.post(KEYS, json={"name": "site", "tags": tags}), 400, "tags")


async def test_a_member_neither_sees_nor_makes_keys(owner: Client, member: Client) -> None:
    await create(owner, "site")
    refused(await member.get(KEYS), 404)
    refused(await member.post(KEYS, json={"name": "mine"}), 403)
    refused(await member.delete(f"{KEYS}/site"), 403)


async def test_keys_need_a_session(nobody: Client) -> None:
    refused(await nobody.get(KEYS), 401)
    refused(await nobody.post(KEYS, json={"name": "x"}), 401)
    refused(await nobody.delete(f"{KEYS}/x"), 401)


async def test_what_is_not_there_is_not_found(owner: Client) -> None:
    other = f"/organizations/{uuid.uuid4()}/provisionerkeys"
    refused(await owner.get(other), 404)
    refused(await owner.post(other, json={"name": "x"}), 404)
    refused(await owner.delete(f"{KEYS}/x"), 404)


async def test_a_key_tells_which_it_is(owner: Client, nobody: Client) -> None:
    key = await create(owner, "site", zone="a")
    (shown,) = (await owner.get(KEYS)).json()
    assert checked(await nobody.get(f"/provisionerkeys/{key}")) == shown
    with_header = await nobody.get("/provisionerkeys/site", headers={"Coder-Provisioner-Daemon-Key": key})
    assert checked(with_header) == shown


async def test_no_other_credential_tells_which_a_key_is(owner: Client, nobody: Client) -> None:
    await create(owner, "site")
    refused(await nobody.get("/provisionerkeys/site"), 401)
    refused(await owner.get("/provisionerkeys/site"), 401)


async def test_a_key_in_a_path_is_not_logged(
    owner: Client, nobody: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(_: str) -> None:
        raise Outage("away")

    monkeypatch.setattr(services.provisioner_keys, "of_secret", unavailable)
    key = await create(owner, "site")
    with structlog.testing.capture_logs() as lines:
        refused(await nobody.get(f"/provisionerkeys/{key}"), 503)
    assert [line["path"] for line in lines] == ["/api/v2/provisionerkeys/…"]
    assert key not in str(lines)


async def test_daemons_are_listed_by_their_keys(owner: Client, address: str) -> None:
    key = await create(owner, "site")
    await create(owner, "unused")
    async with (
        Daemon(address, {"Coder-Provisioner-Daemon-Key": key}, name="keyed"),
        Daemon(address, session_of(owner), name="signed-in"),
    ):
        found = (await owner.get(f"{KEYS}/daemons")).json()
    assert {item["key"]["name"]: [daemon["name"] for daemon in item["daemons"]] for item in found} == {
        "site": ["keyed"],
        "unused": [],
        "user-auth": ["signed-in"],
    }

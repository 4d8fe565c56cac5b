"""Provisioner keys."""

from __future__ import annotations

import uuid

import pytest

from tests.support.api import Client, checked, refused

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

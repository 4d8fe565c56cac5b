"""/replicas, and what the replicas ask each other."""

from __future__ import annotations

import pytest

from tests.support.api import SITE, Client, People, checked, refused
from tests.support.proxies import create_proxy, register


async def test_an_owner_sees_the_replica_that_answers(owner: Client) -> None:
    answer = await owner.get("/replicas")
    assert answer.status_code == 200
    (replica,) = answer.json()
    assert set(replica) == {
        "created_at",
        "database_latency",
        "error",
        "hostname",
        "id",
        "region_id",
        "relay_address",
    }
    assert (replica["error"], replica["region_id"], replica["relay_address"]) == ("", 999, "")


async def test_a_process_keeps_its_id(owner: Client) -> None:
    first, second = [(await owner.get("/replicas")).json() for _ in range(2)]
    assert first[0]["id"] == second[0]["id"]


async def test_replicas_of_proxies_are_not_listed(owner: Client) -> None:
    _, token = await create_proxy(owner, "eu")
    checked(await register(owner, token))
    assert len((await owner.get("/replicas")).json()) == 1


@pytest.mark.parametrize("role", ["user-admin", "template-admin", "auditor", ""])
async def test_all_but_owners_find_nothing(people: People, role: str) -> None:
    client = await people.with_roles(*([role] if role else []))
    refused(await client.get("/replicas"), 404)


async def test_without_a_session_there_is_nothing(nobody: Client) -> None:
    refused(await nobody.get("/replicas"), 401)


@pytest.mark.parametrize("path", ["/latency-check", "/derp/latency-check"])
async def test_a_peer_is_answered(nobody: Client, path: str) -> None:
    answer = await nobody.get(SITE + path)
    assert (answer.status_code, answer.content) == (200, b"")

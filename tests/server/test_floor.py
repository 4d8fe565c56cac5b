"""The bench's bare route does what the server does, or its cost would be no floor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.api import SITE, Client, create_user
from tools.bench.bare import application

GROUPS = "/organizations/default/groups"


@pytest.fixture
async def bare(database_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(application(str(database_path)))
    async with httpx2.AsyncClient(transport=transport, base_url=f"{SITE}/api/v2") as client:
        yield client


def without_moments(group: dict[str, Any]) -> dict[str, Any]:
    """The server writes them as RFC 3339."""
    for user in group["members"]:
        del user["created_at"], user["last_seen_at"]
    return group


async def test_it_changes_a_group_and_shows_it_as_the_server_does(owner: Client, bare: httpx2.AsyncClient) -> None:
    people = [(await create_user(owner, name))["id"] for name in ("ann", "ben")]
    group = (await bare.post(GROUPS, json={"name": "made"})).json()["id"]
    await bare.patch(f"/groups/{group}", json={"add_users": people})
    await bare.patch(f"/groups/{group}", json={"remove_users": people[:1]})
    ours, floor = [(await client.get(f"/groups/{group}")).json() for client in (owner, bare)]
    assert [user["username"] for user in floor["members"]] == ["ben"]
    assert without_moments(floor) == without_moments(ours)


async def test_it_lists_the_same_groups(owner: Client, bare: httpx2.AsyncClient) -> None:
    await create_user(owner, "ann")
    await owner.post(GROUPS, json={"name": "made"})
    ours, floor = [(await client.get(GROUPS)).json() for client in (owner, bare)]
    assert sorted(group["name"] for group in floor) == ["Everyone", "made"]
    assert {group["id"]: len(group["members"]) for group in floor} == {
        group["id"]: len(group["members"]) for group in ours
    }

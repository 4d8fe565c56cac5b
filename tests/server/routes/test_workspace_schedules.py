"""When workspaces are to start and stop by themselves, and which are dormant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api import UNKNOWN_ID, Body, Client, checked, refused
from tests.support.provisioners import Daemon, create_build, create_workspace

WEEKDAYS = "CRON_TZ=US/Central 30 9 * * 1-5"
HOUR = 60 * 60 * 1000


async def put(client: Client, workspace: Body, what: str, **fields: Any) -> int:
    return (await client.put(f"/workspaces/{workspace['id']}/{what}", json=fields)).status_code


@pytest.fixture
async def workspace(template: Body, member: Client) -> Body:
    return await create_workspace(member, template, "dev")


async def shown(client: Client, workspace: Body) -> Body:
    return checked(await client.get(f"/workspaces/{workspace['id']}"))


async def test_a_schedule_is_kept_and_taken_away(workspace: Body, member: Client) -> None:
    assert workspace["autostart_schedule"] is None
    assert await put(member, workspace, "autostart", schedule=WEEKDAYS) == 204
    assert (await shown(member, workspace))["autostart_schedule"] == WEEKDAYS
    for nothing in (None, ""):
        assert await put(member, workspace, "autostart", schedule=nothing) == 204
        assert (await shown(member, workspace))["autostart_schedule"] is None


async def test_a_time_to_live_is_kept_and_taken_away(workspace: Body, member: Client) -> None:
    assert workspace["ttl_ms"] is None
    assert await put(member, workspace, "ttl", ttl_ms=8 * HOUR) == 204
    assert (await shown(member, workspace))["ttl_ms"] == 8 * HOUR
    for nothing in (None, 0):
        assert await put(member, workspace, "ttl", ttl_ms=nothing) == 204
        assert (await shown(member, workspace))["ttl_ms"] is None


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("autostart", {"schedule": "every morning"}),
        ("autostart", {"schedule": "CRON_TZ=Mars/North 30 9 * * 1-5"}),
        ("autostart", {"schedule": "30 9 * * 7"}),
        ("autostart", {"schedule": "30 9 1 * 1-5"}),
        ("autostart", {"schedule": "*/5 9 * * 1-5"}),
        ("autostart", {"schedule": "30 9 * * " + "1," * 60 + "1"}),
        ("ttl", {"ttl_ms": 59_999}),
        ("ttl", {"ttl_ms": 30 * 24 * HOUR + 1}),
        ("ttl", {"ttl_ms": -1}),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_its_field(
    workspace: Body, member: Client, what: str, fields: dict[str, Any]
) -> None:
    refused(await member.put(f"/workspaces/{workspace['id']}/{what}", json=fields), 400, *fields)


async def test_a_template_may_keep_the_times_for_itself(
    template: Body, workspace: Body, owner: Client, member: Client
) -> None:
    body = {"name": "docker", "allow_user_autostart": False, "allow_user_autostop": False}
    checked(await owner.patch(f"/templates/{template['id']}", json=body))
    assert await put(member, workspace, "autostart", schedule=WEEKDAYS) == 400
    assert await put(member, workspace, "ttl", ttl_ms=HOUR) == 400
    assert await put(member, workspace, "autostart", schedule=None) == 204


async def test_a_workspace_is_made_with_its_times(template: Body, member: Client) -> None:
    path = "/organizations/default/members/me/workspaces"
    body = {"name": "dev", "template_id": template["id"]}
    made = checked(await member.post(path, json={**body, "autostart_schedule": WEEKDAYS, "ttl_ms": HOUR}))
    assert (made["autostart_schedule"], made["ttl_ms"]) == (WEEKDAYS, HOUR)
    body["name"] = "two"
    refused(await member.post(path, json={**body, "autostart_schedule": "x"}), 400, "autostart_schedule")
    refused(await member.post(path, json={**body, "ttl_ms": 1}), 400, "ttl_ms")


async def test_a_dormant_workspace_is_started_when_it_was_woken(
    daemon: Daemon, workspace: Body, member: Client
) -> None:
    await daemon.complete(await daemon.acquire())
    dormant = checked(await member.put(f"/workspaces/{workspace['id']}/dormant", json={"dormant": True}))
    assert dormant["dormant_at"] is not None
    assert await put(member, workspace, "dormant", dormant=True) == 304
    refused(await member.post(f"/workspaces/{workspace['id']}/builds", json={"transition": "start"}), 403)
    await create_build(member, workspace, "stop")
    await daemon.complete(await daemon.acquire())
    awake = checked(await member.put(f"/workspaces/{workspace['id']}/dormant", json={"dormant": False}))
    assert awake["dormant_at"] is None
    await create_build(member, workspace, "start")


async def test_a_change_is_audited_once(workspace: Body, owner: Client, member: Client) -> None:
    for _ in range(2):
        assert await put(member, workspace, "ttl", ttl_ms=HOUR) == 204
    logs = checked(await owner.get("/audit", params={"q": "workspace action:write"}))["audit_logs"]
    assert [log["diff"] for log in logs] == [{"ttl_ms": {"old": None, "new": str(HOUR), "secret": False}}]


BODIES: dict[str, dict[str, Any]] = {
    "autostart": {"schedule": WEEKDAYS},
    "ttl": {"ttl_ms": HOUR},
    "dormant": {"dormant": True},
}


@pytest.mark.parametrize("what", BODIES)
async def test_the_times_of_others_are_not_found_or_only_read(
    workspace: Body, nobody: Client, user_admin: Client, template_admin: Client, what: str
) -> None:
    path, body = f"/workspaces/{workspace['id']}/{what}", BODIES[what]
    refused(await nobody.put(path, json=body), 401)
    refused(await user_admin.put(path, json=body), 404)
    refused(await template_admin.put(path, json=body), 403)
    refused(await template_admin.put(f"/workspaces/{UNKNOWN_ID}/{what}", json=body), 404)
    refused(await template_admin.put(f"/workspaces/dev/{what}", json=body), 400)


async def test_workspaces_are_found_by_what_they_do(
    daemon: Daemon, template: Body, workspace: Body, owner: Client, member: Client
) -> None:
    username = checked(await member.get("/users/me"))["username"]

    async def names(query: str) -> list[str]:
        return [item["name"] for item in checked(await owner.get("/workspaces", params={"q": query}))["workspaces"]]

    await create_workspace(owner, template, "web")
    await daemon.complete(await daemon.acquire())
    assert await names("status:running") == ["dev"]
    assert await names("status:pending") == ["web"]
    assert await names(f"id:{workspace['id']}") == ["dev"]
    assert await names(f"{username}/de") == ["dev"]
    assert await names("outdated:false organization:coder") == ["dev", "web"]
    assert await names("outdated:true") == []
    assert await names("has-agent:connected") == []
    assert await names("last_used_before:2001-01-01T00:00:00Z") == []
    assert await names("param:region") == []
    checked(await member.put(f"/workspaces/{workspace['id']}/dormant", json={"dormant": True}))
    assert await names("dormant:true") == ["dev"]
    assert await names("dormant:false") == ["dev", "web"]


@pytest.mark.parametrize(
    "query",
    [
        "status:asleep",
        "outdated:perhaps",
        "dormant:",
        "id:dev",
        "organization:nowhere",
        "has-agent:happy",
        "param:",
        "param:a=b=c",
        "param:a=",
        "last_used_after:yesterday",
        "a/b/c",
        "ann/",
        "ann/dev owner:bob",
    ],
)
async def test_a_search_that_cannot_be_read_is_refused(owner: Client, query: str) -> None:
    refused(await owner.get("/workspaces", params={"q": query}), 400, "q")

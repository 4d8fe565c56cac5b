"""/audit: who changed what."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from coder_enterprise.server.services import audit, audit_logs
from coder_enterprise.server.services.all import Services
from tests.support.api import Body, Client, checked, create_group, create_user, refused
from tests.support.provisioners import (
    Daemon,
    build,
    build_template,
    create_build,
    create_workspace,
    listening,
    session_of,
    upload,
)

NIL = str(UUID(int=0))


async def logs(client: Client, **params: str | int) -> list[Body]:
    found: list[Body] = checked(await client.get("/audit", params=params))["audit_logs"]
    return found


async def test_a_change_tells_who_what_before_and_after(owner: Client, auditor: Client) -> None:
    group = await create_group(owner, "platform")
    checked(await owner.patch(f"/groups/{group['id']}", json={"quota_allowance": 5}))
    log = (await logs(auditor))[0]
    assert log["user"]["id"] == owner.user_id
    assert (log["action"], log["resource_type"], log["resource_target"]) == ("write", "group", "platform")
    assert log["resource_id"] == group["id"]
    assert log["diff"]["quota_allowance"] == {"old": 0, "new": 5, "secret": False}
    assert log["description"] == "olivia updated group platform"


async def test_the_newest_is_first_and_pages_follow(owner: Client) -> None:
    for name in ("one", "two", "three"):
        await create_group(owner, name)

    async def names(**params: str | int) -> list[str]:
        return [log["resource_target"] for log in await logs(owner, q="resource_type:group", **params)]

    assert await names() == ["three", "two", "one"]
    assert await names(limit=1, offset=1) == ["two"]
    assert checked(await owner.get("/audit", params={"q": "group", "limit": 1}))["count"] == 3


async def test_it_is_filtered_by_type_action_and_username(owner: Client, user_admin: Client) -> None:
    await create_user(owner, "ann")
    await create_group(user_admin, "platform")
    checked(await owner.delete("/users/ann"))
    name = checked(await user_admin.get("/users/me"))["username"]
    assert [log["resource_target"] for log in await logs(owner, q=f"username:{name} action:create")] == ["platform"]
    assert [log["resource_target"] for log in await logs(owner, q="resource_type:user action:delete")] == ["ann"]


async def test_it_is_filtered_by_what_a_change_is_about(owner: Client) -> None:
    one, two = await create_group(owner, "Platform"), await create_group(owner, "two")
    checked(await owner.delete(f"/groups/{two['id']}"))
    assert {log["resource_id"] for log in await logs(owner, q="resource_target:platform")} == {one["id"]}
    assert [log["action"] for log in await logs(owner, q=f"resource_id:{two['id']}")] == ["delete", "create"]


async def test_it_is_filtered_by_who_and_in_which_request(owner: Client, user_admin: Client) -> None:
    await create_group(owner, "one")
    answer = await user_admin.post("/organizations/default/groups", json={"name": "two"})
    email = checked(await user_admin.get("/users/me"))["email"]
    request = answer.headers["X-Coder-Request-Id"]
    for query in (f"email:{email.upper()} resource_type:group", f"request_id:{request}"):
        assert [log["resource_target"] for log in await logs(owner, q=query)] == ["two"]


async def test_both_days_belong_to_the_time_that_is_asked_for(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "now", lambda: datetime(2026, 2, 1, 23, 59, 59, tzinfo=UTC))
    await create_group(owner, "platform")
    for query, found in (
        ("date_from:2026-02-01 date_to:2026-02-01", 1),
        ("date_to:2026-01-31", 0),
        ("date_from:2026-02-02", 0),
        ("date_from:0001-01-01 date_to:9999-12-31", 1),
    ):
        assert len(await logs(owner, q=f"group {query}")) == found


async def test_it_tells_in_which_organization_a_change_was(owner: Client) -> None:
    home = checked(await owner.get("/organizations/default"))
    await create_group(owner, "platform")
    await create_user(owner, "ann")
    user, group = await logs(owner, limit=2)
    assert (user["organization_id"], user["organization"]) == (NIL, None)
    shown = {name: home[name] for name in ("id", "name", "display_name", "icon")}
    assert (group["organization_id"], group["organization"]) == (home["id"], shown)
    assert [log["id"] for log in await logs(owner, q="organization:coder")] == [group["id"]]


async def test_it_tells_what_is_not_there_any_more(services: Services, owner: Client) -> None:
    group = await create_group(owner, "gone")
    await create_group(owner, "kept")
    await create_user(owner, "ann")
    checked(await owner.delete(f"/groups/{group['id']}"))
    checked(await owner.delete("/users/ann"))
    async with listening(services) as address, Daemon(address, session_of(owner), name="first") as daemon:
        workspace = await create_workspace(owner, await build_template(owner, daemon, "docker"), "dev")
        await build(daemon)
        await create_build(owner, workspace, "delete")
        await build(daemon)
    gone = {(log["resource_type"], log["resource_target"]) for log in await logs(owner) if log["is_deleted"]}
    assert gone == {("group", "gone"), ("user", "ann"), ("workspace", "dev"), ("workspace_build", "dev")}


async def test_people_alone_start_builds(services: Services, owner: Client) -> None:
    async with listening(services) as address, Daemon(address, session_of(owner), name="first") as daemon:
        workspace = await create_workspace(owner, await build_template(owner, daemon, "docker"), "dev")
    checked(await owner.patch(f"/workspacebuilds/{workspace['latest_build']['id']}/cancel"))
    assert {log["resource_type"] for log in await logs(owner, q="build_reason:initiator")} == {"workspace_build"}
    assert await logs(owner, q="build_reason:autostart") == []


async def test_it_tells_how_a_change_was_answered(owner: Client, nobody: Client) -> None:
    await create_group(owner, "platform")
    await nobody.post("/users/login", json={"email": "olivia@example.com", "password": "wrong"})
    failed, made = await logs(owner, limit=2)
    assert (failed["status_code"], made["status_code"]) == (401, 201)


async def test_only_owners_and_auditors_read_it(
    owner: Client, auditor: Client, user_admin: Client, template_admin: Client, member: Client
) -> None:
    for client in (owner, auditor):
        assert await logs(client)
    for client in (user_admin, template_admin, member):
        refused(await client.get("/audit"), 403)


@pytest.mark.parametrize(
    "query",
    [
        "colour:red",
        "action:create action:delete",
        "a b",
        'x"',
        "resource_type:pony",
        "pony",
        "action:dance",
        "build_reason:boredom",
        "date_from:yesterday",
        "date_to:2026-01-31T00:00:00Z",
        "organization:nowhere",
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(owner: Client, query: str) -> None:
    refused(await owner.get("/audit", params={"q": query}), 400, "q")


async def test_a_page_has_at_most_so_many_and_so_many_are_counted(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_logs, "MAX_LIMIT", 2)
    monkeypatch.setattr(audit_logs, "MAX_COUNT", 3)
    for name in ("one", "two", "three", "four"):
        await create_group(owner, name)
    page = checked(await owner.get("/audit", params={"limit": 1000}))
    assert (len(page["audit_logs"]), page["count"]) == (2, 3)


async def test_it_tells_from_where_and_in_which_request(owner: Client) -> None:
    answer = await owner.post(
        "/organizations/default/groups", json={"name": "platform"}, headers={"X-Request-Id": "ci-run-7"}
    )
    log = (await logs(owner))[0]
    assert (log["ip"], log["request_id"]) == ("127.0.0.1", NIL)
    assert log["additional_fields"] == {"request_id": "ci-run-7"}
    assert log["user_agent"] == owner.headers["User-Agent"]
    assert answer.headers["X-Coder-Request-Id"] == "ci-run-7"


@pytest.mark.parametrize("sent", ["", "two words", "x" * 129, "-"])
async def test_an_id_of_another_form_is_replaced(owner: Client, sent: str) -> None:
    answer = await owner.get("/users/me", headers={"X-Request-Id": sent})
    assert str(UUID(answer.headers["X-Coder-Request-Id"])) != sent


async def test_a_login_that_fails_is_noted(owner: Client, nobody: Client) -> None:
    for email in ("olivia@example.com", "unknown@example.com"):
        await nobody.post("/users/login", json={"email": email, "password": "wrong"})
    unknown, known = await logs(owner, q="action:login_failed")
    assert known["description"] == "Somebody failed to log in as user olivia"
    assert known["resource_id"] == owner.user_id
    assert unknown["resource_target"] == "unknown@example.com"


async def test_a_password_that_was_typed_in_place_of_the_email_is_not_noted(owner: Client, nobody: Client) -> None:
    await nobody.post("/users/login", json={"email": "my-secret-password", "password": "x"})
    (log,) = await logs(owner, q="action:login_failed")
    assert (log["resource_target"], log["description"]) == ("", "Somebody failed to log in as user")


async def test_an_upload_is_noted(owner: Client) -> None:
    await upload(owner)
    (log,) = await logs(owner, q="resource_type:file")
    assert (log["user"]["id"], log["action"]) == (owner.user_id, "create")


async def test_a_daemon_is_noted_when_it_is_new(services: Services, owner: Client, member: Client) -> None:
    async with listening(services) as address:
        for _ in range(2):
            async with Daemon(address, session_of(member), name="mine", tags={"scope": "user"}):
                pass
    (log,) = await logs(owner, q="resource_type:provisioner_daemon")
    assert (log["user"]["id"], log["action"], log["resource_target"]) == (member.user_id, "register", "mine")

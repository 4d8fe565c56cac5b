"""/audit: who changed what."""

from __future__ import annotations

from uuid import UUID

import pytest

from coder_enterprise.server.routes.dependencies import Services
from coder_enterprise.server.services import audit_logs
from tests.support.api import Body, Client, checked, create_group, create_user, refused
from tests.support.provisioners import Daemon, listening, session_of, upload


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


async def test_only_owners_and_auditors_read_it(
    owner: Client, auditor: Client, user_admin: Client, template_admin: Client, member: Client
) -> None:
    for client in (owner, auditor):
        assert await logs(client)
    for client in (user_admin, template_admin, member):
        refused(await client.get("/audit"), 403)


@pytest.mark.parametrize("query", ["colour:red", "action:create action:delete", "a b", 'x"'])
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
    assert (log["ip"], log["request_id"]) == ("127.0.0.1", "ci-run-7")
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

"""/audit: who changed what."""

from __future__ import annotations

import pytest

from tests.support.api import Body, Client, checked, create_group, create_user, refused


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

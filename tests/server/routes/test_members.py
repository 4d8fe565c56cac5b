"""/organizations/{organization}/members."""

from __future__ import annotations

from typing import Any

import pytest

from coder_enterprise.server.storage import organizations
from tests.support.api import Client, checked, create_group, create_user, refused

MEMBERS = "/organizations/default/members"


@pytest.mark.parametrize("url", [MEMBERS, f"{MEMBERS}/"])
async def test_members_are_listed_by_username(owner: Client, url: str) -> None:
    ann = await create_user(owner, "Ann", name="Ann A.")
    first, second = (await owner.get(url)).json()
    assert second["user_id"] == owner.user_id
    since = first.pop("created_at")
    assert since
    assert first == {
        "user_id": ann["id"],
        "organization_id": ann["organization_ids"][0],
        "updated_at": since,
        "roles": [],
        "username": "Ann",
        "name": "Ann A.",
        "avatar_url": "",
        "email": "Ann@example.com",
        "global_roles": [],
    }


async def test_a_member_without_roles_sees_themselves(owner: Client, member: Client, auditor: Client) -> None:
    assert [item["user_id"] for item in (await member.get(MEMBERS)).json()] == [member.user_id]
    assert len((await auditor.get(MEMBERS)).json()) == 3


async def test_who_sees_only_themselves_makes_nobody_else_be_read(
    owner: Client, member: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of thousands, read for each member who asks, keeps all the others waiting."""
    read: list[int] = []
    members = organizations.members

    def counted(*arguments: Any) -> list[Any]:
        found = members(*arguments)
        read.append(len(found))
        return found

    monkeypatch.setattr(organizations, "members", counted)
    await member.get(MEMBERS)
    await owner.get(MEMBERS)
    assert read == [1, 2]


async def test_a_user_leaves_with_their_groups_and_comes_back_without(owner: Client, user_admin: Client) -> None:
    user = await create_user(owner, "ann")
    group = await create_group(owner, "platform")
    checked(await owner.patch(f"/groups/{group['id']}", json={"add_users": [user["id"]]}))
    url = f"{MEMBERS}/{user['id']}"
    assert (await user_admin.delete(url)).status_code == 204
    refused(await user_admin.delete(url), 404)
    assert checked(await owner.get(f"/groups/{group['id']}"))["members"] == []
    made = checked(await user_admin.post(url))
    assert set(made) == {"user_id", "organization_id", "created_at", "updated_at", "roles"}
    refused(await user_admin.post(url), 400)
    assert checked(await owner.get(f"/groups/{group['id']}"))["members"] == []


async def test_there_are_no_roles_of_organizations(owner: Client, user_admin: Client) -> None:
    assert (await owner.get(f"{MEMBERS}/roles")).json() == []
    refused(await owner.get("/organizations/nowhere/members/roles"), 404)
    url = f"{MEMBERS}/{(await create_user(owner, 'ann'))['id']}"
    assert checked(await user_admin.put(f"{url}/roles", json={"roles": []}))["roles"] == []
    refused(await owner.put(f"{url}/roles", json={"roles": ["organization-admin"]}), 400, "roles")
    assert (await owner.delete(url)).status_code == 204
    refused(await owner.put(f"{url}/roles", json={"roles": []}), 404)


async def test_nobody_removes_themselves(owner: Client) -> None:
    refused(await owner.delete(f"{MEMBERS}/me"), 400)


async def test_who_may_not_change_members_is_refused(
    owner: Client, user_admin: Client, auditor: Client, template_admin: Client, member: Client
) -> None:
    user = await create_user(owner, "ann")
    for client in (auditor, template_admin, member):
        refused(await client.post(f"{MEMBERS}/{user['id']}"), 403)
        refused(await client.delete(f"{MEMBERS}/{user['id']}"), 403)
    refused(await user_admin.delete(f"{MEMBERS}/{owner.user_id}"), 403)


async def test_unknown_organizations_and_users_are_refused(owner: Client) -> None:
    refused(await owner.get("/organizations/nowhere/members"), 404)
    refused(await owner.post("/organizations/nowhere/members/me"), 404)
    refused(await owner.post(f"{MEMBERS}/nobody"), 400)
    refused(await owner.delete(f"{MEMBERS}/nobody"), 400)
    user = await create_user(owner, "ann")
    checked(await owner.delete("/users/ann"))
    refused(await owner.post(f"{MEMBERS}/{user['id']}"), 404)

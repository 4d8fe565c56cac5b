"""The audit table: one row for each change, none for a refusal, and no secret in any."""

from __future__ import annotations

from uuid import UUID

import pytest

from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.session_tokens import new_token
from coder_enterprise.server.settings import FirstUser
from coder_enterprise.server.storage.database import Database
from tests.support.api import OWNER, PASSWORD, Client, checked, create_group, create_user, refused
from tests.support.storage import Row, audit_rows


class Audit:
    """What was written since it was last asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = 0

    async def new(self) -> list[Row]:
        rows = await audit_rows(self._database)
        self._seen, seen = len(rows), self._seen
        return rows[seen:]


@pytest.fixture
async def audit(owner: Client, member: Client, database: Database) -> Audit:
    """Of what comes after the two users."""
    made = Audit(database)
    await made.new()
    return made


def subject(row: Row) -> tuple[str, str, str]:
    return row["action"], row["resource_type"], row["resource_name"]


async def test_a_new_group_is_written_down_with_who_made_it(owner: Client, audit: Audit) -> None:
    group = await create_group(owner, "a", display_name="A", quota_allowance=3)
    (row,) = await audit.new()
    assert subject(row) == ("create", "group", "a")
    assert (row["user_id"], row["resource_id"]) == (UUID(owner.user_id), group["id"])
    assert row["before"] is None
    assert row["after"] | {"added_members": []} == {
        "name": "a",
        "display_name": "A",
        "avatar_url": "",
        "quota_allowance": 3,
        "added_members": [],
    }


async def test_a_changed_group_is_written_down_with_before_and_after(owner: Client, audit: Audit) -> None:
    group = await create_group(owner, "a")
    await audit.new()
    checked(await owner.patch(f"/groups/{group['id']}", json={"name": "b", "add_users": [owner.user_id]}))
    (row,) = await audit.new()
    assert subject(row) == ("write", "group", "b")
    assert (row["before"]["name"], row["after"]["name"]) == ("a", "b")
    assert row["after"]["added_members"] == [owner.user_id]


async def test_a_removed_member_is_written_down(owner: Client, audit: Audit) -> None:
    group = await create_group(owner, "a")
    checked(await owner.patch(f"/groups/{group['id']}", json={"add_users": [owner.user_id]}))
    await audit.new()
    checked(await owner.patch(f"/groups/{group['id']}", json={"remove_users": [owner.user_id]}))
    (row,) = await audit.new()
    assert row["before"]["removed_members"] == [owner.user_id]


async def test_a_deleted_group_is_written_down_as_it_was(owner: Client, audit: Audit) -> None:
    group = await create_group(owner, "a", quota_allowance=3)
    await audit.new()
    checked(await owner.delete(f"/groups/{group['id']}"))
    (row,) = await audit.new()
    assert subject(row) == ("delete", "group", "a")
    assert (row["before"]["quota_allowance"], row["after"]) == (3, None)


async def test_each_change_of_a_user_is_written_down(owner: Client, audit: Audit) -> None:
    await create_user(owner, "ann")
    checked(await owner.put("/users/ann/roles", json={"roles": ["auditor"]}))
    checked(await owner.put("/users/ann/status/suspend"))
    checked(await owner.put("/users/ann/status/activate"))
    checked(await owner.delete("/users/ann"))
    rows = await audit.new()
    assert [row["action"] for row in rows] == ["create", "write", "write", "write", "delete"]
    assert {row["user_id"] for row in rows} == {UUID(owner.user_id)}
    assert rows[1]["after"]["roles"] == ["auditor"]
    assert [row["after"]["status"] for row in rows[:-1]] == ["dormant", "dormant", "suspended", "active"]
    assert rows[-1]["before"]["username"] == "ann"


async def test_a_login_and_a_logout_are_written_down(owner: Client, nobody: Client, audit: Audit) -> None:
    body = {"email": f"{OWNER}@example.com", "password": PASSWORD}
    token = checked(await nobody.post("/users/login", json=body))["session_token"]
    checked(await nobody.post("/users/logout"))
    login, logout = await audit.new()
    assert (subject(login), subject(logout)) == (("login", "api_key", OWNER), ("logout", "api_key", OWNER))
    assert login["resource_id"] == logout["resource_id"] == token.partition("-")[0]


async def test_what_changes_nothing_is_not_written_down(owner: Client, audit: Audit) -> None:
    group = await create_group(owner, "a")
    await create_user(owner, "ann")
    await audit.new()
    checked(await owner.patch(f"/groups/{group['id']}", json={"name": "a", "quota_allowance": 0, "add_users": []}))
    checked(await owner.put("/users/ann/roles", json={"roles": []}))
    checked(await owner.get("/users"))
    assert await audit.new() == []


async def test_a_refused_change_is_not_written_down(owner: Client, member: Client, audit: Audit) -> None:
    group = await create_group(owner, "a")
    await audit.new()
    body = {"name": "b", "add_users": [owner.user_id, owner.user_id]}
    refused(await owner.patch(f"/groups/{group['id']}", json=body), 400)
    refused(await owner.post("/organizations/default/groups", json={"name": "a"}), 409, "name")
    refused(await member.post("/organizations/default/groups", json={"name": "b"}), 403)
    refused(await member.delete(f"/users/{OWNER}"), 403)
    assert await audit.new() == []


async def test_no_secret_is_in_any_row(owner: Client, nobody: Client, database: Database) -> None:
    bootstrap_token = new_token()
    await bootstrap(database, FirstUser(OWNER, f"{OWNER}@example.com", PASSWORD), bootstrap_token)
    await create_user(owner, "ann", login_type="password", password=PASSWORD)
    body = {"email": "ann@example.com", "password": PASSWORD}
    token = checked(await nobody.post("/users/login", json=body))["session_token"]
    checked(await owner.delete("/users/ann"))
    text = repr(await audit_rows(database))
    for secret in (PASSWORD, "scrypt", token[11:], owner.token[11:], bootstrap_token[11:]):
        assert secret not in text

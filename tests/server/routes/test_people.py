"""/users: profile, password, roles, search and paging."""

from __future__ import annotations

from pathlib import Path

import pytest

from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.wire.profiles import Profile
from tests.support.api import PASSWORD, Body, Client, People, checked, create_user, refused
from tests.support.licenses import write_keys

NEW_PASSWORD = "another-Horse-8-battery"


async def usernames(client: Client, **params: str | int) -> list[str]:
    return [user["username"] for user in checked(await client.get("/users", params=params))["users"]]


async def test_a_profile_is_ones_own_to_change(member: Client) -> None:
    changed = checked(await member.put("/users/me/profile", json={"username": "Ann", "name": "Ann A."}))
    assert changed["username"] == "Ann"
    assert checked(await member.get("/users/ann")) == changed


async def test_a_profile_is_an_admins_to_change_but_not_an_owners(
    owner: Client, user_admin: Client, auditor: Client, member: Client
) -> None:
    user = await create_user(owner, "ann")
    body = {"username": "bob", "name": ""}
    refused(await member.put(f"/users/{user['id']}/profile", json=body), 400)
    refused(await auditor.put(f"/users/{user['id']}/profile", json=body), 403)
    refused(await user_admin.put(f"/users/{owner.user_id}/profile", json=body), 403)
    assert checked(await user_admin.put(f"/users/{user['id']}/profile", json=body))["username"] == "bob"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["username"]),
        ({"username": "a b"}, ["username"]),
        ({"username": "../x", "name": " x"}, ["username", "name"]),
        ({"username": "ok", "name": "x" * 129}, ["name"]),
    ],
)
async def test_a_profile_that_breaks_a_rule_is_refused(member: Client, body: Body, fields: list[str]) -> None:
    refused(await member.put("/users/me/profile", json=body), 400, *fields)


async def test_a_username_that_is_taken_is_refused(member: Client) -> None:
    refused(await member.put("/users/me/profile", json={"username": "OLIVIA"}), 409, "username")


async def test_a_new_password_ends_all_sessions_and_lets_one_in(member: Client, people: People) -> None:
    me = checked(await member.get("/users/me"))
    token = checked(await member.post("/users/me/keys/tokens", json={}))["key"]
    body = {"old_password": PASSWORD, "password": NEW_PASSWORD}
    assert (await member.put("/users/me/password", json=body)).status_code == 204
    refused(await member.get("/users/me"), 401)
    refused(await people.client(token).get("/users/me"), 401)
    login = {"email": me["email"], "password": NEW_PASSWORD}
    checked(await member.post("/users/login", json=login))
    refused(await member.post("/users/login", json=login | {"password": PASSWORD}), 401)


async def test_a_new_password_keeps_the_token_of_the_settings(
    owner: Client, people: People, database: Database
) -> None:
    token = f"{'a' * 10}-{'b' * 22}"
    await bootstrap(database, None, token)
    body = {"old_password": PASSWORD, "password": NEW_PASSWORD}
    assert (await owner.put("/users/me/password", json=body)).status_code == 204
    assert checked(await people.client(token).get("/users/me"))["id"] == owner.user_id


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"old_password": "wrong", "password": NEW_PASSWORD}, ["old_password"]),
        ({"password": NEW_PASSWORD}, ["old_password"]),
        ({"old_password": PASSWORD, "password": "weak"}, ["password"]),
        ({"old_password": PASSWORD, "password": ""}, ["password"]),
        ({"old_password": PASSWORD, "password": PASSWORD}, []),
    ],
)
async def test_a_bad_change_of_ones_password_is_refused(member: Client, body: Body, fields: list[str]) -> None:
    answer = await member.put("/users/me/password", json=body)
    refused(answer, 400, *fields)
    assert PASSWORD not in answer.text
    checked(await member.get("/users/me"))


async def test_an_admin_needs_no_old_password_but_may_not_change_an_owners(
    owner: Client, user_admin: Client, auditor: Client, member: Client
) -> None:
    body = {"old_password": "", "password": NEW_PASSWORD}
    refused(await auditor.put(f"/users/{member.user_id}/password", json=body), 403)
    refused(await user_admin.put(f"/users/{owner.user_id}/password", json=body), 403)
    refused(await member.put(f"/users/{owner.user_id}/password", json=body), 400)
    assert (await user_admin.put(f"/users/{member.user_id}/password", json=body)).status_code == 204
    answer = await owner.put(f"/users/{member.user_id}/password", json=body)
    assert refused(answer, 400)["message"] == "New password cannot match old password."


async def test_who_has_no_password_gets_none(owner: Client) -> None:
    await create_user(owner, "ann")
    refused(await owner.put("/users/ann/password", json={"password": NEW_PASSWORD}), 400)


async def test_the_audit_log_does_not_know_passwords(owner: Client, member: Client) -> None:
    await owner.put(f"/users/{member.user_id}/password", json={"password": NEW_PASSWORD})
    answer = await owner.get("/audit")
    assert NEW_PASSWORD not in answer.text
    assert "scrypt" not in answer.text
    assert answer.json()["audit_logs"][0]["diff"]["password"] == {"old": "old", "new": "new", "secret": False}


async def test_roles_are_read_and_set(owner: Client, member: Client, auditor: Client) -> None:
    url = f"/users/{member.user_id}/roles"
    home = checked(await owner.get("/organizations/default"))["id"]
    assert checked(await member.get("/users/me/roles")) == {"roles": [], "organization_roles": {home: []}}
    checked(await owner.put(url, json={"roles": ["user-admin"]}))
    assert checked(await auditor.get(url))["roles"] == ["user-admin"]
    refused(await owner.put(url, json={"roles": ["emperor"]}), 400, "roles")
    refused(await auditor.put(url, json={"roles": []}), 403)


async def test_a_member_reads_no_roles_of_others(owner: Client, member: Client) -> None:
    refused(await member.get(f"/users/{owner.user_id}/roles"), 400)


async def test_a_user_can_be_made_with_a_status(owner: Client) -> None:
    for status in ("active", "dormant", "suspended"):
        await create_user(owner, f"is-{status}", user_status=status)
        assert f"is-{status}" in await usernames(owner, q=f"status:{status}")
    body = {"username": "x", "email": "x@example.com", "login_type": "none", "user_status": "gone"}
    refused(await owner.post("/users", json=body), 400, "user_status")


async def test_users_are_found_by_role(owner: Client) -> None:
    for name, roles in (("ann", ["user-admin", "auditor"]), ("bob", ["auditor"]), ("cid", [])):
        await create_user(owner, name)
        checked(await owner.put(f"/users/{name}/roles", json={"roles": roles}))
    assert await usernames(owner, q="role:auditor") == ["ann", "bob"]
    assert await usernames(owner, q="role:owner,user-admin") == ["ann", "olivia"]
    assert await usernames(owner, q="role:member status:dormant") == ["ann", "bob", "cid"]


async def test_users_are_found_by_when_they_were_last_seen(owner: Client) -> None:
    await create_user(owner, "ann")
    assert await usernames(owner, q="last_seen_before:2001-01-01T00:00:00Z") == ["ann"]
    assert await usernames(owner, q='last_seen_after:"2001-01-01T00:00:00.5+02:00"') == ["olivia"]


async def test_users_are_found_by_how_they_log_in(owner: Client) -> None:
    await create_user(owner, "ann")
    await create_user(owner, "bob", login_type="oidc")
    assert await usernames(owner, q="login_type:none") == ["ann"]
    assert await usernames(owner, q="login_type:none,oidc") == ["ann", "bob"]
    assert await usernames(owner, q="login_type:github") == []


async def test_users_are_found_by_when_they_were_made(owner: Client) -> None:
    made = (await create_user(owner, "ann"))["created_at"]
    assert await usernames(owner, q=f"created_after:{made}") == ["ann"]
    assert await usernames(owner, q=f"created_before:{made}") == ["ann", "olivia"]
    assert await usernames(owner, q="created_before:2001-01-01T00:00:00Z") == []


async def test_nobody_has_an_account_of_github(owner: Client) -> None:
    assert await usernames(owner, q="github_com_user_id:12345") == []
    assert await usernames(owner, q="github_com_user_id:0") == ["olivia"]


@pytest.mark.parametrize(
    "query",
    [
        "role:emperor",
        "login_type:magic",
        "created_before:yesterday",
        "created_after:",
        "github_com_user_id:ann",
        "github_com_user_id:-1",
        "role:",
        "last_seen_before:yesterday",
        "last_seen_before:2001-01-01",
        "last_seen_after:2001-13-01T00:00:00Z",
        "status:active status:dormant",
        'ann"',
        "'; DROP TABLE users; --",
        ":x",
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(owner: Client, query: str) -> None:
    refused(await owner.get("/users", params={"q": query}), 400, "q")


async def test_pages_go_on_after_a_user(owner: Client) -> None:
    ids = {name: (await create_user(owner, name))["id"] for name in ("Ann", "bob", "cid")}
    assert await usernames(owner, after_id=ids["Ann"], limit=2) == ["bob", "cid"]
    checked(await owner.delete("/users/bob"))
    assert await usernames(owner, after_id=ids["bob"]) == ["cid", "olivia"]
    assert await usernames(owner, after_id=owner.user_id) == []
    rest = checked(await owner.get("/users", params={"after_id": ids["Ann"], "limit": 1}))
    assert (rest["users"][0]["username"], rest["count"]) == ("cid", 2)
    refused(await owner.get("/users", params={"after_id": "bob"}), 400)
    refused(await owner.get("/users", params={"limit": -1}), 400, "limit")


class TestProfile:
    """The Go SDK's shapes, which show the name."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return Settings(license_keys_file=write_keys(tmp_path / "keys.json"), profile=Profile.CODERSDK)

    async def test_a_rename_without_a_name_keeps_the_name(self, member: Client) -> None:
        checked(await member.put("/users/me/profile", json={"username": "ann", "name": "Ann A."}))
        renamed = checked(await member.put("/users/me/profile", json={"username": "anna"}))
        assert (renamed["username"], renamed["name"]) == ("anna", "Ann A.")

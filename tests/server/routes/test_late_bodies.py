"""Requests whose head was sent before the sender's account changed, and whose body comes after."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx2
import pytest

from coder_enterprise.server.services import passwords
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage import users
from tests.support.api import PASSWORD, Body, Client, People, checked, create_group, refused

NEW_PASSWORD = "another-Horse-8-battery"

Change = Callable[[], Awaitable[object]]


async def late(client: Client, method: str, url: str, body: Body, change: Change) -> httpx2.Response:
    """The change happens when the server has asked for the body, and knows who sends it."""

    async def content() -> AsyncIterator[bytes]:
        await change()
        yield json.dumps(body).encode()

    return await client.request(method, url, content=content())


@pytest.mark.parametrize("change", ["suspend", "delete", "password"])
@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "/organizations/default/groups", {"name": "late"}),
        ("POST", "/users", {"username": "late", "email": "late@example.com", "login_type": "none"}),
        ("POST", "/users/me/keys/tokens", {"token_name": "late"}),
        ("PUT", "/users/me/profile", {"username": "late"}),
        ("PUT", "/users/me/quiet-hours", {"schedule": "CRON_TZ=UTC 30 2 * * *"}),
    ],
)
async def test_a_session_that_ended_before_the_body_came_writes_nothing(
    owner: Client, user_admin: Client, change: str, method: str, url: str, body: Body
) -> None:
    user = f"/users/{user_admin.user_id}"

    async def happen() -> None:
        if change == "suspend":
            checked(await owner.put(f"{user}/status/suspend"))
        elif change == "delete":
            checked(await owner.delete(user))
        else:
            assert (await owner.put(f"{user}/password", json={"password": NEW_PASSWORD})).status_code == 204

    before = await owner.get("/audit", params={"limit": 1})
    refused(await late(user_admin, method, url, body, happen), 401)
    after = await owner.get("/audit", params={"limit": 1})
    assert after.json()["count"] == before.json()["count"] + 1  # the change itself


async def test_a_role_that_was_taken_before_the_body_came_is_not_used(owner: Client, people: People) -> None:
    other = await people.with_roles("owner")
    made = await create_group(owner, "ops")

    async def demote() -> None:
        checked(await owner.put(f"/users/{other.user_id}/roles", json={"roles": []}))

    refused(await late(other, "PUT", "/appearance", {"application_name": "Late"}, demote), 403)
    other = await people.with_roles("user-admin")
    refused(await late(other, "PATCH", f"/groups/{made['id']}", {"name": "late"}, demote), 404)


async def test_a_stolen_session_makes_no_token_after_the_password_was_changed(member: Client, people: People) -> None:
    stolen = people.client(member.token)

    async def change() -> None:
        body = {"old_password": PASSWORD, "password": NEW_PASSWORD}
        assert (await member.put("/users/me/password", json=body)).status_code == 204

    refused(await late(stolen, "POST", "/users/me/keys/tokens", {}, change), 401)


async def test_a_login_with_the_old_password_that_began_before_the_change_is_none(
    owner: Client, member: Client, nobody: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = checked(await member.get("/users/me"))["email"]
    write = services.sessions._database.write

    async def change_first(work: object) -> object:
        monkeypatch.setattr(services.sessions._database, "write", write)
        answer = await owner.put(f"/users/{member.user_id}/password", json={"password": NEW_PASSWORD})
        assert answer.status_code == 204
        return await write(work)  # type: ignore[arg-type]

    monkeypatch.setattr(services.sessions._database, "write", change_first)
    refused(await nobody.post("/users/login", json={"email": email, "password": PASSWORD}), 401)
    checked(await nobody.post("/users/login", json={"email": email, "password": NEW_PASSWORD}))


async def test_a_login_whose_hash_is_another_of_the_same_password_goes_on(
    member: Client, nobody: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once, the first of which hashes the password anew."""
    me = checked(await member.get("/users/me"))
    write = services.sessions._database.write

    anew = await passwords.hash_password(PASSWORD)

    async def rehash_first(work: object) -> object:
        monkeypatch.setattr(services.sessions._database, "write", write)
        await write(lambda connection: users.update_fields(connection, UUID(me["id"]), {"password_hash": anew}))
        return await write(work)  # type: ignore[arg-type]

    monkeypatch.setattr(services.sessions._database, "write", rehash_first)
    checked(await nobody.post("/users/login", json={"email": me["email"], "password": PASSWORD}))

"""Sessions: what another request changes between two steps of this one, and the token of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from typing_extensions import override

from coder_enterprise.server.services import clock
from coder_enterprise.server.services import sessions as sessions_module
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.session_tokens import new_token
from coder_enterprise.server.services.sessions import REMEMBERED, Sessions
from coder_enterprise.server.settings import TOKEN_FORM, FirstUser, SettingsError
from coder_enterprise.server.storage import users
from coder_enterprise.server.storage.database import Database, T, Work
from coder_enterprise.server.storage.failures import SessionEnded
from coder_enterprise.wire.authentication import LoginRequest
from tests.server.services.test_passwords import SCRYPT_OF_ANOTHER_COST
from tests.support.api import OWNER, PASSWORD, Client, People, checked, refused

SETTINGS = FirstUser(OWNER, f"{OWNER}@example.com", PASSWORD)


class AfterRead(Database):
    """Something happens between what a read has seen and its delivery."""

    def __init__(self, database: Database, event: Callable[[], Awaitable[object]]) -> None:
        self._database = database
        self._event = event
        self.notifications = database.notifications

    @override
    async def read(self, work: Work[T]) -> T:
        result = await self._database.read(work)
        await self._event()
        return result

    @override
    async def write(self, work: Work[T]) -> T:
        return await self._database.write(work)

    @override
    async def close(self) -> None:
        raise NotImplementedError


async def test_a_token_that_is_looked_up_while_it_ends_is_not_remembered(
    owner: Client, people: People, services: Services, database: Database
) -> None:
    actor = await people.actor(owner)

    async def log_out() -> None:
        await slow.log_out(actor)

    slow = Sessions(AfterRead(database, log_out))
    await slow.authenticate(owner.token)  # it was valid when this began
    with pytest.raises(SessionEnded):
        await slow.authenticate(owner.token)


async def test_a_user_who_is_suspended_while_logging_in_gets_no_session(
    owner: Client, member: Client, database: Database
) -> None:
    email = checked(await member.get("/users/me"))["email"]

    async def suspend() -> None:
        checked(await owner.put(f"/users/{member.user_id}/status/suspend"))

    sessions = Sessions(AfterRead(database, suspend))
    with pytest.raises(SessionEnded, match="suspended"):
        await sessions.log_in(LoginRequest(email=email, password=PASSWORD))


async def test_a_user_who_is_deleted_while_logging_in_gets_no_session(
    owner: Client, member: Client, database: Database
) -> None:
    email = checked(await member.get("/users/me"))["email"]

    async def delete() -> None:
        checked(await owner.delete(f"/users/{member.user_id}"))

    sessions = Sessions(AfterRead(database, delete))
    with pytest.raises(SessionEnded):
        await sessions.log_in(LoginRequest(email=email, password=PASSWORD))


async def test_what_is_remembered_is_looked_up_again_after_a_second(
    owner: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def count() -> None:
        nonlocal looks
        looks += 1

    sessions = Sessions(AfterRead(database, count))
    monotonic = 100.0
    monkeypatch.setattr(sessions_module, "time", SimpleNamespace(monotonic=lambda: monotonic))
    await sessions.authenticate(owner.token)
    await sessions.authenticate(owner.token)
    assert looks == 1
    monotonic += REMEMBERED
    await sessions.authenticate(owner.token)
    assert looks == 2


async def test_many_requests_with_one_token_are_all_the_same_user(owner: Client, services: Services) -> None:
    await services.sessions.forget()
    answers = await asyncio.gather(*(owner.get("/users/me") for _ in range(50)))
    assert {checked(answer)["id"] for answer in answers} == {owner.user_id}


def test_new_tokens_have_the_form_of_coder_and_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(TOKEN_FORM.fullmatch(token) for token in tokens)


async def test_the_token_of_the_settings_is_the_owners_and_never_expires(
    services: Services, people: People, database: Database
) -> None:
    token = new_token()
    await bootstrap(database, SETTINGS, token)
    seen = checked(await people.client(token).get("/users/me"))
    assert (seen["username"], [role["name"] for role in seen["roles"]]) == (OWNER, ["owner"])


async def test_another_token_in_the_settings_ends_the_one_before(people: People, database: Database) -> None:
    first, second = new_token(), new_token()
    await bootstrap(database, SETTINGS, first)
    await bootstrap(database, SETTINGS, second)
    refused(await people.client(first).get("/users/me"), 401)
    checked(await people.client(second).get("/users/me"))


async def test_the_same_token_with_another_secret_ends_the_one_before(people: People, database: Database) -> None:
    first = new_token()
    second = first[:11] + new_token()[11:]
    await bootstrap(database, SETTINGS, first)
    await bootstrap(database, SETTINGS, second)
    refused(await people.client(first).get("/users/me"), 401)
    checked(await people.client(second).get("/users/me"))


async def test_the_token_of_a_login_that_is_put_into_the_settings_ends_with_no_login(
    people: People, owner: Client, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bootstrap(database, SETTINGS, owner.token)
    await services.sessions.forget()
    monkeypatch.setattr(sessions_module, "now", lambda: clock.now() + timedelta(days=365))
    checked(await owner.get("/users/me"))


async def test_without_a_first_user_the_token_is_that_of_an_owner_who_exists(
    people: People, owner: Client, database: Database
) -> None:
    token = new_token()
    await bootstrap(database, None, token)
    assert checked(await people.client(token).get("/users/me"))["id"] == owner.user_id


async def test_a_token_for_nobody_stops_the_start(services: Services, database: Database) -> None:
    with pytest.raises(SettingsError, match="CODER_BOOTSTRAP_TOKEN_FILE"):
        await bootstrap(database, None, new_token())


async def _set_hash(database: Database, user_id: str, stored: str) -> None:
    await database.write(lambda connection: users.update_fields(connection, UUID(user_id), {"password_hash": stored}))


async def _hash_of(database: Database, user_id: str) -> str:
    row = await database.read(lambda connection: users.get(connection, UUID(user_id)))
    assert row is not None
    return row.password_hash


async def test_a_login_makes_an_outdated_hash_anew(owner: Client, people: People, database: Database) -> None:
    await _set_hash(database, owner.user_id, SCRYPT_OF_ANOTHER_COST)
    await people.log_in(OWNER)
    assert (await _hash_of(database, owner.user_id)).startswith("$argon2id$")
    await people.log_in(OWNER)

"""Entitlements that follow licences and users by themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import uuid4

import pytest

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.bootstrap import bootstrap
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.services.session_tokens import new_token
from coder_enterprise.server.settings import FirstUser
from coder_enterprise.server.storage.database import Database, Work
from coder_enterprise.server.storage.failures import Overload
from coder_enterprise.server.workers import entitlements as worker_module
from coder_enterprise.server.workers.entitlements import EntitlementsWorker
from tests.support.api import PASSWORD, Client, People, checked
from tests.support.licenses import DAY, PUBLIC_KEYS, Claims, add_license, signed

T = TypeVar("T")


@pytest.fixture
def license_claims() -> Claims | None:
    return None


@pytest.fixture
async def worker(services: Services) -> AsyncIterator[None]:
    task = asyncio.create_task(EntitlementsWorker(services.entitlements).run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(probe: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not probe():
            await asyncio.sleep(0.01)


def reached(entitlements: Entitlements, expected: str) -> bool:
    return level(entitlements) == expected


def level(entitlements: Entitlements) -> str:
    return entitlements.current.features[Feature.TEMPLATE_RBAC].entitlement


@pytest.mark.usefixtures("worker")
async def test_a_licence_begins_enters_its_grace_period_and_ends_by_itself(owner: Client, services: Services) -> None:
    start = time.time() + 0.5
    times = {"nbf": start, "license_expires": start + 0.5, "exp": start + 1}
    checked(await owner.post("/licenses", json={"license": signed(**times)}))
    seen = [level(services.entitlements)]
    for expected in ("entitled", "grace_period", "not_entitled"):
        await until(partial(reached, services.entitlements, expected))
        seen.append(expected)
        assert time.time() >= list(times.values())[len(seen) - 2]
    assert seen == ["not_entitled", "entitled", "grace_period", "not_entitled"]


@pytest.mark.usefixtures("worker")
async def test_active_users_are_counted_as_they_come_and_go(owner: Client, people: People, services: Services) -> None:
    def actual() -> int | None:
        return services.entitlements.current.features[Feature.USER_LIMIT].actual

    await until(lambda: actual() == 1)
    member = await people.with_roles()
    await until(lambda: actual() == 2)
    checked(await owner.put(f"/users/{member.user_id}/status/suspend"))
    await until(lambda: actual() == 1)
    checked(await owner.put(f"/users/{member.user_id}/status/activate"))
    await until(lambda: actual() == 2)
    checked(await owner.delete(f"/users/{member.user_id}"))
    await until(lambda: actual() == 1)


@pytest.mark.usefixtures("worker")
async def test_a_dormant_user_who_comes_back_with_a_token_is_counted(database: Database, services: Services) -> None:
    token = new_token()
    await bootstrap(database, FirstUser("ann", "ann@example.com", PASSWORD), token)
    await services.entitlements.refresh()
    assert services.entitlements.current.features[Feature.USER_LIMIT].actual == 0
    await services.sessions.authenticate(token)
    await until(lambda: services.entitlements.current.features[Feature.USER_LIMIT].actual == 1)


async def test_a_user_who_has_not_come_yet_is_not_counted(owner: Client, services: Services) -> None:
    body = {"username": "newcomer", "email": "new@example.com", "login_type": "none"}
    checked(await owner.post("/users", json=body))
    await services.entitlements.refresh()
    assert services.entitlements.current.features[Feature.USER_LIMIT].actual == 1


async def test_they_are_computed_anew_when_the_interval_is_over(
    database: Database, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another replica has added a licence, and its message was lost."""
    monkeypatch.setattr(worker_module, "INTERVAL", timedelta(milliseconds=50))
    task = asyncio.create_task(EntitlementsWorker(services.entitlements).run())
    await add_license(database)
    await until(lambda: services.entitlements.current.has_license)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_they_allow_is_known_again_after_an_overload(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "RETRY_AFTER", 0.01)
    overloaded = OverloadedOnce(database)
    entitlements = Entitlements(overloaded, PUBLIC_KEYS, uuid4())
    await entitlements.refresh()
    await add_license(database)
    overloaded.now = True
    entitlements.invalidate()
    task = asyncio.create_task(EntitlementsWorker(entitlements).run())
    await until(lambda: entitlements.current.has_license)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_computed_while_nothing_is_due(database: Database, services: Services) -> None:
    await add_license(database, exp=int(time.time()) + DAY)
    await services.entitlements.refresh()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await services.entitlements.until_due(timedelta(minutes=10))


class OverloadedOnce:
    """A database whose next read fails when `now` is set."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.now = False
        self.look_up = database.look_up
        self.write = database.write
        self.write_as = database.write_as
        self.close = database.close
        self.notifications = database.notifications

    async def read(self, work: Work[T]) -> T:
        if self.now:
            self.now = False
            raise Overload("The server is overloaded; try again in a moment.")
        return await self._database.read(work)

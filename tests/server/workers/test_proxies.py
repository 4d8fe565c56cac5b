"""The health of workspace proxies: what each answer of a real HTTP server means, and when it is asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from typing_extensions import override

from coder_enterprise.server.probes import MAX_BODY, Answer, Probes
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.workers import proxies as worker
from coder_enterprise.server.workers.proxies import ProxyHealthLoop
from tests.support.api import Body, Client, checked
from tests.support.endpoint import Endpoint
from tests.support.proxies import create_proxy, register
from tests.support.waiting import INTERVAL, TIMEOUT, wait_for
from tools.processes import free_ports

GOOD: Final[Body] = {"errors": [], "warnings": []}
HOUR: Final = 3600.0


@pytest.fixture
async def probes() -> AsyncIterator[Probes]:
    async with Probes() as made:
        yield made


@pytest.fixture
def loop(database: Database, services: Services, probes: Probes) -> ProxyHealthLoop:
    return ProxyHealthLoop(database, services.proxies.health, probes, HOUR)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as made:
        made.says(GOOD)
        yield made


@contextlib.asynccontextmanager
async def running(loop: ProxyHealthLoop) -> AsyncIterator[None]:
    task = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def new_proxy(owner: Client, url: str, name: str = "eu") -> str:
    """Registered at `url`; its token."""
    _, token = await create_proxy(owner, name)
    checked(await register(owner, token, access_url=url))
    return token


async def found(owner: Client, name: str = "eu") -> Body:
    proxy = checked(await owner.get(f"/workspaceproxies/{name}"))
    assert proxy["healthy"] is (proxy["status"]["status"] == "ok")
    status: Body = proxy["status"]
    return status


async def checked_once(owner: Client, name: str) -> None:
    async with asyncio.timeout(TIMEOUT):
        while (await found(owner, name))["checked_at"] < "2020":
            await asyncio.sleep(INTERVAL)


async def new_checked_proxy(owner: Client, url: str, name: str = "eu") -> None:
    """Registered after the check that follows its making, which might ask it as well."""
    _, token = await create_proxy(owner, name)
    await checked_once(owner, name)
    checked(await register(owner, token, access_url=url))


async def found_after_check(owner: Client, loop: ProxyHealthLoop, url: str) -> Body:
    await new_proxy(owner, url)
    await loop.check()
    status = await found(owner)
    assert status["checked_at"] > "2020"
    return status


async def test_an_answer_without_errors_is_ok(owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint) -> None:
    status = await found_after_check(owner, loop, endpoint.url)
    assert (status["status"], status["report"]) == ("ok", GOOD)
    assert endpoint.asked == ["/healthz-report"]


async def test_warnings_are_passed_on_and_harm_nothing(
    owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint
) -> None:
    endpoint.says({"errors": None, "warnings": ["an old version"]})
    status = await found_after_check(owner, loop, endpoint.url)
    assert (status["status"], status["report"]) == ("ok", {"errors": [], "warnings": ["an old version"]})


async def test_errors_are_passed_on(owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint) -> None:
    endpoint.says({"errors": ["no primary"], "warnings": ["old"]})
    status = await found_after_check(owner, loop, endpoint.url)
    assert (status["status"], status["report"]) == ("unhealthy", {"errors": ["no primary"], "warnings": ["old"]})


async def test_another_status_is_unhealthy_with_code_url_and_message(
    owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint
) -> None:
    endpoint.status, endpoint.body = 503, json.dumps({"message": "Stopping.", "detail": "soon"})
    status = await found_after_check(owner, loop, endpoint.url)
    (error,) = status["report"]["errors"]
    assert status["status"] == "unhealthy"
    assert error == f"{endpoint.url}/healthz-report answered 503 instead of 200.\nStopping.: soon"


async def test_an_error_page_is_quoted_in_part(owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.body = 404, b"\xff" * 10_000
    (error,) = (await found_after_check(owner, loop, endpoint.url))["report"]["errors"]
    assert len(error) < 700


@pytest.mark.parametrize(
    "body",
    [
        "",
        "OK",
        "[]",
        "null",
        '{"errors": "x"}',
        '{"errors": [1]}',
        "[" * 10_000,
        b"\xff\xfe",
        '{"a":"' + "x" * MAX_BODY,
    ],
    ids=lambda body: str(body[:12]),
)
async def test_an_answer_that_is_no_report_is_unhealthy(
    owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint, body: str | bytes
) -> None:
    endpoint.body = body
    status = await found_after_check(owner, loop, endpoint.url)
    (error,) = status["report"]["errors"]
    assert status["status"] == "unhealthy"
    assert "without a health report" in error


async def test_who_does_not_listen_is_unreachable(owner: Client, loop: ProxyHealthLoop) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    status = await found_after_check(owner, loop, url)
    (error,) = status["report"]["errors"]
    assert status["status"] == "unreachable"
    assert error.startswith(f"{url}/healthz-report cannot be reached: ")
    assert len(error) > len(f"{url}/healthz-report cannot be reached: ")


async def test_who_does_not_answer_in_time_is_unreachable(
    owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "TIMEOUT", 0.2)
    endpoint.hold()
    status = await found_after_check(owner, loop, endpoint.url)
    endpoint.release()
    assert status["status"] == "unreachable"
    assert "no answer within" in status["report"]["errors"][0]


async def test_a_redirect_is_followed(owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint) -> None:
    async with Endpoint(307, Location=f"{endpoint.url}/healthz-report") as front:
        assert (await found_after_check(owner, loop, front.url))["status"] == "ok"


async def test_redirects_without_end_are_unreachable(owner: Client, loop: ProxyHealthLoop) -> None:
    async with Endpoint(307, Location="/healthz-report") as front:
        assert (await found_after_check(owner, loop, front.url))["status"] == "unreachable"


async def test_a_proxy_that_never_registered_is_unregistered(owner: Client, loop: ProxyHealthLoop) -> None:
    await create_proxy(owner, "eu")
    await loop.check()
    status = await found(owner)
    assert (status["status"], status["report"]) == ("unregistered", GOOD)
    assert status["checked_at"] > "2020"


async def test_a_proxy_that_was_not_checked_yet_is_within_the_pages_words(owner: Client, endpoint: Endpoint) -> None:
    await new_proxy(owner, endpoint.url)
    status = await found(owner)
    assert (status["status"], status["checked_at"]) == ("unregistered", "0001-01-01T00:00:00Z")


async def test_all_proxies_are_checked_at_the_start(owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint) -> None:
    await new_proxy(owner, endpoint.url)
    async with running(loop):
        await wait_for(lambda: endpoint.asked, "asked")


async def test_all_proxies_are_checked_at_every_interval(
    owner: Client, database: Database, services: Services, probes: Probes, endpoint: Endpoint
) -> None:
    await new_proxy(owner, endpoint.url)
    async with running(ProxyHealthLoop(database, services.proxies.health, probes, 0.05)):
        await wait_for(lambda: len(endpoint.asked) > 3, "asked again and again")


async def test_a_registration_is_followed_by_a_check_of_that_proxy_alone(
    owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint
) -> None:
    await create_proxy(owner, "de")
    async with Endpoint() as other, running(loop):
        other.says(GOOD)
        await checked_once(owner, "de")  # the first round, of all that are there, is over
        await new_checked_proxy(owner, other.url, "us")
        await wait_for(lambda: other.asked, "the first is asked")
        await new_checked_proxy(owner, endpoint.url)
        await wait_for(lambda: endpoint.asked, "the second is asked")
        assert len(other.asked) == 1


async def test_a_change_is_followed_by_a_check(owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint) -> None:
    async with running(loop):
        await new_checked_proxy(owner, endpoint.url)
        await wait_for(lambda: endpoint.asked, "asked once")
        await owner.patch("/workspaceproxies/eu", json={"display_name": "Europe"})
        await wait_for(lambda: len(endpoint.asked) == 2, "asked twice")


async def test_a_recovered_proxy_is_ok_again(owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint) -> None:
    endpoint.status = 500
    assert (await found_after_check(owner, loop, endpoint.url))["status"] == "unhealthy"
    endpoint.says(GOOD)
    await loop.check()
    assert (await found(owner))["status"] == "ok"


async def test_at_most_five_are_asked_at_the_same_time(
    owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint
) -> None:
    for number in range(8):
        await new_proxy(owner, endpoint.url, f"eu-{number}")
    endpoint.hold()
    checking = asyncio.create_task(loop.check())
    await wait_for(lambda: len(endpoint.asked) >= 5, "five are asked")
    endpoint.release()
    await checking
    assert (len(endpoint.asked), endpoint.together) == (8, 5)


async def test_a_database_that_fails_ends_no_loop(
    owner: Client,
    services: Services,
    database: Database,
    probes: Probes,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await new_proxy(owner, endpoint.url)
    failures = [RuntimeError("disk full")]
    read = database.read

    async def fail_once(work: Any) -> Any:
        if failures:
            raise failures.pop()
        return await read(work)

    monkeypatch.setattr(database, "read", fail_once)
    async with running(ProxyHealthLoop(database, services.proxies.health, probes, 0.05)):
        await wait_for(lambda: endpoint.asked, "asked all the same")


async def test_a_deleted_proxy_is_asked_no_more(owner: Client, loop: ProxyHealthLoop, endpoint: Endpoint) -> None:
    await new_proxy(owner, endpoint.url)
    await owner.delete("/workspaceproxies/eu")
    await loop.check()
    assert endpoint.asked == []


async def test_a_check_that_was_asked_for_a_proxy_that_is_gone_does_nothing(
    services: Services, loop: ProxyHealthLoop, endpoint: Endpoint
) -> None:
    await loop.check({uuid4()})
    assert endpoint.asked == []


async def test_a_proxy_that_asks_again_and_again_does_not_keep_the_round_from_the_others(
    owner: Client, services: Services, database: Database, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    await new_proxy(owner, endpoint.url, "busy")
    await new_proxy(owner, f"http://127.0.0.1:{free_ports(1)[0]}", "dead")
    health = services.proxies.health
    busy = UUID(checked(await owner.get("/workspaceproxies/busy"))["id"])

    class Asking(Probes):
        """While the busy one is asked, it registers again."""

        @override
        async def get(self, url: str, timeout: float) -> Answer:
            if url.startswith(endpoint.url):
                await health.check_soon(busy)
            return await super().get(url, timeout)

    async with Asking() as probes:
        loop = ProxyHealthLoop(database, health, probes, interval=0.05)
        checks: list[bool] = []
        check = loop.check

        async def note(only: set[UUID] | None = None) -> None:
            checks.append(only is None)
            await check(only)

        monkeypatch.setattr(loop, "check", note)
        async with running(loop):
            await wait_for(lambda: sum(checks) >= 3, "the third round")

"""What Coder's provisioners have to do, on the cards of the overview: asked while somebody looks, and not otherwise."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from coder_enterprise.client.coder import MAX_JOBS, CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import Unreachable
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.client.records import ProvisionerJob
from coder_enterprise.kinds.deployment.probe import unusable
from coder_enterprise.page import jobs
from coder_enterprise.page.jobs import ASKING, Work, ask, summed
from coder_enterprise.wire.profiles import Profile
from tests.page.test_people import Counting
from tests.support.page import Shown
from tests.support.provisioners import Daemon, create_version
from tests.support.scripted import TOKEN, Scripted, scripted
from tests.support.waiting import INTERVAL, TIMEOUT
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer

SINCE = datetime(2026, 1, 2, tzinfo=UTC)
ASKED = "provisionerjobs.list"


@pytest.fixture(scope="module", params=[Profile.DOCUMENTED, Profile.CODERSDK])
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    with CoderServer(profile=request.param) as process:
        yield process
        print(process.log.read_text()[-4000:])


@pytest.fixture
def requests() -> Counting:
    return Counting()


@asynccontextmanager
async def connected(
    shown: Shown, url: str, token: str, requests: Counting, patch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    async with CoderClient(ConnectionSettings(url, token), requests) as client:
        directory = Directory(client)
        patch.setattr(shown.view, "directory", lambda _: directory)
        yield


@asynccontextmanager
async def scripted_coder(shown: Shown, requests: Counting, patch: pytest.MonkeyPatch) -> AsyncIterator[Scripted]:
    """With one organization."""
    async with scripted() as coder, connected(shown, coder.url, coder.settings.token, requests, patch):
        coder.answer("/organizations", [{"id": "o", "name": "coder", "is_default": True}])
        yield coder


def card(text: str) -> str:
    """What it says of jobs, in words."""
    part = text.partition("<h3>Provisioner jobs</h3>")[2].partition("</div>")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", part).split())


async def told(page: httpx2.AsyncClient, words: str) -> str:
    async with asyncio.timeout(TIMEOUT):
        while words not in (found := card((await page.get("/")).text)):
            await asyncio.sleep(INTERVAL)
    return found


async def test_a_card_says_what_provisioners_do_and_what_waits_for_them(
    shown: Shown, page: httpx2.AsyncClient, server: CoderServer, requests: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "EVERY", INTERVAL)
    shown.deployment()
    session = {"Coder-Session-Token": server.token}
    async with (
        connected(shown, server.url, server.token, requests, monkeypatch),
        httpx2.AsyncClient(base_url=f"{server.url}/api/v2", headers=session, trust_env=False) as coder,
    ):
        await told(page, "None waits, and none is being done")
        await create_version(coder, name="one")
        found = await told(page, "0 running, 1 waiting, the oldest for")
        assert "1 that no connected provisioner may take: none has its tags" in found
        async with Daemon(server.url.removeprefix("http://"), session) as daemon:
            job = await daemon.acquire()
            found = await told(page, "1 running, 0 waiting")
            assert "may take" not in found
            await daemon.complete(job)
        await told(page, "None waits, and none is being done")


async def test_a_token_without_the_right_is_said_in_words(
    shown: Shown, page: httpx2.AsyncClient, server: CoderServer, requests: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown.deployment()
    api = CoderAPI(server.url, server.token)
    name = f"ann-{len(api.users())}"
    api.create_user(name)
    token = api.create_token(name)
    api.close()
    async with connected(shown, server.url, token, requests, monkeypatch):
        found = await told(page, "Not known")
    assert "that takes the token of an owner" in found


async def test_a_coder_that_is_too_old_is_said_in_words(
    shown: Shown, page: httpx2.AsyncClient, requests: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown.deployment()
    async with scripted_coder(shown, requests, monkeypatch):
        assert "Coder 2.19 or newer" in await told(page, "Not known")


async def test_it_is_asked_once_however_many_look_and_only_for_this_page(
    shown: Shown, page: httpx2.AsyncClient, requests: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown.deployment()
    async with scripted_coder(shown, requests, monkeypatch) as coder:
        coder.answer("/organizations/o/provisionerjobs", [])
        for path in ("/objects", "/journal", "/people", "/objects/coderdeployments/team/coder"):
            await page.get(path)
        assert ASKED not in requests.operations
        await told(page, "None waits")
        await asyncio.gather(*(page.get("/") for _ in range(10)))
    assert requests.operations.count(ASKED) == 1
    assert coder.asked[-1].query == {"status": "pending,running,canceling", "limit": str(MAX_JOBS)}


async def test_it_is_followed_while_somebody_looks_and_no_longer(
    shown: Shown, requests: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "EVERY", 0.01)
    deployment, looks = shown.deployment().key, True
    found = jobs.Jobs(shown.view, lambda _: looks)
    async with scripted_coder(shown, requests, monkeypatch) as coder:
        coder.answer("/organizations/o/provisionerjobs", [])
        assert found.of(deployment) == ASKING
        async with asyncio.timeout(TIMEOUT):
            while requests.operations.count(ASKED) < 3:
                await asyncio.sleep(INTERVAL)
            revision = shown.view.revision
            assert found.of(deployment) == Work()
            coder.answer("/organizations/o/provisionerjobs", [raw("pending", [])])
            while found.of(deployment) != Work(waiting=1, stuck=1, since=SINCE):
                await asyncio.sleep(INTERVAL)
            assert shown.view.revision == revision + 1, "who looks is told of what is new, and only of that"
            looks = False
            await asyncio.gather(*found._asking.values())
        await found.close()


async def test_a_deployment_of_another_replica_is_not_asked(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.deployment()
    assert "Provisioner jobs" not in (await page.get("/")).text


async def test_a_coder_that_is_not_usable_is_not_asked(
    shown: Shown, page: httpx2.AsyncClient, requests: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown.deployment()
    monkeypatch.setattr(shown.view, "probe", lambda _: unusable(Unreachable("no answer")))
    async with scripted() as coder, connected(shown, coder.url, coder.settings.token, requests, monkeypatch):
        assert "Provisioner jobs" not in (await page.get("/")).text
    assert requests.operations == []


def raw(status: str, workers: list[str] | None) -> dict[str, Any]:
    return {"id": "j", "created_at": SINCE.isoformat(), "status": status, "available_workers": workers}


def job(status: str, workers: list[str] | None = None) -> ProvisionerJob:
    return ProvisionerJob.model_validate(raw(status, workers))


def test_jobs_of_all_organizations_are_counted_together() -> None:
    lists = [[job("pending"), job("running")], [job("pending", []), job("pending", ["d"]), job("canceling")]]
    assert summed(lists, whole=True) == Work(running=2, waiting=3, stuck=1, since=SINCE)


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_that_is_none_is_not_since_when_jobs_wait(created: str) -> None:
    odd = ProvisionerJob.model_validate(raw("pending", None) | {"created_at": created})
    assert summed([[odd]], whole=True) == Work(waiting=1)
    assert summed([[odd, job("pending")]], whole=True) == Work(waiting=2, since=SINCE)


def test_more_than_are_listed_are_no_whole_number() -> None:
    assert not summed([[job("pending")] * MAX_JOBS], whole=True).whole
    assert not summed([], whole=False).whole


async def test_a_coder_that_is_gone_is_said_in_words() -> None:
    async with CoderClient(ConnectionSettings("http://127.0.0.1:9", TOKEN)) as client:
        assert "cannot be reached" in (await ask(Directory(client))).trouble

"""A collection as it changes, through everything that ends a watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from kubernetes.aio.client import Configuration

from coder_enterprise.cluster import watching
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.paths import custom
from coder_enterprise.cluster.watching import Changed, Listed, follow
from tests.support.api_server import APIServer, Fault, lines, status
from tests.support.waiting import wait_for

GROUPS = "codergroups"


@pytest_asyncio.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[APIServer]:
    monkeypatch.setattr(watching, "PAUSE", 0.01)
    async with APIServer([GROUPS]) as server:
        server.put(GROUPS, "first")
        yield server


@pytest_asyncio.fixture
async def client(api: APIServer) -> AsyncIterator[KubernetesClient]:
    settings = Configuration()
    settings.host = api.url
    settings.retries = None
    async with KubernetesClient(settings) as connected:
        yield connected


def names(seen: Listed | Changed) -> list[str]:
    bodies = seen.objects if isinstance(seen, Listed) else (seen.object,)
    return [body["metadata"]["name"] for body in bodies]


async def test_what_is_there_is_told_at_first_and_then_each_change(api: APIServer, client: KubernetesClient) -> None:
    stream = follow(client, custom(GROUPS))
    assert names(await anext(stream)) == ["first"]
    api.put(GROUPS, "two")
    assert names(await anext(stream)) == ["two"]
    await stream.aclose()


async def test_a_watch_that_ends_goes_on_where_it_was(api: APIServer, client: KubernetesClient) -> None:
    stream = follow(client, custom(GROUPS))
    assert isinstance(await anext(stream), Listed)
    api.put(GROUPS, "one")
    assert names(await anext(stream)) == ["one"]
    api.end_watches()
    api.put(GROUPS, "two")
    assert names(await anext(stream)) == ["two"]
    assert [verb for verb, _ in api.requests].count("list") == 1
    await stream.aclose()


async def test_what_was_missed_is_listed_anew(api: APIServer, client: KubernetesClient) -> None:
    api.fail("watch", GROUPS, status(410))
    stream = follow(client, custom(GROUPS))
    assert names(await anext(stream)) == ["first"]
    api.put_unseen(GROUPS, "two")
    assert sorted(names(await anext(stream))) == ["first", "two"]
    await stream.aclose()


async def test_so_it_is_when_the_watch_itself_says_so(api: APIServer, client: KubernetesClient) -> None:
    gone = b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}\n'
    api.fail("watch", GROUPS, lines(gone))
    stream = follow(client, custom(GROUPS))
    assert isinstance(await anext(stream), Listed)
    assert isinstance(await anext(stream), Listed)
    await stream.aclose()


@pytest.mark.parametrize("fault", [status(503), lines(b"<html>\n"), lines(b"{}\n"), lines(b'{"type": "A', cut=True)])
async def test_a_watch_that_breaks_is_tried_again(api: APIServer, client: KubernetesClient, fault: Fault) -> None:
    api.fail("watch", GROUPS, fault)
    stream = follow(client, custom(GROUPS))
    assert isinstance(await anext(stream), Listed)
    change = asyncio.ensure_future(anext(stream))
    await wait_for(lambda: api.requests.count(("watch", GROUPS)) > 1, "it is tried again")
    api.heal()
    api.put(GROUPS, "one")
    assert names(await change) == ["one"]
    await stream.aclose()


async def test_who_may_not_watch_is_told_so(api: APIServer, client: KubernetesClient) -> None:
    api.fail("watch", GROUPS, status(403))
    stream = follow(client, custom(GROUPS))
    assert isinstance(await anext(stream), Listed)
    with pytest.raises(KubernetesError, match="does not let you watch"):
        await anext(stream)
    await stream.aclose()


async def test_no_watch_is_left_behind(api: APIServer, client: KubernetesClient) -> None:
    stream = follow(client, custom(GROUPS))
    await anext(stream)
    api.put(GROUPS, "one")
    await anext(stream)
    await stream.aclose()
    api.end_watches()
    await wait_for(lambda: api.watches(GROUPS) == 0, "no watch is open")

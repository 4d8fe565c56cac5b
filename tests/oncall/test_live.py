"""The objects of a cluster as they change, drawn in one picture."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from kubernetes.aio.client import Configuration

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.kinds.machinery.resource import Names, Resource
from coder_enterprise.oncall import live
from coder_enterprise.oncall.live import Live
from tests.support.api_server import APIServer
from tests.support.waiting import wait_for

KINDS = (Names("CoderGroup", "codergroups", "", ""), Names("CoderUser", "coderusers", "", ""))


@pytest_asyncio.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[APIServer]:
    monkeypatch.setattr(live, "BREATH", 0.01)
    async with APIServer([names.plural for names in KINDS]) as server:
        yield server


@pytest_asyncio.fixture
async def drawn(api: APIServer) -> AsyncIterator[list[list[str]]]:
    """The names in each picture that was drawn."""
    pictures: list[list[str]] = []

    def draw(resources: list[Resource]) -> None:
        pictures.append(sorted(resource.key.name for resource in resources))

    api.put("codergroups", "platform")
    settings = Configuration()
    settings.host = api.url
    async with KubernetesClient(settings) as client:
        task = asyncio.ensure_future(Live(client, KINDS, None).run(draw))
        yield pictures
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_first_picture_has_every_kind(drawn: list[list[str]]) -> None:
    await wait_for(lambda: drawn, "something is drawn")
    assert drawn[0] == ["platform"]


async def test_each_change_is_drawn(api: APIServer, drawn: list[list[str]]) -> None:
    await wait_for(lambda: drawn, "something is drawn")
    api.put("coderusers", "ann")
    await wait_for(lambda: drawn[-1] == ["ann", "platform"], "the user is drawn")

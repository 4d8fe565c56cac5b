"""Waiting until an operator has visited objects, against an API server of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from kubernetes.aio.client import Configuration

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.kinds.machinery.resource import Key, Names
from coder_enterprise.oncall.acts import wait_until_handled
from coder_enterprise.oncall.objects import Kinds
from coder_enterprise.oncall.standing import Standing
from tests.support.api_server import APIServer
from tests.support.waiting import wait_for

GROUPS = "codergroups"
KINDS = Kinds([Names("CoderGroup", GROUPS, "codergroup", "codergrp")])
ASKED = {Key("CoderGroup", "team", name): "now" for name in ("one", "two")}


class Waiting:
    """A wait that runs, and what it has said."""

    def __init__(self, client: KubernetesClient) -> None:
        self.said: list[Standing] = []
        self.task = asyncio.ensure_future(wait_until_handled(client, KINDS, ASKED, self.said.append))

    @property
    def names(self) -> list[str]:
        return sorted(each.key.name for each in self.said)


@pytest_asyncio.fixture
async def api() -> AsyncIterator[APIServer]:
    async with APIServer([GROUPS]) as server:
        server.put(GROUPS, "other")
        yield server


@pytest_asyncio.fixture
async def client(api: APIServer) -> AsyncIterator[KubernetesClient]:
    settings = Configuration()
    settings.host = api.url
    async with KubernetesClient(settings) as connected:
        yield connected


def visit(api: APIServer, name: str, handled: str, **status: Any) -> None:
    """As the operator writes its status, and the API server tells of it."""
    body = api.put(GROUPS, name)
    body["status"] = {"lastHandledReconcileAt": handled, "observedGeneration": 1, **status}
    api.put_status(GROUPS, body)


async def test_the_wait_ends_when_all_have_been_visited_for_this_request(
    api: APIServer, client: KubernetesClient
) -> None:
    visit(api, "one", "now")
    visit(api, "two", "before")
    waiting = Waiting(client)
    await wait_for(lambda: waiting.names == ["one"], "the first is visited")
    visit(api, "two", "now", observedGeneration=0)
    visit(api, "two", "now")
    await asyncio.wait_for(waiting.task, 30)
    assert waiting.names == ["one", "two"]


async def test_an_object_that_goes_is_not_waited_for(api: APIServer, client: KubernetesClient) -> None:
    visit(api, "one", "now")
    await asyncio.wait_for(Waiting(client).task, 30)

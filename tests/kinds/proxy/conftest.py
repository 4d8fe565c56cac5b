"""Fixtures of the tests of workspace proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.kinds.machinery.base import Context
from tests.kinds.proxy.builders import Mortal, Points
from tests.support.scripted import Scripted


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
def beside(points: Points) -> Mortal:
    return Mortal(points)


@pytest.fixture
async def context(server: Scripted, points: Points, beside: Mortal) -> AsyncIterator[Context]:
    async with CoderClient(server.settings, points) as client:
        yield Context(client=client, directory=Directory(client), beside=beside, users_newer_than=0.0)

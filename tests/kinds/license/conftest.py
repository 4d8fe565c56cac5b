"""Fixtures of the tests of licences."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.kinds.machinery.base import Context
from tests.kinds.license.builders import Points
from tests.support.beside import Beside
from tests.support.scripted import Scripted


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
async def context(server: Scripted, beside: Beside, points: Points) -> AsyncIterator[Context]:
    async with CoderClient(server.settings, points) as client:
        yield Context(client=client, directory=Directory(client), beside=beside, users_newer_than=float("-inf"))

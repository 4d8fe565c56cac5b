"""A scripted Coder, and a client that talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from coder_enterprise.client.coder import CoderClient
from tests.support.scripted import Scripted, forget_proxies, scripted


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as running:
        yield running


@pytest.fixture
async def client(server: Scripted) -> AsyncIterator[CoderClient]:
    async with CoderClient(server.settings) as connected:
        yield connected

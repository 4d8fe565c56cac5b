"""The server with real sockets, for what speaks over a websocket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from coder_enterprise.server.services.all import Services
from tests.support.api import Body, Client
from tests.support.provisioners import Daemon, build_template, listening, session_of


@pytest.fixture
async def address(services: Services) -> AsyncIterator[str]:
    """Host and port."""
    async with listening(services) as found:
        yield found


@pytest.fixture
async def daemon(address: str, owner: Client) -> AsyncIterator[Daemon]:
    """The organization's, without tags."""
    async with Daemon(address, session_of(owner), name="first") as connected:
        yield connected


@pytest.fixture
async def template(owner: Client, daemon: Daemon) -> Body:
    return await build_template(owner, daemon, "docker")

"""An engine for the tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from coder_enterprise.controller import leases
from tests.support.engine import Cluster


@pytest.fixture(autouse=True)
def fake_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Leases are timed by the clock of the process: here by the loop's, which is fake."""
    monkeypatch.setattr(leases, "_now", lambda: asyncio.get_running_loop().time())


@pytest_asyncio.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    """An empty cluster, and a Coder at `http://coder.test`. The test itself starts the operator: the fake clock runs
    in tests alone, not in fixtures."""
    space = Cluster(monkeypatch)
    yield space
    await space.stop()

"""An engine for the tests of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.engine import Cluster


@pytest_asyncio.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    """An empty cluster, and a Coder at `http://coder.test`. The test itself starts the operator: the fake clock runs
    in tests alone, not in fixtures."""
    space = Cluster(monkeypatch)
    yield space
    await space.stop()

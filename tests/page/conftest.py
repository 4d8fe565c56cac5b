"""A page of objects that are put into a store: served on a real socket, read over it; and people who look at one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
import pytest_asyncio

from tests.support.page import Served, Shown
from tests.support.people import People
from tools.kubernetes.control_plane import ControlPlane


@pytest.fixture
def shown() -> Shown:
    """What the page shows: nothing at first."""
    return Shown()


@pytest_asyncio.fixture
async def page(shown: Shown) -> AsyncIterator[httpx2.AsyncClient]:
    """Sends requests to the page of `shown`."""
    async with Served(shown) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def people(control_plane: ControlPlane) -> Iterator[People]:
    """Of a real cluster, with tokens and rights of their own. A test that needs somebody more gives them a name that no
    other test has."""
    found = People(control_plane)
    yield found
    found.close()

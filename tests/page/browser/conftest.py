"""The page in a browser: that of a real operator, and one of objects that a test makes up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.support.browser import Visitor, visiting
from tests.support.page import Served, Shown
from tools.kubernetes.control_plane import ControlPlane
from tools.scenery import Scenery

if TYPE_CHECKING:
    from playwright.async_api import Browser

HOME, TEAM = "page-home", "page-team"


@pytest.fixture(scope="session")
def scenery(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenery]:
    """A small company, for all tests that look at a real operator's page; they change only what they have made."""
    options = ("--namespace", HOME, "--namespace", TEAM, "--lease-namespace", HOME)
    with Scenery(control_plane, tmp_path_factory.mktemp("scenery"), HOME, TEAM, *options) as scenery:
        yield scenery
        print(scenery.operator.text()[-8000:])


@pytest_asyncio.fixture(loop_scope="session")
async def made_up(shown: Shown) -> AsyncIterator[str]:
    """The URL of the page of `shown`."""
    async with Served(shown) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, made_up: str) -> AsyncIterator[Visitor]:
    """They leave before the page that is made up does: it would seem broken to them."""
    async with visiting(browser) as visitor:
        yield visitor
    assert visitor.unexpected() == []

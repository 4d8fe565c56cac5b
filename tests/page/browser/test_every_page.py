"""Every page of a real operator is for everybody: in light and dark, on a phone, for screen readers, without a script.

Each page is loaded once for all that is asked of it. That it loads nothing from elsewhere and runs nothing from within
is asked when it is left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.browser import LINKS, OF_COLOURS, OF_SIZES, PHONE, WIDE, Visitor, visiting
from tools.scenery import Scenery

PAGES: Final[dict[str, Callable[[Scenery], str]]] = {
    "overview": lambda _: "/",
    "objects": lambda _: "/objects",
    "objects that need a person": lambda _: "/objects?state=stalled",
    "a deployment": lambda scenery: f"/objects/coderdeployments/{scenery.home}/coder",
    "differences": lambda scenery: f"/objects/codergroups/{scenery.home}/research",
    "what waits": lambda scenery: f"/objects/codertemplateacls/{scenery.home}/mainframe",
    "journal": lambda _: "/journal",
    "people": lambda _: "/people",
    "a person": lambda _: "/people?q=ann@example.com",
    "no objects": lambda _: "/objects?q=nothing-has-this-name",
}
SAID: Final = "main :is(h1, h2, h3, td.name, td.reason)"

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(PAGES.values()), ids=list(PAGES))
async def opened(request: pytest.FixtureRequest, browser: Browser, scenery: Scenery) -> AsyncIterator[Visitor]:
    path: Callable[[Scenery], str] = request.param
    async with visiting(browser) as visitor:
        await visitor.page.goto(scenery.page + path(scenery))
        yield visitor
        assert visitor.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(opened: Visitor) -> Visitor:
    """In light, with a wide window, whatever the test before has looked at."""
    await opened.page.set_viewport_size(WIDE)
    await opened.page.emulate_media(color_scheme="light")
    return opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plain(browser: Browser) -> AsyncIterator[Visitor]:
    """Whose browser runs no script."""
    async with visiting(browser, java_script_enabled=False) as visitor:
        yield visitor
        assert visitor.complaints == []


@pytest.fixture(scope="module")
def answered() -> dict[str, int]:
    """Links that were followed, and the status of what they lead to."""
    return {}


async def test_it_keeps_to_wcag_aa(visitor: Visitor) -> None:
    assert await visitor.violations() == []


async def test_its_colours_keep_to_wcag_aa_in_the_dark(visitor: Visitor) -> None:
    await visitor.page.emulate_media(color_scheme="dark")
    assert await visitor.violations(OF_COLOURS) == []


async def test_it_fits_a_phone(visitor: Visitor) -> None:
    await visitor.page.set_viewport_size(PHONE)
    assert await visitor.overflow() == 0
    assert await visitor.violations(OF_SIZES) == []


async def test_it_says_the_same_without_a_script(visitor: Visitor, plain: Visitor) -> None:
    await plain.page.goto(visitor.page.url)
    said = await plain.page.locator(SAID).all_inner_texts()
    await expect(visitor.page.locator(SAID)).to_have_text(said, use_inner_text=True)


async def test_its_links_lead_to_pages(visitor: Visitor, scenery: Scenery, answered: dict[str, int]) -> None:
    links = await visitor.page.locator("a").evaluate_all(LINKS)
    own = {link.partition("#")[0] for link in links if link.startswith(scenery.page)}
    async with httpx2.AsyncClient(trust_env=False) as http:
        for link in sorted(own - answered.keys()):
            answered[link] = (await http.get(link)).status_code
    assert {link: answered[link] for link in own if answered[link] != 200} == {}

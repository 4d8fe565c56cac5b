"""Chromium, driven by Playwright: for the tests of the page, and of what a page of others shows of ours.

One browser for each test process, in an event loop that all such tests share; each test has a profile of its own, and
fails when the page complained: an error on the console, an exception, or something that its policy refused.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize

PROGRAMS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first is the same browser without its windows: a profile and a page take a fifth of the time."""
TIMEOUT: Final = 20_000.0
"""Milliseconds that a test waits for what must come."""
WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}
LINKS: Final = "links => links.map(link => new URL(link.getAttribute('href'), document.baseURI).href)"
"""For `evaluate_all`: where links lead to, those of SVG, too."""
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
"""What axe is to check."""
OF_COLOURS: Final = ("color-contrast", "link-in-text-block")
"""The rules of axe that dark can break where light does not; they take most of its time."""
OF_SIZES: Final = ("target-size", "scrollable-region-focusable")
"""Those that a narrow window can break where a wide one does not."""
AXE: Final = "options => axe.run(document, options).then(results => results.violations)"


def program() -> str:
    """Chromium's path; without it the test is skipped."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip("tests in a browser need Chromium on the PATH, such as Debian's package chromium-headless-shell")
    return found


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """The browser. As root it has no sandbox, which needs another user."""
    path = program()
    from playwright.async_api import async_playwright, expect  # for whom there is no browser it need not be there

    expect.set_options(timeout=TIMEOUT)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, chromium_sandbox=os.geteuid() != 0, args=["--disable-gpu"]
        )
        try:
            yield browser
        finally:
            await browser.close()


class Visitor:
    """Somebody with a browser: `page` is what they look at, `complaints` what it said about itself."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Parts of complaints that the test provokes."""
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def unexpected(self) -> list[str]:
        return [each for each in self.complaints if not any(part in each for part in self.expected)]

    async def violations(self, only: Sequence[str] = RULES, *, but: Sequence[str] = ()) -> list[str]:
        """What axe finds that WCAG AA forbids: rule, and elements. `only` are rules, or what rules are of."""
        from axe_playwright_python.async_playwright import Axe

        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(Axe().axe_script)
        without = {name: {"enabled": False} for name in but}
        options = {"runOnly": list(only), "rules": without, "resultTypes": ["violations"], "preload": False}
        return [f"{found['id']}: {_elements(found['nodes'])}" for found in await self.page.evaluate(AXE, options)]

    async def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(await self.page.evaluate(script))


def _elements(nodes: Iterable[Any]) -> str:
    return ", ".join(f"{node['html'][:200]} ({'; '.join(each['message'] for each in node['any'])})" for node in nodes)


@asynccontextmanager
async def visiting(browser: Browser, **options: Any) -> AsyncIterator[Visitor]:
    """A visitor with a profile of their own; `options` are those of a context."""
    context = await browser.new_context(**({"viewport": WIDE, "color_scheme": "light"} | options))
    context.set_default_timeout(TIMEOUT)
    try:
        yield Visitor(context, await context.new_page())
    finally:
        await context.close()

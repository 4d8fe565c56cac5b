"""`python -m tools.screenshots`: called by `make screenshots`. The operator's page, in light and dark, for docs/.

It shows `tools.scenery`, and needs Chromium.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Browser, ViewportSize, async_playwright

from tools.kubernetes.control_plane import ControlPlane
from tools.scenery import Scenery

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "docs" / "images" / "page"
HOME, TEAM = "coder", "team-a"
PAGES: Final = {
    "overview": "/",
    "objects": "/objects",
    "object": f"/objects/codergroups/{HOME}/research",
    "deployment": f"/objects/coderdeployments/{HOME}/coder",
    "journal": "/journal",
    "people": "/people?q=ann@example.com",
}
OPTIONS: Final = ("--page-grafana-url", "https://grafana.example.com")
THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
SIZE: Final[ViewportSize] = {"width": 1200, "height": 780}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}


async def take(url: str, chromium: str) -> None:
    """Each page in both themes, and the overview on a phone."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, chromium_sandbox=os.geteuid() != 0)
        for name, path in PAGES.items():
            await _shoot(browser, url + path, name, SIZE)
        await _shoot(browser, url, "phone", PHONE)
        await browser.close()


async def _shoot(browser: Browser, url: str, name: str, size: ViewportSize) -> None:
    for theme in THEMES:
        context = await browser.new_context(viewport=size, color_scheme=theme)
        page = await context.new_page()
        await page.goto(url)
        await page.locator("#live:not([hidden])").wait_for()
        path = FOLDER / f"{name}-{theme}.png"
        await page.screenshot(path=path, animations="disabled")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")
        await context.close()


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is needed: apt-get install chromium", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ControlPlane() as plane, tempfile.TemporaryDirectory() as folder:
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        with Scenery(plane, Path(folder), HOME, TEAM, *OPTIONS) as scenery:
            asyncio.run(take(scenery.page, chromium))
    return 0


if __name__ == "__main__":
    sys.exit(main())

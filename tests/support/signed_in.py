"""People of a real cluster who sign in to the page in a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from coder_enterprise.page.access import authority
from coder_enterprise.page.access.modes import Mode
from tests.support.page import Served, Shown
from tests.support.people import People

if TYPE_CHECKING:
    from playwright.async_api import Page


@asynccontextmanager
async def served(shown: Shown, people: People, **settings: Any) -> AsyncIterator[str]:
    """The URL of the page of `shown`, which asks the cluster about people, and remembers no answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authority, "HOLDS", 0.0)
        patch.setattr(authority, "REFUSAL_HOLDS", 0.0)
        async with Served(shown, await people.cluster(), **({"mode": Mode.KUBERNETES} | settings)) as url:
            yield url


async def give(page: Page, token: str) -> None:
    """On the form for signing in."""
    await page.get_by_label("A bearer token of this cluster").fill(token)
    await page.get_by_role("button", name="Sign in").click()

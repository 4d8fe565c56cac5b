"""The page in the mode `kubernetes`, for people of a real cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from coder_enterprise.page import acts
from coder_enterprise.page.access import authority
from coder_enterprise.page.access.modes import Mode
from tests.support.page import Served, Shown
from tests.support.people import Browser, People


@pytest_asyncio.fixture
async def browser(shown: Shown, people: People, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    """Of a page that shows groups of two namespaces, and remembers no review."""
    monkeypatch.setattr(authority, "HOLDS", 0.0)
    monkeypatch.setattr(authority, "REFUSAL_HOLDS", 0.0)
    monkeypatch.setattr(acts, "HEARD", 0.0)  # no operator hears of what is done here
    for space in (people.own, people.foreign):
        shown.put("CoderGroup", "platform", space.name)
    shown.put("CoderGroup", "group-of-mine", people.own.name)
    shown.put("CoderGroup", "group-of-others", people.foreign.name)
    shown.put("CoderLicense", "licence-of-others", people.own.name)
    async with (
        Served(shown, await people.cluster(), mode=Mode.KUBERNETES, acts=True) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        yield Browser(http, url)

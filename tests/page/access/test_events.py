"""Events of an object, where the page has no right of its own to list them, as an operator in a cluster has none."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx2
import pytest

from coder_enterprise.controller.events import Sent
from coder_enterprise.page.access.modes import Mode
from tests.support.page import Served, Shown
from tests.support.people import Browser, People

SENT = Sent(False, "Applied", "created group-of-mine", datetime(2026, 1, 2, tzinfo=UTC), 1)


async def test_the_mode_local_shows_what_the_operator_has_sent_and_why_no_more(shown: Shown, people: People) -> None:
    key = shown.put("CoderGroup", "group-of-mine", people.own.name).key
    shown.sent[key] = [SENT]
    async with (
        Served(shown, await people.cluster(), mode=Mode.LOCAL) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as page,
    ):
        text = (await page.get(f"/objects/codergroups/{people.own.name}/group-of-mine")).text
    assert "created group-of-mine" in text
    assert "forbidden" in text
    assert f"kubectl events --namespace {people.own.name}" in text


@pytest.mark.parametrize("name", ["alice"])
async def test_who_may_not_list_events_is_shown_none_that_the_operator_has_sent(
    shown: Shown, browser: Browser, people: People, name: str
) -> None:
    key = shown.put("CoderGroup", "group-of-mine", people.own.name).key
    shown.sent[key] = [SENT]
    path = f"/objects/codergroups/{people.own.name}/group-of-mine"
    text = (await browser.get(path, Authorization=f"Bearer {people.token(name)}")).text
    assert "created group-of-mine" not in text
    assert "forbidden" in text

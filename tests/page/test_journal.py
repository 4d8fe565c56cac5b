"""The journal on the page: what was changed in Coder, why, and for whom it is to be seen."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

import httpx2
import pytest

from coder_enterprise.controller.journal import Entry
from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page.journal import PER_PAGE, _older, of_object
from coder_enterprise.page.sight import Sight
from tests.support.page import TEAM, Shown

CODER: Final = Key("CoderDeployment", TEAM, "coder")
GROUP: Final = Key("CoderGroup", TEAM, "platform")
ACL: Final = Key("CoderTemplateACL", "west", "docker")
QUOTA: Final = Change(Action.UPDATE, "spec.quotaAllowance", 5, 40)
SCRIPT: Final = "<script>alert(1)</script>"


def write(shown: Shown, key: Key, cause: Cause, *changes: Change, because: Key | None = None) -> Entry:
    return shown.journal.write(key, CODER, cause, changes, because=because)


@pytest.fixture
def some(shown: Shown) -> Shown:
    shown.deployment()
    shown.put("CoderGroup", "platform")
    write(shown, GROUP, Cause.CREATION, Change(Action.CREATE, "spec", after="platform"))
    write(shown, GROUP, Cause.DRIFT, QUOTA)
    write(shown, ACL, Cause.CONSEQUENCE, Change(Action.REMOVE, "spec.groups[platform]", "use"), because=GROUP)
    shown.journal.attribute(2, "mallory")
    return shown


def causes(text: str) -> list[str]:
    """Of the entries, in the order of the page."""
    rows = re.findall(r"<li data-row>(.*?)</li>\s*(?=<li data-row>|</ul>\s*(?:</section>|$))", text, re.DOTALL)
    return [re.sub(r"<[^>]*>", "", row).split()[0] for row in rows]


@pytest.mark.usefixtures("some")
async def test_it_tells_from_what_to_what_and_why_the_newest_first(page: httpx2.AsyncClient) -> None:
    text = (await page.get("/journal")).text
    assert causes(text) == ["consequence", "drift", "created"]
    assert "mallory" in text
    assert "<bdi>spec.quotaAllowance</bdi></code> <q><bdi>5</bdi></q> → <q><bdi>40</bdi></q>" in text
    assert 'after <a class="name" href="/objects/codergroups/team/platform">' in text


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("cause=drift", ["drift"]),
        ("q=quotaallowance", ["drift"]),
        ("q=mallory", ["drift"]),
        ("q=west/docker", ["consequence"]),
        ("deployment=team/coder", ["consequence", "drift", "created"]),
        ("deployment=team/other", []),
        ("before=2020-01-01T00:00:00Z", []),
        ("cause=nonsense&before=3", ["consequence", "drift", "created"]),
    ],
)
async def test_the_url_says_what_is_shown(page: httpx2.AsyncClient, query: str, found: list[str]) -> None:
    assert causes((await page.get(f"/journal?{query}")).text) == found


@pytest.mark.usefixtures("some")
async def test_an_object_shows_its_own(page: httpx2.AsyncClient) -> None:
    text = (await page.get("/objects/codergroups/team/platform")).text
    assert causes(text) == ["drift", "created"]


async def test_many_entries_are_on_pages(shown: Shown, page: httpx2.AsyncClient) -> None:
    for _ in range(PER_PAGE + 5):
        write(shown, GROUP, Cause.EDIT, QUOTA)
    text = (await page.get("/journal")).text
    assert len(causes(text)) == PER_PAGE
    assert len(causes((await page.get(re.findall(r'rel="next" href="([^"]*)"', text)[0])).text)) == 5


async def test_the_way_to_older_entries_says_nothing_of_how_many_others_there_are(
    shown: Shown, page: httpx2.AsyncClient
) -> None:
    entries = [write(shown, GROUP, Cause.EDIT, QUOTA) for _ in range(PER_PAGE + 5)]
    (older,) = re.findall(r'rel="next" href="([^"]*)"', (await page.get("/journal")).text)
    assert dict(httpx2.URL(older).params) == {"before": entries[5].at.isoformat()}


def test_older_entries_are_found_although_the_clock_was_set_back(some: Shown) -> None:
    newest, middle, oldest = some.journal.entries()
    late = replace(oldest, at=newest.at + timedelta(hours=1))
    assert _older([newest, middle, late], middle.at) == [late]
    assert _older([newest, middle, oldest], newest.at + timedelta(seconds=1)) == [newest, middle, oldest]


def test_what_it_follows_from_is_hidden_from_who_may_not_list_that(some: Shown) -> None:
    see = Sight({"CoderTemplateACL": frozenset({"west"}), "CoderGroup": frozenset()})
    (entry,) = of_object(some.view, see, ACL)
    assert (entry.because, entry.hidden) == (None, True)


async def test_whatever_coder_says_is_no_markup(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderGroup", "platform")
    entry = write(shown, GROUP, Cause.DRIFT, Change(Action.UPDATE, SCRIPT, SCRIPT, SCRIPT))
    shown.journal.attribute(entry.number, SCRIPT)
    for path in ("/journal", f"/journal?{httpx2.QueryParams({'q': SCRIPT})}", "/objects/codergroups/team/platform"):
        assert SCRIPT not in (await page.get(path)).text


async def test_it_says_which_deployments_another_replica_has_the_journal_of(
    shown: Shown, page: httpx2.AsyncClient
) -> None:
    shown.deployment()
    shown.put("CoderGroup", "platform", spec={"deploymentRef": {"name": "coder"}})
    paths = ("/journal", "/objects/codergroups/team/platform")
    assert ["Another replica" in (await page.get(path)).text for path in paths] == [False, False]
    shown.elsewhere.add(CODER)
    shown.deployment()
    assert ["Another replica" in (await page.get(path)).text for path in paths] == [True, True]

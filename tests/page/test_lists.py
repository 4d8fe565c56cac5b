"""The list of all objects: what the URL asks for is what it shows."""

from __future__ import annotations

import re

import httpx2
import pytest

from coder_enterprise.page import lists
from coder_enterprise.page.lists import PER_PAGE
from coder_enterprise.page.rows import Rows
from tests.support.page import Shown, condition

STALLED = [condition("Ready", "False", "Refused", "422: the name is taken"), condition("Stalled", "True", "Refused")]


def names(text: str) -> list[str]:
    """Of the objects in the table, in its order."""
    return re.findall(r'<td class="name"><a href="[^"]*"><span class="narrow">[^<]*</span><bdi>([^<]*)</bdi>', text)


@pytest.fixture
def some(shown: Shown) -> Shown:
    shown.deployment()
    shown.put("CoderGroup", "b", "east")
    shown.put("CoderGroup", "a", "west", conditions=STALLED)
    shown.put("CoderUser", "c", "west", status={"id": "u-77"})
    return shown


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a", "coder", "b", "c"]),
        ("state=stalled", ["a"]),
        ("kind=CoderGroup", ["a", "b"]),
        ("namespace=west", ["a", "c"]),
        ("namespace=west&kind=CoderUser", ["c"]),
        ("deployment=west/coder", ["a", "c"]),
        ("reason=Refused", ["a"]),
        ("q=TAKEN", ["a"]),
        ("q=west+codergroup", ["a"]),
        ("q=u-77", ["c"]),
        ("kind=Unheard", []),
        ("sort=name", ["a", "b", "c", "coder"]),
        ("sort=-name", ["coder", "c", "b", "a"]),
        ("sort=nonsense&page=-1", ["a", "coder", "b", "c"]),
        ("page=999", ["a", "coder", "b", "c"]),
    ],
)
async def test_the_url_says_what_is_shown(page: httpx2.AsyncClient, query: str, found: list[str]) -> None:
    answer = await page.get(f"/objects?{query}")
    assert answer.status_code == 200
    assert names(answer.text) == found


@pytest.mark.usefixtures("some")
async def test_each_filter_counts_what_the_others_leave(page: httpx2.AsyncClient) -> None:
    text = (await page.get("/objects?kind=CoderGroup&namespace=west")).text
    assert "CoderUser (1)" in text
    assert "CoderGroup (1)" in text
    assert "CoderDeployment" not in text.split("<table")[0]
    assert "east (1)" in text


async def test_a_condition_that_is_not_well_is_found_by_its_reason(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderGroup", "a", conditions=[condition(reason="Planned"), condition("Synced", "False", "Drifted")])
    shown.put("CoderGroup", "b")
    assert names((await page.get("/objects?reason=Drifted")).text) == ["a"]


async def test_a_long_list_has_pages(shown: Shown, page: httpx2.AsyncClient) -> None:
    for number in range(PER_PAGE + 1):
        shown.put("CoderGroup", f"group-{number:03}")
    first, second = await page.get("/objects"), await page.get("/objects?page=2")
    assert len(names(first.text)) == PER_PAGE
    assert names(second.text) == [f"group-{PER_PAGE}"]
    assert 'rel="next" href="/objects?page=2"' in first.text
    assert 'rel="prev" href="/objects"' in second.text


async def test_what_changes_is_shown_at_the_next_look(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderGroup", "a", conditions=STALLED)
    assert names((await page.get("/objects?state=stalled")).text) == ["a"]
    shown.put("CoderGroup", "a")
    assert names((await page.get("/objects?state=stalled")).text) == []
    shown.remove("CoderGroup", "a")
    assert names((await page.get("/objects")).text) == []


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("sort", lists.SORTS)
async def test_a_page_among_many_has_what_it_would_have_if_all_were_sorted(
    shown: Shown, sort: str, *, falling: bool
) -> None:
    for number in range(1100):
        unwell = [condition("Ready", "False", f"Reason{number % 3}", since=f"2026-01-02T03:04:{number % 60:02}Z")]
        shown.put("CoderGroup", str(number), conditions=unwell if number % 7 else None)
    rows = list(Rows(shown.view).table().rows.values())
    ordered = sorted(rows, key=lists.SORTS[sort], reverse=falling)
    for page in (1, 2, 11):
        found = lists.find(rows, lists.Query(sort=sort, falling=falling, page=page))
        assert found.rows == ordered[(page - 1) * PER_PAGE : page * PER_PAGE]

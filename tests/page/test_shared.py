"""A page that many look at is made once, and each is shown what they may see, as it is now."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import httpx2
import pytest
from markupsafe import Markup

from coder_enterprise.page import lists, shared
from coder_enterprise.page.rendering import Body
from coder_enterprise.page.rows import Row
from coder_enterprise.page.shared import Bodies, Question
from coder_enterprise.page.sight import Sight
from tests.support.page import Shown

pytestmark = pytest.mark.asyncio

VIEWERS = 50


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[lists.Query]:
    """For what lists were made; whatever the machine does meanwhile, they are fresh."""
    asked, find = list[lists.Query](), lists.find

    def finding(rows: Sequence[Row], query: lists.Query) -> lists.Found:
        asked.append(query)
        return find(rows, query)

    monkeypatch.setattr(shared, "FRESH", 600.0)
    monkeypatch.setattr(lists, "find", finding)
    return asked


async def test_for_fifty_who_look_after_a_change_it_is_made_once(
    shown: Shown, page: httpx2.AsyncClient, made: list[lists.Query]
) -> None:
    for number in range(3):
        shown.put("CoderGroup", f"group-{number}")
        answers = await asyncio.gather(*(page.get("/objects") for _ in range(VIEWERS)))
        assert all(f"group-{number}" in answer.text for answer in answers)
        assert len(made) == number + 1


async def test_who_asks_for_something_else_is_shown_that(
    shown: Shown, page: httpx2.AsyncClient, made: list[lists.Query]
) -> None:
    shown.put("CoderGroup", "a-group")
    shown.put("CoderUser", "a-user")
    for query, there, absent in (("kind=CoderGroup", "a-group", "a-user"), ("kind=CoderUser", "a-user", "a-group")):
        text = (await page.get(f"/objects?{query}")).text
        assert there in text
        assert absent not in text
    assert len(made) == 2


async def test_what_is_there_for_one_alone_is_shared_with_nobody(
    page: httpx2.AsyncClient, made: list[lists.Query]
) -> None:
    for theme in ("dark", "light"):
        assert f'data-theme="{theme}"' in (await page.get("/objects", headers={"Cookie": f"theme={theme}"})).text
    assert "data-theme" not in (await page.get("/objects")).text
    assert len(made) == 1


@pytest.mark.usefixtures("made")
async def test_its_number_is_that_of_what_it_shows(shown: Shown, page: httpx2.AsyncClient) -> None:
    """So that who is given it hears of what has changed since."""

    async def number() -> str:
        (found,) = re.findall(r'data-seen="([^"]+)"', (await page.get("/objects")).text)
        return str(found)

    first = await number()
    assert await number() == first
    shown.put("CoderGroup", "a")
    assert await number() != first


def _question(number: int) -> Question:
    return Question("objects.html", number, Sight({"CoderGroup": frozenset({"team"})}))


async def test_one_that_was_made_before_a_change_is_given_to_nobody_who_asks_after_it() -> None:
    bodies, body = Bodies(), Body("", *(4 * [Markup()]))
    bodies.keep(_question(1), body, 7)
    assert bodies.find(_question(1), 7) is body
    assert bodies.find(_question(1), 8) is None
    assert bodies.find(_question(2), 7) is None


async def test_of_who_sees_something_else_it_is_another_question() -> None:
    bodies, body = Bodies(), Body("", *(4 * [Markup()]))
    bodies.keep(_question(1), body, 7)
    for namespaces in ({"CoderGroup": frozenset({"other"})}, {"CoderGroup": None}, {"CoderUser": frozenset({"team"})}):
        assert bodies.find(_question(1)._replace(see=Sight(namespaces)), 7) is None
    assert bodies.find(_question(1)._replace(see=Sight({"CoderGroup": frozenset({"team"})})), 7) is body


async def test_few_are_kept_and_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies, body = Bodies(), Body("", *(4 * [Markup()]))
    for number in range(shared.MOST + 1):
        bodies.keep(_question(number), body, 7)
    assert bodies.find(_question(0), 7) is None
    assert bodies.find(_question(shared.MOST), 7) is body
    monkeypatch.setattr(shared, "FRESH", 0.0)
    bodies.keep(_question(1), body, 7)
    assert bodies.find(_question(1), 7) is None

"""What is made once for many holds nothing that one of them may not see, nor what is another's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from coder_enterprise.page import lists, shared
from coder_enterprise.page.rows import Row
from tests.support.people import Browser, People

pytestmark = pytest.mark.asyncio


async def test_who_sees_the_same_shares_the_rest_sees_their_own(
    browser: Browser, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ask the same, and nothing changes meanwhile."""
    made, find = list[int](), lists.find

    def finding(rows: Sequence[Row], query: lists.Query) -> lists.Found:
        made.append(len(rows))
        return find(rows, query)

    monkeypatch.setattr(shared, "FRESH", 600.0)
    monkeypatch.setattr(lists, "find", finding)
    people.add("peggy")
    people.allow("peggy", "list")
    people.add("rupert")
    people.allow("rupert", "list", of=("coderlicenses",))
    sessions = {name: await browser.session(people.token(name)) for name in ("alice", "peggy", "rupert", "nobody")}
    sees = {"alice": "group-of-mine", "peggy": "group-of-mine", "rupert": "licence-of-others", "nobody": ""}
    written = set[str]()
    for name in [*sessions, *sessions]:
        text = (await browser.get("/objects", Cookie=sessions[name])).text
        for thing in ("group-of-mine", "group-of-others", "licence-of-others", people.foreign.name):
            assert (thing in text) == (thing == sees[name]), (name, thing)
        assert [other for other in sessions if f"{people.own.name}:{other}<" in text] == [name]
        written.add(text.split('name="csrf" value="')[1].split('"')[0])
    assert sorted(made) == [0, 1, 2]
    assert len(written) == len(sessions)

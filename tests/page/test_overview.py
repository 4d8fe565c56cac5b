"""The first page: is Coder well?"""

from __future__ import annotations

import re
from datetime import timedelta

import httpx2
import pytest

from coder_enterprise.controller.queue import Priority
from coder_enterprise.kinds.machinery import moments
from coder_enterprise.kinds.machinery.connection import ANSWERS, Part
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page.bars import segments
from coder_enterprise.page.cards import cards
from coder_enterprise.page.rows import Rows, State
from coder_enterprise.page.sight import Sight
from coder_enterprise.page.strips import strip
from coder_enterprise.page.terms import term
from tests.support.page import Shown, condition

STALLED = [condition("Ready", "False", "Refused", "422: the name is taken"), condition("Stalled", "True", "Refused")]
PROXY = Part("proxies", "eu")
Sees = dict[str, frozenset[str] | None]


async def test_each_deployment_says_how_it_is(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.deployment("east", status={"version": "v2.37.1", "replicasHealthy": "2/3"})
    shown.deployment("west", conditions=[condition("Ready", "False", "Unreachable", "connection refused")])
    text = (await page.get("/")).text
    assert text.index("team/<b>west</b>") < text.index("team/<b>east</b>"), "what is not well comes first"
    assert "connection refused" in text
    assert "v2.37.1" in text
    assert "2/3" in text


@pytest.mark.parametrize(
    ("names", "said"),
    [((), "All is well"), (("a",), "1 object needs a person"), (("a", "b"), "2 objects need a person")],
)
async def test_the_headline_is_the_answer(
    shown: Shown, page: httpx2.AsyncClient, names: tuple[str, ...], said: str
) -> None:
    shown.deployment()
    for name in names:
        shown.put("CoderGroup", name, conditions=STALLED)
    assert said in (await page.get("/")).text


async def test_without_any_object_it_says_how_to_begin(page: httpx2.AsyncClient) -> None:
    assert "Nothing is declared yet" in (await page.get("/")).text


async def test_counts_lead_to_the_list_of_what_they_count(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.deployment()
    shown.put("CoderGroup", "a", conditions=STALLED)
    shown.put("CoderGroup", "b")
    text = (await page.get("/")).text
    links = re.findall(r'<a href="(/objects\?[^"]+)" class="count">', text)
    assert "/objects?deployment=team%2Fcoder&amp;state=stalled" in links
    assert "/objects?kind=CoderGroup&amp;state=ready" in links
    for link in links:
        assert "data-row" in (await page.get(link.replace("&amp;", "&"))).text


async def test_a_proxy_is_shown_with_its_last_hours_declared_or_not(shown: Shown, page: httpx2.AsyncClient) -> None:
    key = shown.deployment().key
    shown.put("CoderWorkspaceProxy", "eu", status={"health": {"status": "unreachable", "errors": ["i/o timeout"]}})
    shown.history.note(key, {ANSWERS: "ok", PROXY: "unreachable", Part("proxies", "primary"): "ok"})
    text = (await page.get("/")).text
    assert "/objects/coderworkspaceproxies/team/eu" in text
    assert "i/o timeout" in text
    assert "primary" in text
    assert text.count("bar strip") == 3


async def test_a_proxy_is_named_to_who_may_list_what_declares_it_and_others_are_counted(shown: Shown) -> None:
    key = shown.deployment().key
    for name, namespace in (("eu", "team"), ("us", "others")):
        spec, status = {"deploymentRef": {"namespace": "team"}}, {"health": {"status": "ok"}}
        shown.put("CoderWorkspaceProxy", name, namespace, spec=spec, status=status)
    shown.history.note(key, {PROXY: "ok", Part("proxies", "us"): "ok", Part("proxies", "by-hand"): "ok"})
    everything: Sees = {names.kind: None for names in shown.view.kinds}
    nowhere, team = frozenset[str](), frozenset({"team"})
    assert _proxies(shown, everything) == (["by-hand", "eu", "us"], 0)
    assert _proxies(shown, everything | {"CoderWorkspaceProxy": team}) == (["eu"], 2)
    assert _proxies(shown, everything | {"CoderWorkspaceProxy": nowhere}) == ([], 3)
    assert _proxies(shown, everything | {"CoderGroup": team}) == (["eu", "us"], 1)


def _proxies(shown: Shown, sees: Sees) -> tuple[list[str], int]:
    see = Sight(sees)
    table = Rows(shown.view).table()
    rows = [row for row in table.notable.values() if see.sees(row.key)]
    (card,) = cards(shown.view, see, rows, table.tally, lambda _: None)
    return [proxy.name for proxy in card.proxies], card.other_proxies


async def test_it_says_how_many_objects_are_in_the_queue(shown: Shown, page: httpx2.AsyncClient) -> None:
    key = shown.deployment().key
    shown.queue.close(key)
    for name in ("a", "b", "c"):
        shown.queue.add(Key("CoderGroup", "team", name), key, Priority.USER)
    assert "<dt>Objects queued</dt><dd>3</dd>" in (await page.get("/")).text


async def test_of_what_another_replica_works_for_it_names_no_queue(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.elsewhere.add(shown.deployment().key)
    assert "<dt>Objects queued</dt>" not in (await page.get("/")).text


def test_a_strip_ends_now_and_shows_what_was_not_well(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    key, now = shown.deployment().key, moments.present()
    for minutes, state in ((360, "ok"), (357, "unreachable"), (354, "ok"), (350, "ok"), (1, "ok")):
        at = now - timedelta(minutes=minutes)
        monkeypatch.setattr(moments, "present", lambda at=at: at)
        shown.history.note(key, {PROXY: state})
    monkeypatch.setattr(moments, "present", lambda: now)
    found = strip(shown.history.runs(key, PROXY))
    assert [each.state for each in found.stretches] == ["ready", "stalled", "ready", "ground", "ready"]
    assert found.stretches[0].start == pytest.approx(50)
    assert found.stretches[-1].start + found.stretches[-1].width == pytest.approx(100, abs=0.1)


def test_a_bar_is_whole_and_few_are_seen_beside_many() -> None:
    found = segments({State.READY: 9_999, State.STALLED: 1}, kind="CoderGroup")
    assert sum(each.width for each in found) == pytest.approx(100, abs=0.1)
    assert found[-1].width > 1
    assert segments({}) == []


@pytest.mark.parametrize(
    ("days", "grace", "state", "spans"),
    [
        (200, 230, "covered", ["covered", "soon", "grace"]),
        (20, None, "soon", ["soon"]),
        (-5, 25, "grace", ["grace"]),
        (-5, None, "over", []),
    ],
)
def test_the_days_of_a_licence_are_a_bar(days: int, grace: int | None, state: str, spans: list[str]) -> None:
    ends = timestamp(moments.present() + timedelta(days=days))
    until = timestamp(moments.present() + timedelta(days=grace)) if grace else None
    other = {"expiresAt": timestamp(moments.present()), "graceUntil": timestamp(moments.present())}
    found = term({"valid": True, "expiresAt": ends}, [other, {"expiresAt": ends, "graceUntil": until}])
    assert found is not None
    assert found.state == state
    assert [span.name for span in found.spans] == spans
    assert sum(span.width for span in found.spans) <= 100.1


def test_a_licence_without_an_end_has_no_bar() -> None:
    assert term({}, []) is None
    assert term({"expiresAt": "never"}, []) is None

"""What people do on the page: with their own rights, as Kubernetes itself sees it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from structlog.testing import capture_logs

from coder_enterprise.kinds.machinery.resource import RECONCILE_REQUESTED_AT
from coder_enterprise.page import acts
from coder_enterprise.page.access.modes import Mode
from tests.support.kubernetes import Body
from tests.support.page import Served, Shown
from tests.support.people import Browser, People
from tests.support.waiting import TIMEOUT, wait_for


def platform(people: People) -> str:
    return f"/objects/codergroups/{people.own.name}/platform"


def spec(people: People) -> Body:
    found: Body = people.own.get("CoderGroup", "platform").get("spec", {})
    return found


async def test_who_may_change_an_object_is_offered_to_act_on_it(browser: Browser, people: People) -> None:
    session = await browser.session(people.token("alice"))
    text = (await browser.get(platform(people), Cookie=session)).text
    assert f'formaction="{platform(people)}/reconcile"' in text
    assert f'formaction="{platform(people)}/suspend"' in text


async def test_who_may_only_look_is_offered_nothing_and_can_do_nothing(browser: Browser, people: People) -> None:
    people.add("dave")
    people.allow("dave", "get", "list")
    session = await browser.session(people.token("dave"))
    assert "formaction" not in (await browser.get(platform(people), Cookie=session)).text
    before = people.own.get("CoderGroup", "platform")
    with capture_logs() as logs:
        answer = await browser.post(f"{platform(people)}/reconcile", session, csrf=await browser.csrf(session))
    assert answer.status_code == 403
    assert people.own.get("CoderGroup", "platform") == before
    assert [(each["act"], each["outcome"]) for each in logs if "act" in each] == [("reconcile", "refused")]


async def test_an_act_is_sent_as_the_person_and_noted_with_their_name(browser: Browser, people: People) -> None:
    session = await browser.session(people.token("alice"))
    with capture_logs() as logs:
        answer = await browser.post(f"{platform(people)}/reconcile", session, csrf=await browser.csrf(session))
    assert (answer.status_code, answer.headers["Location"]) == (303, platform(people))
    assert RECONCILE_REQUESTED_AT in people.own.get("CoderGroup", "platform")["metadata"]["annotations"]
    (note,) = (each for each in logs if "act" in each)
    assert (note["act"], note["outcome"], note["user"]) == ("reconcile", "done", people.user("alice"))
    assert note["object"] == f"CoderGroup/{people.own.name}/platform"
    assert people.token("alice") not in json.dumps(logs, default=str)
    lines = people.own.plane.audit_log.read_text().splitlines()
    patches = [
        entry["user"]["username"]
        for entry in map(json.loads, lines)
        if entry["verb"] == "patch" and (entry.get("objectRef") or {}).get("namespace") == people.own.name
    ]
    assert people.user("alice") in patches
    assert people.user("page") not in patches


async def test_an_answer_waits_for_the_operator_to_hear_of_what_was_done(
    browser: Browser, people: People, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "HEARD", TIMEOUT)
    session = await browser.session(people.token("alice"))
    csrf, before = await browser.csrf(session), people.own.get("CoderGroup", "platform")
    answer = asyncio.create_task(browser.post(f"{platform(people)}/reconcile", session, csrf=csrf))
    await wait_for(lambda: people.own.get("CoderGroup", "platform") != before, "it is asked for")
    assert not answer.done()
    shown.put("CoderGroup", "platform", people.own.name)
    assert (await answer).status_code == 303


async def test_an_object_is_suspended_with_an_end_and_resumed(browser: Browser, people: People) -> None:
    session = await browser.session(people.token("alice"))
    csrf = await browser.csrf(session)
    assert (await browser.post(f"{platform(people)}/suspend", session, csrf=csrf, hours="4")).status_code == 303
    until = datetime.fromisoformat(spec(people)["suspendUntil"])
    assert timedelta(hours=3) < until - datetime.now(UTC) <= timedelta(hours=4)
    assert (await browser.post(f"{platform(people)}/resume", session, csrf=csrf)).status_code == 303
    assert "suspendUntil" not in spec(people)


@pytest.mark.parametrize("hours", ["", "0", "99999", "for ever"])
async def test_nothing_is_suspended_for_ever(browser: Browser, people: People, hours: str) -> None:
    session = await browser.session(people.token("alice"))
    csrf, before = await browser.csrf(session), spec(people)
    assert (await browser.post(f"{platform(people)}/suspend", session, csrf=csrf, hours=hours)).status_code == 400
    assert spec(people) == before


async def test_a_form_of_somebody_else_does_nothing(browser: Browser, people: People) -> None:
    session, other = [await browser.session(people.token(name)) for name in ("alice", "nobody")]
    before = people.own.get("CoderGroup", "platform")
    for csrf in ("", "guess", await browser.csrf(other)):
        assert (await browser.post(f"{platform(people)}/reconcile", session, csrf=csrf)).status_code == 403
    assert people.own.get("CoderGroup", "platform") == before


async def test_no_other_site_acts_with_somebodys_session(browser: Browser, people: People) -> None:
    session = await browser.session(people.token("alice"))
    form = {"csrf": await browser.csrf(session)}
    for said in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}):
        headers = {"Cookie": session, **said}
        assert (await browser.http.post(f"{platform(people)}/reconcile", headers=headers, data=form)).status_code == 403


async def test_what_somebody_does_not_see_is_not_there_for_their_acts(browser: Browser, people: People) -> None:
    session = await browser.session(people.token("alice"))
    csrf = await browser.csrf(session)
    for path in (f"codergroups/{people.foreign.name}/platform", f"codergroups/{people.foreign.name}/nothing"):
        answer = await browser.post(f"/objects/{path}/reconcile", session, csrf=csrf)
        assert answer.status_code == 404
        assert people.foreign.name not in answer.text


async def test_a_program_acts_with_its_token(browser: Browser, people: People) -> None:
    headers = {"Authorization": f"Bearer {people.token('alice')}"}
    answer = await browser.http.post(f"{platform(people)}/reconcile", headers=headers)
    assert answer.status_code == 303


async def test_where_acts_are_off_there_are_none(shown: Shown, people: People) -> None:
    shown.put("CoderGroup", "platform", people.own.name)
    headers = {"Authorization": f"Bearer {people.token('alice')}"}
    async with (
        Served(shown, await people.cluster(), mode=Mode.KUBERNETES) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, headers=headers) as http,
    ):
        assert "formaction" not in (await http.get(platform(people))).text
        assert (await http.post(f"{platform(people)}/reconcile")).status_code == 404

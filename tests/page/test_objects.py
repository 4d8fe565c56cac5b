"""The page of one object: how it stands, in words first, and all that explains it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx2

from coder_enterprise.controller.events import Sent
from coder_enterprise.kinds.machinery.explanations import EXPLANATIONS
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.support.page import Shown, condition

URL = "/objects/codergroups/team/platform"
REFUSED = [condition("Ready", "False", "Refused", "422: the name is taken"), condition("Stalled", "True", "Refused")]


async def test_it_says_how_the_object_stands_and_what_to_do(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderGroup", "platform", conditions=REFUSED)
    text = (await page.get(URL)).text
    assert "Needs a person" in text
    assert "422: the name is taken" in text
    assert EXPLANATIONS[Reason.REFUSED].advice in text


async def test_a_ready_object_tells_what_else_is_not_well(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderGroup", "platform", conditions=[condition(), condition("Synced", "False", "Drifted", "2 differ")])
    text = (await page.get(URL)).text
    assert "<b>Synced</b> is not well" in text
    assert "2 differ" in text


async def test_pending_changes_are_a_diff(shown: Shown, page: httpx2.AsyncClient) -> None:
    changes = [{"path": "spec.quotaAllowance", "from": "5", "to": "40"}, {"path": "spec.members", "to": "ada"}]
    shown.put("CoderGroup", "platform", status={"pendingChanges": changes})
    text = (await page.get(URL)).text
    found = re.findall(r'class="line (\w+)"><span class="sign">[^<]*</span><bdi>([^<]*)</bdi>', text)
    assert found == [("minus", "5"), ("plus", "40"), ("plus", "ada")]


async def test_spec_and_status_are_yaml(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderGroup", "platform", spec={"members": {"users": ["ada"]}}, status={"memberCount": 1})
    text = (await page.get(URL)).text
    assert "members:\n  users:\n  - ada\n" in text
    assert "memberCount: 1\n" in text
    assert "lastTransitionTime" not in text


async def test_a_long_list_is_cut_in_the_yaml(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderGroup", "platform", spec={"members": {"users": [f"user-{number}" for number in range(1000)]}})
    text = (await page.get(URL)).text
    assert "… and 900 more" in text
    assert "user-999" not in text


async def test_events_that_cannot_be_read_are_shown_how_to_read(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderGroup", "platform")
    assert "kubectl events --namespace team --for codergroup/platform" in (await page.get(URL)).text


async def test_where_events_cannot_be_read_those_are_shown_that_the_operator_has_sent(
    shown: Shown, page: httpx2.AsyncClient
) -> None:
    key = shown.put("CoderGroup", "platform").key
    shown.sent[key] = [Sent(True, "Conflict", "<b>taken</b>", datetime(2026, 1, 2, tzinfo=UTC), 3)]
    text = (await page.get(URL)).text.partition('id="events"')[2].partition("</section>")[0]
    assert "Conflict" in text
    assert "&lt;b&gt;taken" in text
    assert "3 times" in text
    assert "Sent by the operator since it started" in text
    assert "kubectl events" in text


async def test_an_object_that_is_not_there_tells_who_waits_for_it(shown: Shown, page: httpx2.AsyncClient) -> None:
    shown.put("CoderTemplateACL", "python", spec={"template": {"name": "python"}, "groups": [GROUP]})
    answer = await page.get(URL)
    assert answer.status_code == 404
    assert "/objects/codertemplateacls/team/python" in answer.text


async def test_what_is_no_page_is_said_in_words(page: httpx2.AsyncClient) -> None:
    for path in ("/nowhere", "/objects/pods/team/one"):
        answer = await page.get(path)
        assert answer.status_code == 404
        assert "There is no such page" in answer.text


GROUP = {"groupRef": {"name": "platform"}, "role": "use"}

"""Visits of a workspace proxy: a token that is made, rotated, lost, and never dead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from coder_enterprise.kinds.machinery.base import Context, Progress, Verdict
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import ROTATE_TOKEN_AT
from coder_enterprise.kinds.proxy import workload_body
from coder_enterprise.kinds.proxy.standing import AT_ONCE
from coder_enterprise.kinds.proxy.token import fingerprint
from tests.kinds.proxy.builders import KIND, Coder, Killed, Mortal, Points, resource, spec
from tests.support.beside import Beside
from tests.support.manifests import workload
from tests.support.scripted import Scripted


class Visits:
    """What the engine does with the kind, one visit after the other; status outlives the operator."""

    def __init__(self, context: Context, **declared: Any) -> None:
        self.context = context
        self.spec = spec(**declared)
        self.item = resource()
        self.changes: list[Change] = []
        self.verdict = Verdict()

    def _record(self, fields: Mapping[str, Any]) -> None:
        status = {**self.item.status, **fields}
        self.item = replace(self.item, status={name: value for name, value in status.items() if value is not None})

    async def visit(self) -> None:
        seen = await KIND.observe(self.context, self.item, self.spec, fresh=True)
        self.changes = KIND.plan(self.spec, seen, self.item.status)
        if self.changes:
            self._record(KIND.intent(self.spec, self.changes, self.item.status))
            seen = await KIND.apply(self.context, self.spec, replace(seen, resource=self.item), self.changes)
        self.verdict = KIND.verdict(self.spec, seen)
        self._record(KIND.report(self.spec, seen, self.changes, self.item.status))

    async def settle(self) -> None:
        """Until nothing is left to do."""
        for _ in range(5):
            await self.visit()
            if not self.changes:
                return
        raise AssertionError(f"it does not come to rest: {self.changes}")


def token_in(beside: Beside) -> str:
    return beside.secrets["team", "eu-token"]["CODER_PROXY_SESSION_TOKEN"]


@pytest.mark.parametrize("shows", ["body", "header"])
@pytest.mark.parametrize("kill_at", range(9))
async def test_a_crash_at_any_point_of_making_or_rotating_leaves_one_proxy_and_its_present_token(
    server: Scripted, context: Context, points: Points, beside: Mortal, kill_at: int, shows: str
) -> None:
    coder = Coder(server, shows)
    visits = Visits(context)
    for round_ in ("made", "rotated"):
        points.passed, points.kill_at = 0, kill_at
        try:
            await visits.visit()
            assert kill_at >= 6, "making and rotating have three writes, and two points each"
        except Killed:
            context.directory.expire()
        points.kill_at = None
        await visits.settle()
        [proxy_id] = coder.proxies
        assert token_in(beside) == coder.tokens[proxy_id], round_
        assert visits.item.status["tokenFingerprint"] == fingerprint(token_in(beside))
        visits.item = replace(visits.item, annotations={ROTATE_TOKEN_AT: "now"})
    assert token_in(beside) not in json.dumps(visits.item.status)


async def test_old_servers_get_all_four_fields_with_a_rotation(server: Scripted, context: Context) -> None:
    coder = Coder(server)
    visits = Visits(context, adoptionPolicy="Adopt")
    proxy_id = coder.add("eu")
    visits.item = resource({"id": proxy_id})
    await visits.settle()
    assert coder.requests == [
        {
            "id": proxy_id,
            "name": "eu",
            "display_name": "eu",
            "icon": "/emojis/1f310.png",
            "regenerate_token": True,
        }
    ]


async def test_what_coder_has_is_sent_back_where_spec_says_nothing(server: Scripted, context: Context) -> None:
    coder = Coder(server)
    visits = Visits(context, displayName="Europe")
    await visits.settle()
    [proxy_id] = coder.proxies
    coder.proxies[proxy_id] |= {"display_name": "by hand", "icon_url": "/by-hand.png"}
    await visits.settle()
    [request] = coder.requests
    assert (request["display_name"], request["icon"], request["regenerate_token"]) == ("Europe", "/by-hand.png", False)


async def test_a_server_that_shows_no_token_is_asked_once_and_said(
    server: Scripted, context: Context, beside: Mortal
) -> None:
    coder = Coder(server, "nowhere")
    visits = Visits(context, workload=workload())
    await visits.settle()
    assert (visits.verdict.progress, visits.verdict.reason) == (Progress.STALLED, Reason.TOKEN_NOT_SHOWN)
    assert coder.requests == []
    assert beside.workloads == {}
    beside.secrets["team", "eu-token"]["CODER_PROXY_SESSION_TOKEN"] = "by hand"
    await visits.settle()
    assert token_in(beside) == "by hand"
    assert visits.verdict.reason == Reason.NOT_REGISTERED
    assert list(beside.workloads) == [("team", "eu-wsproxy")]


async def test_nothing_is_asked_of_coder_for_a_secret_that_cannot_be_written(
    server: Scripted, context: Context, beside: Mortal, points: Points
) -> None:
    coder = Coder(server)
    visits = Visits(context)
    points.kill_at = 0
    with pytest.raises(Killed):
        await visits.visit()
    assert coder.proxies == {}


async def test_the_workload_follows_the_token_at_once(server: Scripted, context: Context, beside: Mortal) -> None:
    Coder(server)
    visits = Visits(context, workload=workload())
    await visits.visit()
    assert visits.verdict.revisit == AT_ONCE
    assert beside.workloads == {}
    await visits.visit()
    assert [str(change) for change in visits.changes] == ["create Deployment eu-wsproxy"]
    body = beside.workloads["team", "eu-wsproxy"]
    annotations = body["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {workload_body.TOKEN_CHECKSUM: fingerprint(token_in(beside))}
    assert token_in(beside) not in json.dumps(body)


async def test_a_new_name_that_another_proxy_has_is_not_even_asked_for(server: Scripted, context: Context) -> None:
    """Coder answers 500 to that."""
    coder = Coder(server)
    visits = Visits(context)
    await visits.settle()
    coder.add("US")
    visits.spec = spec(name="us")
    with pytest.raises(KindError, match="belongs to another workspace proxy") as raised:
        await visits.visit()
    assert raised.value.reason == Reason.ALREADY_EXISTS
    assert coder.requests == []

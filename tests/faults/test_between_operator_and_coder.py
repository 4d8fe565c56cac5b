"""What a network, a gateway or a busy Coder does to the operator's requests: with a proxy between two real processes.

A group is edited while the fault strikes, in the middle of what the operator does about it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Final

import pytest
from aiohttp import web

from tests.support import api_server
from tests.support.api_server import text
from tests.support.fault_proxy import (
    Fault,
    FaultProxy,
    answering,
    in_turn,
    late,
    lost,
    reset,
    trickling,
    truncated,
)
from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, group, members
from tests.support.waiting import PATIENCE
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess

GROUP: Final = "CoderGroup"
numbers: Final = itertools.count(1)

pytestmark = pytest.mark.usefixtures("between")


class Stage:
    """One group, which is made, then changed, then deleted."""

    def __init__(self, space: Namespace, people: CoderAPI, proxy: FaultProxy, operator: OperatorProcess) -> None:
        self.name = f"team-{next(numbers)}"
        self.space = space
        self.people = people
        self.proxy = proxy
        self.operator = operator

    def survive(self, fault: Fault, concerned: Callable[[web.Request], bool], *, times: int = 2) -> None:
        """At each of the three the fault strikes, and what is declared comes true."""
        for change in (self.make, self.change, self.delete):
            self.proxy.inject(fault, concerned, times=times)
            change()
            assert self.proxy.hurt, "the fault has struck"
        self.proxy.heal()
        assert self.operator.process.exit_code is None

    def make(self) -> None:
        self.space.apply(group(self.name, displayName="One", members=members("ann")))
        self.space.wait_for(GROUP, self.name, "Applied", timeout=PATIENCE)
        assert [(body["display_name"], len(body["members"])) for body in self.found()] == [("One", 1)]

    def change(self) -> None:
        self.space.apply(group(self.name, displayName="Two", members=members()))
        self.space.wait_for(GROUP, self.name, "Applied", timeout=PATIENCE)
        assert [(body["display_name"], body["members"]) for body in self.found()] == [("Two", [])]

    def delete(self) -> None:
        self.space.delete(GROUP, self.name)
        self.space.wait_until_gone(GROUP, self.name, PATIENCE)
        assert self.found() == []

    def found(self) -> list[Body]:
        """In Coder, as often as it is there."""
        return [body for body in self.people.groups() if body["name"] == self.name]


@pytest.fixture
def stage(space: Namespace, people: CoderAPI, to_coder: FaultProxy, between: OperatorProcess) -> Stage:
    return Stage(space, people, to_coder, between)


def writes(request: web.Request) -> bool:
    return request.method != "GET"


def anything(_: web.Request) -> bool:
    return True


@fault(
    name="Coder is slow",
    injected="Between operator and Coder, each answer comes 100 ms late.",
    verdict="All is done, and once.",
)
def test_late_answers_are_waited_for(stage: Stage) -> None:
    stage.survive(late(0.1), anything, times=1000)


@fault(
    name="connections to Coder are reset",
    injected="Between operator and Coder, each request is cut before Coder hears of it, three times in a row.",
    verdict="It is asked again, and all is done, and once.",
)
def test_resets_are_survived(stage: Stage) -> None:
    stage.survive(reset, anything, times=3)


@fault(
    name="answers of Coder are lost",
    injected="Coder does what it is asked to write, and the connection is cut before it answers.",
    verdict="What was done is found, and not done twice; nothing is left over when the object is deleted.",
)
def test_a_write_whose_answer_is_lost_is_not_done_twice(stage: Stage) -> None:
    stage.survive(lost, writes, times=1)


@fault(
    name="answers of Coder are cut in half",
    injected="Between operator and Coder, half of each answer comes, and then the connection is cut; twice.",
    verdict="Half an answer is none: it is asked again, and all is done, and once.",
)
def test_half_an_answer_is_none(stage: Stage) -> None:
    stage.survive(truncated, anything)


@fault(
    name="answers of Coder trickle",
    injected="Between operator and Coder, the bodies come in ten pieces, 10 ms apart.",
    verdict="All is done, and once.",
)
def test_slow_bodies_are_read_to_their_end(stage: Stage) -> None:
    stage.survive(trickling(0.01), anything, times=1000)


@fault(
    name="Coder fails",
    injected="Between operator and Coder, requests that write are answered with 500, 502 and 503.",
    verdict="It is tried again, and all is done, and once.",
)
def test_failures_are_tried_again(stage: Stage) -> None:
    failures = [answering(text("<html>Bad Gateway</html>", status)) for status in (500, 502, 503)]
    stage.survive(in_turn(*failures), writes)


@fault(
    name="Coder is busy, and says for how long",
    injected="Between operator and Coder, requests that write are answered with 429 and Retry-After.",
    verdict="It waits as long as it is told to, and all is done, and once.",
)
def test_a_busy_coder_is_asked_when_it_said(stage: Stage) -> None:
    stage.survive(answering(api_server.status(429, {"message": "slow down"}, Retry_After="1")), writes, times=1)


@fault(
    name="Coder is busy, and does not say for how long",
    injected="Between operator and Coder, a request that writes is answered with 429 without Retry-After.",
    verdict="It waits some seconds, and all is done, and once.",
)
def test_a_busy_coder_is_asked_later(stage: Stage) -> None:
    stage.proxy.inject(answering(api_server.status(429, {"message": "slow down"})), writes, times=1)
    stage.make()


@fault(
    name="Coder answers nonsense",
    injected="A login page, half of a JSON object, and a JSON array answer requests that write, as if all were well.",
    verdict="Nothing of it is believed, a deletion least of all; in the end all is done, and once.",
)
def test_nonsense_is_not_believed(stage: Stage) -> None:
    bodies = ['{"id": "0', "[]", "<html>Please log in</html>"]
    stage.survive(in_turn(*(answering(text(body, 200, "application/json")) for body in bodies)), writes, times=1)


@fault(
    name="something else answers a deletion",
    injected="A deletion is answered with nothing, an empty object, or that of another API, as if all were well.",
    verdict="It is not believed, and sent again.",
)
@pytest.mark.parametrize("body", ["", "{}", '{"ok": true}'])
def test_a_deletion_that_coder_does_not_confirm_is_not_believed(stage: Stage, body: str) -> None:
    stage.make()
    stage.proxy.inject(answering(text(body, 200, "application/json")), writes, times=1)
    stage.delete()
    assert stage.proxy.hurt


@fault(
    name="Coder answers some requests, and others not",
    injected="Between operator and Coder, a third of all requests is cut, by chance, until all is done.",
    verdict="All is done, and once.",
)
def test_any_request_may_fail(stage: Stage) -> None:
    chance = random.Random(7)
    stage.proxy.inject(reset, lambda _: chance.random() < 1 / 3)
    stage.make()
    stage.change()
    assert stage.proxy.hurt


def test_the_deployment_says_that_it_is_connected_again(stage: Stage) -> None:
    stage.proxy.inject(reset)
    stage.space.annotate("CoderDeployment", "coder", reconcile_requested_at=stage.name)
    stage.space.wait_for("CoderDeployment", "coder", "Unreachable")
    stage.proxy.heal()
    stage.space.wait_for("CoderDeployment", "coder", "Connected")

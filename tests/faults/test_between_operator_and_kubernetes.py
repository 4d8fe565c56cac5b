"""What networks, load balancers and a busy API server do to the operator: a proxy between two real processes."""

from __future__ import annotations

import itertools
import random
from typing import Final

import pytest
from aiohttp import web

from tests.support import api_server
from tests.support.fault_proxy import (
    Fault,
    FaultProxy,
    answering,
    brief,
    changed,
    in_pairs_backwards,
    in_turn,
    late,
    lost,
    reset,
    stale,
    trickling,
    truncated,
    twice,
)
from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import group, members
from tests.support.waiting import PATIENCE, wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess

GROUP: Final = "CoderGroup"
COUNT: Final = 4
numbers: Final = itertools.count(1)


class Stage:
    """Some groups, which are made, then changed, then deleted."""

    def __init__(self, space: Namespace, people: CoderAPI, proxy: FaultProxy, operator: OperatorProcess) -> None:
        number = next(numbers)
        self.names = [f"crew-{number}-{each}" for each in range(COUNT)]
        self.space = space
        self.people = people
        self.proxy = proxy
        self.operator = operator

    def live(self) -> None:
        self.show("One", "ann")
        self.show("Two")
        for name in self.names:
            self.space.delete(GROUP, name)
        for name in self.names:
            self.space.wait_until_gone(GROUP, name, PATIENCE)
        wait_until(lambda: not self.found(), "nothing is left in Coder", PATIENCE)
        assert self.operator.process.exit_code is None

    def show(self, title: str, *users: str) -> None:
        self.space.apply(*(group(name, displayName=title, members=members(*users)) for name in self.names))
        for name in self.names:
            self.space.wait_for(GROUP, name, "Applied", timeout=PATIENCE)
        shown = [(title, len(users))] * COUNT
        wait_until(lambda: self.found() == shown, f"each group is there once, with {shown[0]}", PATIENCE)

    def found(self) -> list[tuple[str, int]]:
        groups = [body for body in self.people.groups() if body["name"] in self.names]
        return [(body["display_name"], len(body["members"])) for body in groups]

    def watch_anew(self, fault: Fault) -> None:
        """With that fault in each watch."""
        self.proxy.inject(fault, watches)
        self.proxy.cut()
        wait_until(lambda: self.proxy.hurt, "a watch has met it")


@pytest.fixture
def stage(space: Namespace, people: CoderAPI, to_kubernetes: FaultProxy, between: OperatorProcess) -> Stage:
    return Stage(space, people, to_kubernetes, between)


def watches(request: web.Request) -> bool:
    return request.query.get("watch") == "true"


def writes(request: web.Request) -> bool:
    return request.method != "GET" and "/leases" not in request.path


def requests(request: web.Request) -> bool:
    return not watches(request)


def conflict() -> Fault:
    body = {"kind": "Status", "status": "Failure", "reason": "Conflict", "message": "it was modified", "code": 409}
    return answering(api_server.status(409, body))


@fault(
    name="the API server is slow",
    injected="Between operator and API server, each answer comes 100 ms late, and in ten pieces.",
    verdict="All is done, and once.",
)
def test_a_slow_api_server_is_waited_for(stage: Stage) -> None:
    stage.proxy.inject(in_turn(late(0.1), trickling(0.01)), requests)
    stage.live()


@fault(
    name="connections to the API server break",
    injected="Between operator and API server, every fourth request is cut before it is heard, and every other fourth "
    "in the middle of its answer.",
    verdict="All is done, and once; the operator does not end.",
)
def test_resets_are_survived(stage: Stage) -> None:
    turn = itertools.count()
    stage.proxy.inject(in_turn(reset, truncated), lambda request: requests(request) and next(turn) % 4 == 0)
    stage.live()


@fault(
    name="answers of the API server are lost",
    injected="The API server does what it is asked to write, and the connection is cut before it answers: each third "
    "time.",
    verdict="What was done is found: nothing is made twice, and nothing is left over.",
)
def test_a_write_whose_answer_is_lost_is_survived(stage: Stage) -> None:
    turn = itertools.count()
    stage.proxy.inject(lost, lambda request: writes(request) and next(turn) % 3 == 0)
    stage.live()


@fault(
    name="the API server is busy, or fails",
    injected="Between operator and API server, every third request is answered with 429, 500 or 503.",
    verdict="It is asked again, and all is done, and once.",
)
def test_a_busy_api_server_is_asked_again(stage: Stage) -> None:
    turn = itertools.count()
    answers = [
        answering(api_server.status(429, Retry_After="1")),
        answering(api_server.status(500)),
        answering(api_server.status(503)),
    ]
    stage.proxy.inject(in_turn(*answers), lambda request: requests(request) and next(turn) % 3 == 0)
    stage.live()


@fault(
    name="a storm of conflicts",
    injected="A third of all writes to objects is answered with 409, by chance, as when many change them at once.",
    verdict="All is done, and once.",
)
def test_conflicts_are_survived(stage: Stage) -> None:
    chance = random.Random(7)
    stage.proxy.inject(conflict(), lambda request: writes(request) and chance.random() < 1 / 3)
    stage.live()


@fault(
    name="events of a watch come twice, late and out of order",
    injected="In the watches, each event comes twice; or after each the one before again; or in pairs, backwards.",
    verdict="What is newest counts: all is done, and once.",
)
def test_events_that_repeat_or_overtake_each_other_are_survived(stage: Stage) -> None:
    stage.watch_anew(in_turn(changed(twice), changed(stale), changed(in_pairs_backwards)))
    stage.live()


@fault(
    name="a storm of 410",
    injected="Each watch is answered with 410 Gone, in the answer or as an event, and is asked for anew.",
    verdict="Its lists tell what changed: all is done, and once.",
)
def test_watches_that_are_gone_are_survived(stage: Stage) -> None:
    gone = api_server.lines(b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n')
    stage.watch_anew(in_turn(answering(gone), answering(api_server.status(410))))
    stage.live()


@fault(
    name="a storm of disconnections",
    injected="Every watch is cut before it begins, or after 300 ms, while objects are made, changed and deleted.",
    verdict="All is done, and once.",
)
def test_watches_that_are_cut_are_survived(stage: Stage) -> None:
    stage.watch_anew(in_turn(reset, brief(0.3)))
    stage.live()

"""How each Coder was over the last hours, from what each probe noted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from coder_enterprise.controller.history import KEPT, MAX_PARTS, MAX_RUNS, SILENCE, History
from coder_enterprise.kinds.machinery import moments
from coder_enterprise.kinds.machinery.connection import ANSWERS, Part
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key

CODER: Final = Key("CoderDeployment", "team", "coder")
PROXY: Final = Part("proxy", "eu")
MINUTE: Final = timedelta(minutes=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def present(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(moments, "present", clock.present)
    return clock


def noted(history: History, clock: Clock, *states: str, every: timedelta = MINUTE) -> None:
    for state in states:
        history.note(CODER, {ANSWERS: "ok", PROXY: state} if state else {ANSWERS: "ok"})
        clock.now += every


def shown(history: History, part: Part = PROXY) -> list[tuple[str, float]]:
    """States, and for how many minutes."""
    return [(run.state, (run.until - run.since) / MINUTE) for run in history.runs(CODER, part)]


def test_what_stays_as_it_is_is_one_run(clock: Clock) -> None:
    history = History()
    noted(history, clock, "ok", "ok", "unhealthy", "ok")
    assert shown(history) == [("ok", 2), ("unhealthy", 1), ("ok", 1)]
    assert shown(history, ANSWERS) == [("ok", 4)]


def test_a_part_that_is_not_told_of_is_unknown_and_goes_in_time(clock: Clock) -> None:
    history = History()
    noted(history, clock, "ok", "")
    assert shown(history) == [("ok", 1), ("", 1)]
    noted(history, clock, *[""] * 125, every=SILENCE - MINUTE)
    assert history.parts(CODER) == [ANSWERS]


def test_a_time_in_which_nobody_asked_is_unknown(clock: Clock) -> None:
    history = History()
    noted(history, clock, "ok", every=2 * SILENCE)
    noted(history, clock, "ok")
    assert shown(history) == [("", SILENCE * 2 / MINUTE), ("ok", 1)]


def test_some_hours_are_kept_and_not_more(clock: Clock) -> None:
    history = History()
    noted(history, clock, "unhealthy", *["ok"] * 200, every=5 * MINUTE)
    assert shown(history) == [("ok", KEPT / MINUTE)]


def test_it_is_bounded_whatever_flaps(clock: Clock) -> None:
    history = History()
    noted(history, clock, *["ok", "unhealthy"] * MAX_RUNS, every=timedelta(seconds=1))
    assert len(shown(history)) == MAX_RUNS
    history.note(CODER, {Part("proxy", str(number)): "ok" for number in range(1000)})
    assert len(history.parts(CODER)) == MAX_PARTS


def test_of_a_deployment_that_is_gone_nothing_is_known(clock: Clock) -> None:
    history = History()
    noted(history, clock, "ok")
    history.forget(CODER)
    assert (history.parts(CODER), shown(history)) == ([], [])


def test_the_reason_of_a_probe_is_a_state(clock: Clock) -> None:
    history = History()
    history.note(CODER, {ANSWERS: Reason.UNREACHABLE})
    clock.now += MINUTE
    assert shown(history, ANSWERS) == [("Unreachable", 1)]

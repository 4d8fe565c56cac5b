"""Whose drift it was: what is asked of Coder's audit log, how often, and what is made of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest
import pytest_asyncio

from coder_enterprise.client import errors
from coder_enterprise.client.audit import AuditLog, AuditUser
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.culprits import MANY, MAX_QUESTIONS, PAUSE, REFUSED_FOR, Culprits, Question, culprit
from coder_enterprise.controller.journal import Journal
from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.resource import Key

CODER: Final = Key("CoderDeployment", "team", "coder")
NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
OURS: Final = "coder-enterprise/1.0.0"


def written(by: str, ago: float = 0, *, resource: str = "g1", agent: str = "", **fields: Any) -> AuditLog:
    """That many seconds ago."""
    return AuditLog(
        time=NOW - timedelta(seconds=ago),
        resource_type="group",
        resource_id=resource,
        user=AuditUser(username=by) if by else None,
        user_agent=agent or (OURS if by == "operator" else "Mozilla/5.0"),
        **{"action": "write", **fields},
    )


@pytest.mark.parametrize(
    ("logs", "who"),
    [
        ([written("operator"), written("eve", 5), written("bob", 90)], "eve"),
        ([written("operator"), written("operator", 1), written("eve", 5)], "eve"),
        ([written("eve", 5)], "eve"),
        ([written("operator"), written("operator", 900), written("eve", 950)], ""),
        ([written("operator"), written("operator", 5, agent="Mozilla/5.0")], "operator"),
        ([written("operator"), written("", 5)], "Coder itself"),
        ([written("operator")], ""),
        ([], ""),
    ],
    ids=[
        "before our correction",
        "which took two requests",
        "which is not in it",
        "after the correction before",
        "with our account and another program",
        "nobody",
        "it is not in the log",
        "nothing is",
    ],
)
def test_it_was_who_wrote_last_before_our_correction(logs: list[AuditLog], who: str) -> None:
    assert culprit(logs, "operator") == who


class Audit:
    """Of a Coder that is connected."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.answer: Callable[[], list[AuditLog]] = list
        self.features: dict[str, bool] = {"audit_log": True}

    async def search(self, query: str, limit: int) -> list[AuditLog]:
        self.asked.append((query, limit))
        return self.answer()

    def get(self, deployment: Key) -> Any:
        probe = SimpleNamespace(features=self.features, fields={"identity": {"username": "operator"}})
        return SimpleNamespace(client=SimpleNamespace(audit=self), probe=probe)


@pytest.fixture
def audit() -> Audit:
    return Audit()


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest_asyncio.fixture
async def culprits(audit: Audit, journal: Journal) -> AsyncIterator[Culprits]:
    yield Culprits(cast("Connections", audit), journal)


def drift(journal: Journal, culprits: Culprits, *ids: str) -> int:
    entry = journal.write(Key("CoderGroup", "team", ids[0]), CODER, Cause.DRIFT, [])
    culprits.ask(CODER, Question(entry.number, ids))
    return entry.number


async def answered(culprits: Culprits, seconds: float = PAUSE) -> None:
    """Within that time."""
    task = asyncio.create_task(culprits.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.looptime
async def test_one_drift_asks_about_its_thing_alone(audit: Audit, journal: Journal, culprits: Culprits) -> None:
    audit.answer = lambda: [written("operator"), written("eve", 5)]
    drift(journal, culprits, "g1")
    await answered(culprits)
    assert audit.asked == [("resource_id:g1", 25)]
    assert [entry.who for entry in journal.entries()] == ["eve"]


@pytest.mark.looptime
async def test_a_thousand_at_once_ask_once(audit: Audit, journal: Journal, culprits: Culprits) -> None:
    audit.answer = lambda: [written("eve", resource=f"g{number}") for number in range(1000)]
    for number in range(MAX_QUESTIONS + 10):
        drift(journal, culprits, f"g{number}")
    await answered(culprits, 60)
    assert audit.asked == [("", MANY)]
    assert sum(1 for entry in journal.entries() if entry.who == "eve") == 1000


@pytest.mark.looptime
async def test_what_is_asked_meanwhile_waits_for_its_turn(audit: Audit, journal: Journal, culprits: Culprits) -> None:
    async def asking() -> None:
        for number in range(100):
            drift(journal, culprits, f"g{number}")
            await asyncio.sleep(0.1)

    await asyncio.gather(asking(), answered(culprits, 12))
    assert len(audit.asked) == 2


@pytest.mark.looptime
async def test_a_token_that_may_not_read_it_is_not_used_for_it_for_an_hour(
    audit: Audit, journal: Journal, culprits: Culprits
) -> None:
    def refuse() -> list[AuditLog]:
        raise errors.Forbidden(403, "not you")

    audit.answer = refuse
    for pause in (PAUSE + 2, PAUSE + 2, REFUSED_FOR):
        drift(journal, culprits, "g1")
        await answered(culprits, pause)
    assert len(audit.asked) == 1
    drift(journal, culprits, "g1")
    await answered(culprits)
    assert len(audit.asked) == 2


@pytest.mark.looptime
async def test_without_the_feature_nothing_is_asked(audit: Audit, journal: Journal, culprits: Culprits) -> None:
    audit.features = {}
    drift(journal, culprits, "g1")
    await answered(culprits)
    assert audit.asked == []


@pytest.mark.looptime
async def test_who_did_what_to_a_member_is_found_by_the_member(
    audit: Audit, journal: Journal, culprits: Culprits
) -> None:
    audit.answer = lambda: [
        written("eve", resource="u1", action="login"),
        written("eve", resource="u1", status_code=403),
        written("bob", 9, resource="u1", action="delete"),
    ]
    drift(journal, culprits, "g1", "u1")
    drift(journal, culprits, "g2")
    await answered(culprits)
    assert [entry.who for entry in journal.entries()] == ["", "bob"]


@pytest.mark.looptime
async def test_a_fault_is_logged_and_the_next_question_is_answered(
    audit: Audit, journal: Journal, culprits: Culprits
) -> None:
    def fail() -> list[AuditLog]:
        raise RuntimeError("Session is closed")

    audit.answer = fail
    drift(journal, culprits, "g1")
    await answered(culprits)
    audit.answer = lambda: [written("eve", resource="g2")]
    drift(journal, culprits, "g2")
    await answered(culprits)
    assert [entry.who for entry in journal.entries()] == ["eve", ""]

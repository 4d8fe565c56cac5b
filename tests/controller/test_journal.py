"""The journal: what it keeps, what it tells, how large it becomes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Final

from structlog.testing import capture_logs

from coder_enterprise.controller.journal import MAX_CHANGES, MAX_ENTRIES, MAX_SIZE, Altered, Entry, Journal
from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.changes import Action, Change
from coder_enterprise.kinds.machinery.resource import Key

CODER: Final = Key("CoderDeployment", "team", "coder")
ANN: Final = Key("CoderUser", "team", "ann")
BOB: Final = Key("CoderUser", "team", "bob")
RENAMED: Final = Change(Action.UPDATE, "spec.name", "Ann", "Anna")


def test_entries_are_found_by_object_and_by_deployment_the_newest_first() -> None:
    journal = Journal()
    journal.write(ANN, CODER, Cause.CREATION, [])
    journal.write(BOB, CODER, Cause.CREATION, [])
    journal.write(ANN, CODER, Cause.EDIT, [RENAMED])
    assert [entry.number for entry in journal.entries(key=ANN)] == [3, 1]
    assert [entry.number for entry in journal.entries(deployment=CODER, since=1)] == [3, 2]
    assert list(journal.entries(deployment=Key("CoderDeployment", "team", "other"))) == []
    assert next(journal.entries()).changes == (Altered("spec.name", "Ann", "Anna"),)


def test_each_entry_is_a_line_of_the_log_that_leaves_out_what_is_empty() -> None:
    with capture_logs() as lines:
        Journal().write(ANN, CODER, Cause.CONSEQUENCE, [RENAMED], because=BOB)
    assert lines == [
        {
            "event": "changed in Coder",
            "log_level": "info",
            "entry": 1,
            "object": "CoderUser team/ann",
            "deployment": "team/coder",
            "cause": "consequence",
            "because": "CoderUser team/bob",
            "changes": [{"path": "spec.name", "from": "Ann", "to": "Anna"}],
        }
    ]


def test_who_it_was_is_told_when_it_is_known() -> None:
    journal, told = Journal(), list[Entry]()
    end = journal.subscribe(told.append)
    journal.write(ANN, CODER, Cause.DRIFT, [RENAMED])
    journal.attribute(1, "eve")
    end()
    journal.write(ANN, CODER, Cause.EDIT, [RENAMED])
    assert [(entry.number, entry.who) for entry in told] == [(1, ""), (1, "eve")]
    assert [entry.who for entry in journal.entries()] == ["", "eve"]


def test_who_it_was_of_an_entry_that_is_gone_is_dropped() -> None:
    journal = Journal()
    journal.attribute(1, "eve")
    for _ in range(MAX_ENTRIES + 1):
        journal.write(ANN, CODER, Cause.DRIFT, [])
    journal.attribute(1, "eve")
    assert {entry.who for entry in journal.entries()} == {""}


def test_long_changes_are_cut_and_many_are_counted() -> None:
    journal = Journal()
    journal.write(ANN, CODER, Cause.EDIT, [Change(Action.UPDATE, "spec.icon", "x" * 5000, "y" * 5000)] * 500)
    entry = next(journal.entries())
    assert (len(entry.changes), entry.more) == (MAX_CHANGES, 500 - MAX_CHANGES)
    assert len(entry.changes[0].before or "") == 200


def test_ten_thousand_creations_take_less_than_two_mebibytes() -> None:
    assert _taken(lambda n: [Change(Action.CREATE, "spec", after=f"group-{n}")]) < 2 * 2**20


def test_the_longest_entries_take_no_more() -> None:
    change = Change(Action.UPDATE, "spec.users[" + "🦊" * 200 + "]", "🦊" * 5000, "x" * 5000)
    assert _taken(lambda _: [change] * 100, entries=300) < 2 * 2**20


def _taken(changes: Callable[[int], list[Change]], entries: int = 10_000) -> int:
    """Bytes that a journal takes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        journal = Journal()
        for number in range(entries):
            journal.write(Key("CoderGroup", "team", f"group-{number}"), CODER, Cause.CREATION, changes(number))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0 < len(journal) <= MAX_ENTRIES
    assert journal._size <= MAX_SIZE
    return after - before

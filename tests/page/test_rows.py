"""All objects, as lists and counts have them: always as they are, and never so that the operator waits for it."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from coder_enterprise.kinds.machinery.resource import Key
from coder_enterprise.page import rows
from coder_enterprise.page.rows import Rows, Table
from tests.support.page import TEAM, Shown, condition
from tests.support.waiting import wait_for

pytestmark = pytest.mark.asyncio

CONDITIONS = (
    [condition()],
    [condition("Ready", "False", "Refused")],
    [condition(), condition("WorkloadAvailable", "False", "NotAvailable")],
)


def content(table: Table) -> object:
    shown = {key: (row.resource, row.deployment, row.state, row.complaint) for key, row in table.rows.items()}
    return shown, +table.tally, table.tally.total(), set(table.notable)


async def test_after_any_changes_it_is_what_would_be_made_anew(shown: Shown) -> None:
    found, chance = Rows(shown.view), random.Random(7)
    shown.deployment()
    for number in range(200):
        kind, name = chance.choice(("CoderGroup", "CoderWorkspaceProxy")), str(number // 20)
        if number % 20 == 19 and shown.view.get(Key(kind, TEAM, name)):
            shown.remove(kind, name)
        else:
            status = chance.choice(({}, {"health": {"status": "ok"}}))
            spec = {"deploymentRef": {"name": chance.choice(("coder", "other"))}}
            shown.put(kind, name, spec=spec, status=status, conditions=chance.choice(CONDITIONS))
        if chance.random() < 0.5:
            assert content(found.table()) == content(Rows(shown.view).table())


async def test_they_are_made_in_pieces_and_of_what_changes_meanwhile_anew(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "SLICE", 2)
    for number in range(20):
        shown.put("CoderGroup", str(number))
    found, making = Rows(shown.view), list[int]()
    waiting = [asyncio.create_task(found.ready()) for _ in range(5)]
    while not all(task.done() for task in waiting):
        making.append(len(found._table.rows))
        await asyncio.sleep(0)
        if len(making) == 5:
            shown.put("CoderGroup", "0", conditions=CONDITIONS[1])
    assert all(after - before <= rows.SLICE for before, after in itertools.pairwise(making))
    assert content(found.table()) == content(Rows(shown.view).table())


async def test_nothing_is_held_when_nobody_has_looked_for_a_while(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "KEPT", 0.01)
    shown.put("CoderGroup", "a")
    found = Rows(shown.view)
    assert found.table().rows
    await wait_for(lambda: not found._table.rows, "they are forgotten")
    assert shown.view._subscribers == []
    assert found.table().rows

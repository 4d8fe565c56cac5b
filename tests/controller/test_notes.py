"""What is noted of a visit that changes something in Coder, also when it fails on the way."""

from __future__ import annotations

from typing import cast

import pytest

from coder_enterprise.client import errors
from coder_enterprise.controller.journal import Entry
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.causes import Cause
from coder_enterprise.kinds.machinery.resource import Resource
from tests.support.engine import Cluster
from tests.support.things import WorldClient

pytestmark = pytest.mark.looptime

REFUSED = errors.BadRequest(422, "no such colour")


def entries(cluster: Cluster) -> list[Entry]:
    """The oldest first."""
    return list(cluster.engine.view.journal.entries())[::-1]


async def test_what_was_done_before_a_visit_failed_is_in_the_journal_with_the_failure(cluster: Cluster) -> None:
    """A thing is made, and Coder refuses its colour."""
    await cluster.begin()
    cluster.coder.fault = lambda operation: REFUSED if operation == "things.update" else None
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.reason("one") == "Refused")
    (entry,) = entries(cluster)
    assert (entry.cause, [change.after for change in entry.changes]) == (Cause.CREATION, ["one"])
    assert "no such colour" in entry.note


async def test_how_far_it_came_is_said_to_be_unknown_where_coder_does_not_answer_any_more(cluster: Cluster) -> None:
    await cluster.begin()
    gone = errors.Unreachable("connection refused")
    cluster.coder.fault = lambda _: gone if cluster.coder.things else None
    cluster.thing("one", color="red")
    await cluster.until(lambda: entries(cluster))
    (entry,) = entries(cluster)
    assert "not known" in entry.note
    assert "connection refused" in entry.note


async def test_a_visit_that_fails_before_it_has_changed_anything_is_not_in_the_journal(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.fault = lambda operation: REFUSED if operation == "things.create" else None
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "Refused")
    assert entries(cluster) == []


async def test_a_deletion_that_fails_on_its_way_is_in_the_journal(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives a thing another name first."""
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))

    async def delete(context: Context, resource: Resource) -> str | None:
        client = cast("WorldClient", context.client)
        await client.update(str(resource.external_id), name="other")
        raise REFUSED

    monkeypatch.setattr(cluster.kind, "delete", delete)
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: len(entries(cluster)) > 1)
    entry = entries(cluster)[1]
    assert entry.cause is Cause.DELETION
    assert "no such colour" in entry.note


async def test_what_is_done_after_such_a_visit_is_noted_once(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.coder.fault = lambda operation: REFUSED if operation == "things.update" else None
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.reason("one") == "Refused")
    cluster.coder.come_back()
    await cluster.until(lambda: cluster.is_applied("one"), within=60)
    assert [[change.path for change in entry.changes] for entry in entries(cluster)] == [["spec.name"], ["spec.color"]]

"""How often the Secrets are read that objects keep for themselves, and that no change of one is missed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Gone
from coder_enterprise.cluster.paths import Collection
from coder_enterprise.controller import kept_secrets
from coder_enterprise.controller.beside import WATCHED
from coder_enterprise.controller.kept_secrets import MAX_AGE, KeptSecrets

HOUR = 3600.0
EVERY = 5.0
"""Seconds between the visits of a proxy that does not run."""


class Cupboard:
    """In place of `KubernetesClient`: one Secret, and how often it was read."""

    def __init__(self) -> None:
        self.labels = dict(WATCHED)
        self.version = 1
        self.reads = 0
        self.there = True
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens while the answer is on its way."""

    async def get(self, collection: Collection, namespace: str, name: str) -> dict[str, Any]:
        self.reads += 1
        if not self.there:
            raise Gone(404, "NotFound", "no")
        body = {"metadata": {"name": name, "labels": dict(self.labels), "resourceVersion": str(self.version)}}
        self.meanwhile()
        return body


class Visits:
    """One after the other, by a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 0.0
        self.cupboard = Cupboard()
        self.kept = KeptSecrets(cast("KubernetesClient", self.cupboard))
        monkeypatch.setattr(kept_secrets, "now", lambda: self.time)

    async def version(self, *, fresh: bool = False) -> int:
        body = await self.kept.get("team", "eu-token", fresh=fresh)
        return int(body["metadata"]["resourceVersion"])

    async def for_an_hour(self, visit: Callable[[], Awaitable[object]]) -> None:
        while self.time < HOUR:
            await visit()
            self.time += EVERY


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> Visits:
    return Visits(monkeypatch)


async def test_in_an_hour_of_visits_it_is_read_once_in_ten_minutes(visits: Visits) -> None:
    await visits.for_an_hour(visits.version)
    assert visits.cupboard.reads == HOUR / MAX_AGE == 6


async def test_it_is_read_again_when_the_watch_has_told_of_it(visits: Visits) -> None:
    assert await visits.version() == 1
    visits.cupboard.version = 2
    visits.kept.changed("team", "another")
    assert await visits.version() == 1
    visits.kept.changed("team", "eu-token")
    assert await visits.version() == 2


async def test_who_is_about_to_write_sees_what_is_there(visits: Visits) -> None:
    assert await visits.version() == 1
    visits.cupboard.version = 2
    assert await visits.version(fresh=True) == 2
    assert await visits.version() == 2


async def test_what_changes_while_it_is_read_is_read_again(visits: Visits) -> None:
    visits.cupboard.meanwhile = lambda: visits.kept.changed("team", "eu-token")
    assert await visits.version() == 1
    visits.cupboard.version, visits.cupboard.meanwhile = 2, lambda: None
    assert await visits.version() == 2


async def test_what_a_watch_may_have_missed_is_read_again(visits: Visits) -> None:
    assert await visits.version() == 1
    visits.cupboard.version = 2
    visits.kept.forget()
    assert await visits.version() == 2


async def test_one_that_nobody_watches_is_read_each_time(visits: Visits) -> None:
    visits.cupboard.labels.clear()
    assert await visits.version() == 1
    visits.cupboard.version = 2
    assert await visits.version() == 2


async def test_one_that_is_gone_is_looked_for_each_time(visits: Visits) -> None:
    assert await visits.version() == 1
    visits.cupboard.there = False
    for _ in range(2):
        with pytest.raises(Gone):
            await visits.version(fresh=True)
    with pytest.raises(Gone):
        await visits.version()
    assert visits.cupboard.reads == 4

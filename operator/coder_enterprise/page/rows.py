"""All objects in the form in which lists and counts need them, made anew only where an object has changed.

Asked by the overview, the lists and the page of an object. It holds something only while somebody looks: what was not
asked for in a minute is forgotten. Whoever looks first waits until all are made, the operator does not: some hundred
are made at a time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from operator import attrgetter
from sys import intern
from typing import Final, NamedTuple

from coder_enterprise.controller.view import View
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.oncall.standing import Standing, complaints, standing
from coder_enterprise.page.kept import KEPT

SLICE: Final = 400
"""Rows that are made in one go, which takes some milliseconds."""
HEALTH: Final = "health"
GRACE: Final = "graceUntil"
"""With `HEALTH`, the fields of a status that say something of the whole Coder."""


class State(StrEnum):
    """How an object stands, in one word. The first needs attention first."""

    STALLED = "stalled"
    """A person must act."""
    WAITING = "waiting"
    """Not ready, and may become so by itself."""
    SUSPENDED = "suspended"
    READY = "ready"


ORDER: Final = {state: place for place, state in enumerate(State)}


@dataclass(slots=True, eq=False)
class Row:
    """Not to be changed. Ten thousand are made at once, which is twice as slow where a class forbids that, and counted:
    what only lists ask is found out when they do."""

    key: Key
    resource: Resource
    deployment: str
    """Namespace and name of the CoderDeployment."""
    state: State
    unwell: Standing | None
    """Another condition that is not well, of an object that is ready."""
    _how: Standing | None = None

    @property
    def how(self) -> Standing:
        """Its Ready condition."""
        if self._how is None:
            self._how = standing(self.resource)
        return self._how

    @property
    def place(self) -> int:
        """Of the state: what needs attention comes first."""
        return ORDER[self.state]

    @property
    def reason(self) -> str:
        return self.how.reason

    @property
    def message(self) -> str:
        return self.how.message

    @property
    def since(self) -> str:
        """RFC 3339, or whatever else its status says; "" before the first visit."""
        return self.how.changed

    @property
    def complaint(self) -> str:
        """The reason of what is unwell; "" where all is well."""
        return self.unwell.reason if self.unwell else ""

    @property
    def trouble(self) -> str:
        """The message of that condition."""
        return self.unwell.message if self.unwell else ""

    @property
    def telling(self) -> bool:
        """Whether its status says something of the whole Coder."""
        status = self.resource.status
        return HEALTH in status or GRACE in status


class Group(NamedTuple):
    """Objects that are counted together."""

    kind: str
    namespace: str
    deployment: str
    state: State


@dataclass
class Table:
    """Of all objects; not to be changed by who reads it, and not to be kept: it changes with them."""

    rows: dict[Key, Row] = field(default_factory=dict)
    """In no order."""
    tally: Counter[Group] = field(default_factory=Counter)
    """How many there are of each group."""
    notable: dict[Key, Row] = field(default_factory=dict)
    """Those of which the overview says more than how many there are: the deployments, what is not well, and who tells
    something of the whole Coder."""


class Rows:
    def __init__(self, view: View) -> None:
        self._view = view
        self._table = Table()
        self._one_at_a_time = asyncio.Lock()
        self._stale: dict[Key, None] = {}
        """Of which the row has to be made anew."""
        self._unsubscribe: Callable[[], None] | None = None
        self._forgetting: asyncio.TimerHandle | None = None

    async def ready(self) -> None:
        """Until `table` has little to do."""
        self._stay()
        async with self._one_at_a_time:
            while len(self._stale) > SLICE:
                self._renew()
                await asyncio.sleep(0)

    def table(self) -> Table:
        """Of the objects as they are now. Who does not wait for `ready` before may hold the event loop."""
        self._stay()
        while self._stale:
            self._renew()
        return self._table

    def _stay(self) -> None:
        """Somebody looks."""
        if self._forgetting:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(KEPT, self._forget)
        if self._unsubscribe is None:
            self._unsubscribe = self._view.subscribe(self._changed)
            self._stale = dict.fromkeys(map(attrgetter("key"), self._view.objects()))

    def _changed(self, key: Key) -> None:
        self._stale[key] = None

    def _renew(self) -> None:
        for key in list(islice(self._stale, SLICE)):
            del self._stale[key]
            self._put(key, self._view.get(key))

    def _put(self, key: Key, resource: Resource | None) -> None:
        table, known = self._table, self._table.rows.get(key)
        if known is not None:
            if known.resource is resource:
                return  # only the journal has news of it
            self._take_out(known)
        if resource is None:
            return
        made = table.rows[key] = row(resource, self._view.deployment_of(resource).namespaced_name)
        table.tally[_group(made)] += 1
        if made.state is not State.READY or made.unwell or made.telling or self._view.is_deployment(key):
            table.notable[key] = made

    def _take_out(self, known: Row) -> None:
        table, group = self._table, _group(known)
        del table.rows[known.key]
        table.notable.pop(known.key, None)
        table.tally[group] -= 1
        if not table.tally[group]:
            del table.tally[group]

    def _forget(self) -> None:
        self._table, self._stale, self._forgetting = Table(), {}, None
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None


def _group(of: Row) -> Group:
    return Group(of.key.kind, of.key.namespace, of.deployment, of.state)


def row(resource: Resource, deployment: str) -> Row:
    state = State.READY if resource.ready else _waiting_or_worse(standing(resource))
    unwell = next(complaints(resource), None) if state is State.READY else None
    return Row(resource.key, resource, intern(deployment), state, unwell)


def _waiting_or_worse(how: Standing) -> State:
    if how.suspended:
        return State.SUSPENDED
    return State.STALLED if how.stalled else State.WAITING

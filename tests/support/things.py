"""A kind for tests of the engine: things with a name and a colour, in a Coder that is a dictionary.

Only what stands outside the engine is made up here, so that a test can run hours of it on a fake clock and make it
fail at every single step. The engine's own hooks run around each call, as they do around a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import Field
from typing_extensions import override

from coder_enterprise.client import errors
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.http import Call, CallHooks, ConnectionSettings
from coder_enterprise.client.snapshots import Snapshot
from coder_enterprise.kinds.deployment import DeploymentKind
from coder_enterprise.kinds.machinery.base import Context, DomainCondition, ManagedKind, Observation, Verdict
from coder_enterprise.kinds.machinery.changes import DRIFT, Action, Change
from coder_enterprise.kinds.machinery.common import ManagedSpec
from coder_enterprise.kinds.machinery.connection import Figure, Probe
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Names, Resource

T = TypeVar("T")

FEATURE = "things"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Points:
    """The places where the process may end: before and after each call and each write."""

    passed: list[str] = field(default_factory=list)
    kill_at: int | None = None

    def reach(self, name: str) -> None:
        self.passed.append(name)
        if self.kill_at == len(self.passed) - 1:
            self.kill_at = None
            raise Killed(name)


@dataclass
class Thing:
    id: str
    name: str
    color: str


@dataclass
class World:
    """One Coder. `fault` makes each call fail (None: this one does not), `latency` is in seconds."""

    url: str = "http://coder.test"
    things: dict[str, Thing] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    features: dict[str, bool] = field(default_factory=lambda: {FEATURE: True})
    grace: frozenset[str] = frozenset()
    figures: dict[Figure, float] = field(default_factory=dict)
    conditions: tuple[DomainCondition, ...] = ()
    """What it tells of itself beside that it answers."""
    fault: Callable[[str], errors.CoderError | None] = lambda _: None
    poison: dict[str, errors.CoderError] = field(default_factory=dict)
    """What it answers to each call for the thing of that name."""
    tokens: set[str] = field(default_factory=lambda: {"good"})
    owners: set[str] = field(default_factory=lambda: {"good"})
    """Which of the tokens are of owners."""
    latency: float = 0.01
    points: Points = field(default_factory=Points)
    ids: Any = field(default_factory=itertools.count)

    def go_down(self) -> None:
        self.fault = lambda _: errors.Unreachable(f"{self.url} cannot be reached")

    def come_back(self) -> None:
        self.fault = lambda _: None

    def put(self, name: str, color: str = "") -> Thing:
        thing = Thing(f"{self.url[-4:]}-{next(self.ids)}", name, color)
        self.things[thing.id] = thing
        return thing

    def swallow(self, name: str) -> None:
        """Raises for the name of a thing that is poison."""
        if name in self.poison:
            raise self.poison[name]

    def named(self, name: str) -> list[Thing]:
        return [thing for thing in self.things.values() if thing.name == name]

    def count(self, operation: str) -> int:
        return self.calls.count(operation)

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if call.startswith("things.") and call not in {"things.list", "things.get"}]


class WorldClient:
    """In place of `CoderClient`."""

    def __init__(self, world: World, settings: ConnectionSettings, hooks: CallHooks) -> None:
        self.settings = settings
        self.closed = False
        self._world = world
        self._hooks = hooks

    async def close(self) -> None:
        self.closed = True

    async def call(self, operation: str, method: str, action: Callable[[], T]) -> T:
        await self._hooks.before(Call(operation, method, "/things"))
        self._world.points.reach(f"before {operation}")
        self._world.calls.append(operation)
        try:
            await asyncio.sleep(self._world.latency)
            if self.settings.token not in self._world.tokens:
                raise errors.Unauthorized(401, "the token is not known")
            fault = self._world.fault(operation)
            if fault is not None:
                raise fault
            result = action()
        except errors.CoderError as error:
            await self._hooks.after(Call(operation, method, "/things"), error, self._world.latency)
            raise
        self._world.points.reach(f"after {operation}")
        await self._hooks.after(Call(operation, method, "/things"), None, self._world.latency)
        return result

    async def list(self) -> dict[str, Thing]:
        return await self.call("things.list", "GET", lambda: dict(self._world.things))

    async def find(self, thing_id: str | None, name: str) -> Thing | None:
        def find() -> Thing | None:
            self._world.swallow(name)
            if thing_id in self._world.things:
                return self._world.things[thing_id]
            return next(iter(self._world.named(name)), None)

        return await self.call("things.get", "GET", find)

    async def create(self, name: str, color: str) -> Thing:
        def create() -> Thing:
            self._world.swallow(name)
            if self._world.named(name):
                raise errors.AlreadyTaken(409, f"{name} is taken")
            return self._world.put(name, color)

        return await self.call("things.create", "POST", create)

    async def update(self, thing_id: str, **values: str) -> Thing:
        def update() -> Thing:
            thing = self._world.things.get(thing_id)
            if thing is None:
                raise errors.NotFound(404, "there is no such thing")
            self._world.swallow(thing.name)
            if values.get("name") and self._world.named(values["name"]):
                raise errors.AlreadyTaken(409, f"{values['name']} is taken")
            self._world.things[thing_id] = Thing(thing_id, **{"name": thing.name, "color": thing.color, **values})
            return self._world.things[thing_id]

        return await self.call("things.update", "PATCH", update)

    async def delete(self, thing_id: str) -> None:
        def delete() -> None:
            if self._world.things.pop(thing_id, None) is None:
                raise errors.NotFound(404, "there is no such thing")

        await self.call("things.delete", "DELETE", delete)


class WorldDirectory(Directory):
    """With one shared list of things."""

    def __init__(self, client: CoderClient) -> None:
        super().__init__(client)
        self.things: Snapshot[dict[str, Thing]] = Snapshot(cast("WorldClient", client).list)

    @override
    def expire(self) -> None:
        super().expire()
        self.things.expire()

    def put(self, thing: Thing) -> None:
        if self.things.value is not None:
            self.things.value[thing.id] = thing

    def drop(self, thing_id: str) -> None:
        if self.things.value is not None:
            self.things.value.pop(thing_id, None)


class WorldDeploymentKind(DeploymentKind):
    """CoderDeployment, but for what its probe asks."""

    @override
    async def probe(self, client: CoderClient, directory: Directory) -> Probe:
        world = cast("WorldClient", client)
        try:
            features = await world.call("ping", "GET", lambda: dict(world._world.features))
        except errors.CoderError as error:
            return self.unusable(error)
        return Probe(
            usable=True,
            reason=Reason.CONNECTED,
            message="it answers",
            conditions=(DomainCondition("Reachable", "True", Reason.ANSWERING, "it answers"), *world._world.conditions),
            fields={
                "identity": {
                    "url": client.settings.url,
                    "roles": ["owner"] if client.settings.token in world._world.owners else [],
                },
                "circuit": "Closed",
                "features": features,
            },
            features=features,
            grace=world._world.grace,
            figures=dict(world._world.figures),
        )


class ThingSpec(ManagedSpec):
    name: Annotated[str, Field(max_length=64)] | None = None
    color: Annotated[str, Field(max_length=4096)] | None = None
    secret: str | None = None
    """A Secret that wakes it."""
    follows: str | None = None
    """Another thing of its namespace that wakes it."""
    waits_for: Annotated[str, Field(max_length=64)] | None = None
    """Another thing, which is `pending` until it is there."""


@dataclass(frozen=True, kw_only=True)
class ObservedThing(Observation):
    thing: Thing | None
    name: str
    pending: str | None = None


class ThingKind(ManagedKind[ThingSpec, ObservedThing]):
    names = Names("Thing", "things", "thing", "thing")
    things = "things"
    crd: ClassVar[dict[str, Any]] = {}
    feature = FEATURE
    pending_field = "pending"
    spec_model = ThingSpec

    def __init__(self) -> None:
        self.bug: Exception | None = None
        self.stands = Verdict()
        self.event = DRIFT
        self.aliases: dict[str, str] = {}
        """Other names of things."""
        self.free = False
        """Things that exist need no adoption."""
        self.farewell: str | None = None
        """What `delete` says that it did."""
        self.trouble: errors.OperatorError | None = None
        """What keeps a part of each thing from being applied."""
        self.observed: list[str] = []

    @override
    def secrets(self, resource: Resource, spec: ThingSpec) -> tuple[str, ...]:
        return (spec.secret,) if spec.secret else ()

    @override
    def references(self, resource: Resource, spec: ThingSpec) -> tuple[Key, ...]:
        return (Key("Thing", resource.key.namespace, spec.follows),) if spec.follows else ()

    @override
    def external_name(self, resource: Resource, spec: ThingSpec) -> str:
        return spec.name or resource.key.name

    @override
    async def identity(self, context: Context, resource: Resource, spec: ThingSpec) -> str:
        return self._name(resource, spec)

    def _name(self, resource: Resource, spec: ThingSpec) -> str:
        name = self.external_name(resource, spec)
        return self.aliases.get(name, name)

    @override
    async def observe(self, context: Context, resource: Resource, spec: ThingSpec, *, fresh: bool) -> ObservedThing:
        self.observed.append(resource.key.name)
        if self.bug is not None:
            raise self.bug
        name, recorded = self._name(resource, spec), resource.external_id
        directory = cast("WorldDirectory", context.directory)
        if fresh:
            thing = await cast("WorldClient", context.client).find(recorded, name)
        else:
            listed = await directory.things.get()
            thing = listed.get(recorded) if recorded else next((t for t in listed.values() if t.name == name), None)
            fresh = thing is None and recorded is None
        found = await directory.things.get() if spec.waits_for else {}
        missing = spec.waits_for not in {other.name for other in found.values()}
        return ObservedThing(
            external_id=thing.id if thing else None,
            fresh=fresh,
            free=self.free,
            thing=thing,
            name=name,
            pending=spec.waits_for if missing else None,
            trouble=self.trouble,
        )

    @override
    def plan(self, desired: ThingSpec, observed: ObservedThing, recorded: Mapping[str, Any]) -> list[Change]:
        if observed.thing is None:
            return [Change(Action.CREATE, "spec.name", after=observed.name)]
        changes = []
        if observed.thing.name != observed.name:
            changes.append(Change(Action.UPDATE, "spec.name", before=observed.thing.name, after=observed.name))
        if desired.color is not None and observed.thing.color != desired.color:
            before, after = observed.thing.color, desired.color
            changes.append(Change(Action.UPDATE, "spec.color", before, after, event=self.event))
        return changes

    @override
    def intent(self, desired: ThingSpec, changes: Sequence[Change], recorded: Mapping[str, Any]) -> dict[str, Any]:
        return {"intent": desired.color} if desired.color and desired.color.startswith("intended") else {}

    @override
    async def apply(
        self, context: Context, desired: ThingSpec, observed: ObservedThing, changes: Sequence[Change]
    ) -> ObservedThing:
        client = cast("WorldClient", context.client)
        if observed.thing is None:
            try:
                thing = await client.create(observed.name, "")
            except errors.AlreadyTaken as error:
                raise stalled(Reason.ALREADY_EXISTS, f"somebody just made it ({error.message})") from None
            if desired.color:
                # Two calls on purpose: there is a moment in which the thing is there and not as declared.
                thing = await client.update(thing.id, color=desired.color)
        else:
            values = {change.path.removeprefix("spec."): str(change.after) for change in changes}
            thing = await client.update(observed.thing.id, **values)
        cast("WorldDirectory", context.directory).put(thing)
        return replace(observed, external_id=thing.id, fresh=True, thing=thing)

    @override
    def report(
        self,
        desired: ThingSpec,
        observed: ObservedThing,
        changes: Sequence[Change],
        recorded: Mapping[str, Any],
    ) -> dict[str, Any]:
        return {
            "id": observed.external_id,
            "color": observed.thing.color if observed.thing else None,
            "pending": observed.pending,
        }

    @override
    def verdict(self, desired: ThingSpec, observed: ObservedThing) -> Verdict:
        return self.stands

    @override
    async def delete(self, context: Context, resource: Resource) -> str | None:
        if resource.external_id is None:
            return None
        with contextlib.suppress(errors.NotFound):
            await cast("WorldClient", context.client).delete(resource.external_id)
        cast("WorldDirectory", context.directory).drop(resource.external_id)
        return self.farewell

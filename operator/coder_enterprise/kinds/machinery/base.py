"""What a kind is: the interface between the controller, which knows when, and a kind, which knows what.

The controller drives `observe -> plan -> apply`; nothing is written that `plan` did not name first. A kind keeps no
state between calls: all it knows comes from spec, from the observation, and from what status recorded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic, NamedTuple, Protocol, TypeVar

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import OperatorError
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import ManagedSpec
from coder_enterprise.kinds.machinery.consent import Demand
from coder_enterprise.kinds.machinery.declarations import Declaration
from coder_enterprise.kinds.machinery.people import Mention
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Names, Resource

SpecT = TypeVar("SpecT", bound=ManagedSpec)
ObservedT = TypeVar("ObservedT", bound="Observation")


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What Coder has of one object, as far as its plan needs to know."""

    external_id: str | None
    """None when it does not exist."""
    fresh: bool
    """Read for this reconcile, so that a plan from it may be applied; else it comes from a shared list."""
    trouble: OperatorError | None = None
    """Why a part of spec is not applied. The rest is, and is recorded before this is said."""
    intended: bool = False
    """An `intent` that was recorded proves that the object made it, though its id is not recorded yet."""
    moved_on: bool = False
    """What is declared has changed without spec: a Secret, or the time of day. Differences are no drift then."""
    free: bool = False
    """It is there, and nobody has decided anything about it: it needs no adoption."""


@dataclass(frozen=True)
class KeptSecret:
    """A Secret that an object keeps for itself."""

    values: Mapping[str, str] = field(repr=False)
    intact: bool = True
    """It still has the label and the owner that it was written with."""


class Beside(Protocol):
    """What a kind may read and write in Kubernetes beside its own object; always in that object's namespace.

    Raises what the controller raises for Kubernetes, which ends the reconcile, and `KindError` for what Kubernetes
    refuses. What is written belongs to the object: Kubernetes deletes it with the object.
    """

    def find(self, key: Key) -> Resource | None:
        """Another object of our kinds, as it is known now."""

    def left_behind(self, resource: Resource) -> str | None:
        """The id of what a deleted object of that kind, namespace and name has left in Coder."""

    async def leave_behind(self, resource: Resource, external_id: str) -> None:
        """Remember that for one that comes back, before it is left."""

    async def secret(self, resource: Resource, name: str, *, send: bool = False) -> Mapping[str, str] | None:
        """The Secret's values as text; None when there is no such Secret. Raises `KindError` when the operator may not
        read it, and for one that is to be sent to Coder and that nobody has marked for that."""

    async def kept_secret(self, resource: Resource, name: str, *, fresh: bool) -> KeptSecret | None:
        """As `secret`, of one that the object writes itself; unless it must be fresh, as it was read some minutes ago
        if nothing has told of a change."""

    async def write_secret(self, resource: Resource, name: str, values: Mapping[str, str]) -> None:
        """Make the Secret hold these values, and label it so that its loss is noticed. Raises `KindError` for one that
        belongs to somebody else, or to nobody, unless it holds just these values already."""

    async def workload(self, resource: Resource, name: str) -> Mapping[str, Any] | None:
        """The Deployment of that name, or None."""

    async def apply_workload(self, resource: Resource, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the Deployment be as `body` says (server-side apply); the Deployment then. Raises `KindError` as
        `write_secret`."""

    async def delete_workload(self, resource: Resource, name: str) -> None:
        """Remove the object's own Deployment; what is gone counts as removed."""


@dataclass(frozen=True)
class Context:
    """What a reconcile may use of its deployment, and of Kubernetes."""

    client: CoderClient
    directory: Directory
    beside: Beside
    users_newer_than: float
    """Loop time in seconds: a list of users older than this does not prove that somebody is missing."""


class DomainCondition(NamedTuple):
    """A condition of one kind, such as Reachable. `status` is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: Reason
    message: str
    warns: bool = False
    """A person should hear of it: that it comes to this is a warning event."""


class Progress(StrEnum):
    """How far an object has come: what kstatus derives from it."""

    DONE = "Done"
    """What it stands for is usable, or nobody asks for that now."""
    WORKING = "Working"
    """It is not usable yet, and may become so by itself."""
    STALLED = "Stalled"
    """It will not become usable by itself: a person must act."""


@dataclass(frozen=True)
class Verdict:
    """How an object stands once everything is applied that can be."""

    progress: Progress = Progress.DONE
    reason: Reason = Reason.APPLIED
    message: str = "applied"
    conditions: tuple[DomainCondition, ...] = ()
    dropped: tuple[str, ...] = ()
    """Types of conditions that have lost their sense."""
    revisit: float | None = None
    """Seconds until it is to be looked at again although nothing has happened; None is the next resync."""

    @property
    def ready(self) -> bool:
        """What the object stands for is usable."""
        return self.progress is Progress.DONE


APPLIED: Final = Verdict()
"""How nearly all stand."""


class ManagedKind(ABC, Generic[SpecT, ObservedT]):
    """A kind whose objects each stand for one thing in Coder."""

    names: ClassVar[Names]
    things: ClassVar[str]
    """What people call what the objects stand for, several of them."""
    crd: ClassVar[dict[str, Any]]
    calls: ClassVar[tuple[str, ...]]
    """All that it may ask of Coder, by the names of `client.operations`; a test makes them."""
    attempts: ClassVar[frozenset[str]] = frozenset()
    """Those of `calls` without which it goes on when the token may not make them."""
    feature: ClassVar[str | None] = None
    """The entitlement without which Coder refuses the calls of this kind."""
    alters_deployment: ClassVar[bool] = False
    """What is applied changes what the deployment says of itself, so that it is asked at once."""
    alters_people: ClassVar[bool] = False
    """What is applied may bring people whom other objects of the deployment wait for, so that those are visited."""
    others_see: ClassVar[frozenset[str]] = frozenset()
    """Paths of changes in which other objects may find that theirs is another than before: such as a name that they
    name. That a thing is made or deleted, they find in any case."""
    needs_cluster: ClassVar[bool] = False
    """What is applied writes to Kubernetes as well, such as a token into a Secret."""
    pending_field: ClassVar[str | None] = None
    """The status field that names for whom or what an object waits; None when the kind never waits for them."""
    spec_model: type[SpecT]

    def waits(self, resource: Resource) -> bool:
        """Whether its status says that it waits for somebody or something to appear in Coder."""
        return self.pending_field is not None and bool(resource.status.get(self.pending_field))

    def secrets(self, resource: Resource, spec: SpecT) -> tuple[str, ...]:
        """Names of the Secrets whose change or loss wakes the object."""
        return ()

    def known_as(self, resource: Resource, spec: SpecT) -> frozenset[str]:
        """How other objects name the thing that is made, those for whom they wait by name; in lower case."""
        return frozenset()

    def references(self, resource: Resource, spec: SpecT) -> tuple[Key, ...]:
        """Other objects of our kinds whose change wakes the object."""
        return ()

    def mentions(self, resource: Resource) -> Iterable[Mention]:
        """Where its spec, as it is, names people: also one that the model does not understand."""
        return ()

    def demand(self, spec: SpecT, changes: Sequence[Change] = ()) -> Demand:
        """What the object asks of its deployment, by its spec, and by what it is about to change."""
        return Demand(self.names.kind)

    @abstractmethod
    def external_name(self, resource: Resource, spec: SpecT) -> str:
        """What two objects must share to claim the same thing; finer distinctions are `identity`'s."""

    def title(self, resource: Resource, spec: SpecT) -> str:
        """What messages call the thing."""
        return self.external_name(resource, spec)

    @abstractmethod
    async def identity(self, context: Context, resource: Resource, spec: SpecT) -> str:
        """Names the thing within its deployment, whichever alias spec uses."""

    @abstractmethod
    async def observe(self, context: Context, resource: Resource, spec: SpecT, *, fresh: bool) -> ObservedT:
        """Reads what the plan needs: from shared lists, or with `fresh` from Coder itself."""

    @abstractmethod
    def plan(self, desired: SpecT, observed: ObservedT, recorded: Mapping[str, Any]) -> list[Change]:
        """The changes that make Coder match. A pure function: no clock, no calls. `recorded` is status."""

    def intent(self, desired: SpecT, changes: Sequence[Change], recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Status fields that must be written before `apply`, or a crash after it would lose them."""
        return {}

    @abstractmethod
    async def apply(
        self, context: Context, desired: SpecT, observed: ObservedT, changes: Sequence[Change]
    ) -> ObservedT:
        """Carries the changes out and returns what Coder has then."""

    @abstractmethod
    def report(
        self, desired: SpecT, observed: ObservedT, changes: Sequence[Change], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The kind's own status fields after `changes` were applied; None clears one."""

    def verdict(self, desired: SpecT, observed: ObservedT) -> Verdict:
        """How the object stands, with `observed` as it is after `apply`."""
        return APPLIED

    @abstractmethod
    async def delete(self, context: Context, resource: Resource) -> str | None:
        """Removes the thing with the recorded id. What is gone already counts as removed.

        Returns what was done, for people, where that was something else.
        """

    async def declarations(self, context: Context, names: Mapping[str, str]) -> Sequence[Declaration]:
        """What Coder has of this kind, as specs. `names` are those of objects that are made for other things, by id."""
        return ()

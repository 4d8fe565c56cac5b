"""What a kind is: the interface between the controller, which knows when, and a kind, which knows what.

The controller drives `observe -> plan -> apply`; nothing is written that `plan` did not name first. A kind keeps no
state between calls: all it knows comes from spec, from the observation, and from what status recorded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from typing_extensions import override

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.kinds.common import MAX_TEXT, BaseSpec, ManagedSpec, PendingChange
from coder_enterprise.kinds.consent import Allowance, Demand
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Key, Names, Resource

BaseSpecT = TypeVar("BaseSpecT", bound=BaseSpec)
SpecT = TypeVar("SpecT", bound=ManagedSpec)
ObservedT = TypeVar("ObservedT", bound="Observation")
ProbedT = TypeVar("ProbedT", bound="Probe")


class KindError(OperatorError):
    """A condition that a kind or the controller found: carries its own reason and meaning."""

    def __init__(self, reason: Reason, message: str, *, meaning: Meaning, pending: Sequence[Change] = ()) -> None:
        super().__init__(message)
        self.reason = reason  # type: ignore[misc]
        self.meaning = meaning  # type: ignore[misc]
        self.pending = tuple(pending)


def waiting(reason: Reason, message: str) -> KindError:
    """Something that others provide is not there yet."""
    return KindError(reason, message, meaning=Meaning.WAITING)


def stalled(reason: Reason, message: str, pending: Sequence[Change] = ()) -> KindError:
    """A person must act."""
    return KindError(reason, message, meaning=Meaning.STALLED, pending=pending)


DRIFT: Final = "DriftCorrected"
"""Somebody else has changed it in Coder."""


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is declared and what Coder has. `before` and `after` are for people."""

    action: Action
    path: str
    """The field of spec."""
    before: str | int | None = None
    after: str | int | None = None
    subject: str = ""
    """The id in Coder that is added or removed, where `path` is a list."""
    event: str = DRIFT
    """What the event is called that tells of it, when an object at rest needed it."""

    @override
    def __str__(self) -> str:
        if self.action is Action.CREATE:
            return f"create {self.after}"
        if self.action is Action.ADD:
            return f"{self.path}: add {self.after}"
        if self.action is Action.REMOVE:
            return f"{self.path}: remove {self.before}"
        return f"{self.path}: {self.before!r} becomes {self.after!r}"

    def pending(self) -> PendingChange:
        return PendingChange(path=self.path, from_=_text(self.before), to=_text(self.after))


def _text(value: str | int | None) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


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


class Cluster(Protocol):
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

    async def write_secret(self, resource: Resource, name: str, values: Mapping[str, str]) -> None:
        """Make the Secret hold these values, and label it so that its loss is noticed. Raises `KindError` for one that
        belongs to somebody else."""

    async def workload(self, resource: Resource, name: str) -> Mapping[str, Any] | None:
        """The Deployment of that name, or None."""

    async def apply_workload(self, resource: Resource, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the Deployment be as `body` says (server-side apply); the Deployment then."""

    async def delete_workload(self, resource: Resource, name: str) -> None:
        """Remove the object's own Deployment; what is gone counts as removed."""


@dataclass(frozen=True)
class Context:
    """What a reconcile may use of its deployment, and of Kubernetes."""

    client: CoderClient
    directory: Directory
    cluster: Cluster
    users_newer_than: float
    """Loop time in seconds: a list of users older than this does not prove that somebody is missing."""


@dataclass(frozen=True)
class DomainCondition:
    """A condition of one kind, such as Reachable. `status` is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: Reason
    message: str
    warns: bool = False
    """A person should hear of it: that it comes to this is a warning event."""


@dataclass(frozen=True)
class Verdict:
    """How an object stands once everything is applied that can be."""

    ready: bool = True
    """False: what it stands for is not usable yet, though nothing is left to write."""
    stalled: bool = False
    """With `ready` false: it will not become usable by itself, a person must act."""
    reason: Reason = Reason.APPLIED
    message: str = "applied"
    conditions: tuple[DomainCondition, ...] = ()
    dropped: tuple[str, ...] = ()
    """Types of conditions that have lost their sense."""
    revisit: float | None = None
    """Seconds until it is to be looked at again although nothing has happened; None is the next resync."""


class ManagedKind(ABC, Generic[SpecT, ObservedT]):
    """A kind whose objects each stand for one thing in Coder."""

    names: ClassVar[Names]
    things: ClassVar[str]
    """What people call what the objects stand for, several of them."""
    crd: ClassVar[dict[str, Any]]
    feature: ClassVar[str | None] = None
    """The entitlement without which Coder refuses the calls of this kind."""
    alters_deployment: ClassVar[bool] = False
    """What is applied changes what the deployment says of itself, so that it is asked at once."""
    alters_people: ClassVar[bool] = False
    """What is applied may bring people whom other objects of the deployment wait for, so that those are visited."""
    spec_model: type[SpecT]

    def secrets(self, resource: Resource, spec: SpecT) -> tuple[str, ...]:
        """Names of the Secrets whose change or loss wakes the object."""
        return ()

    def references(self, resource: Resource, spec: SpecT) -> tuple[Key, ...]:
        """Other objects of our kinds whose change wakes the object."""
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
        return Verdict()

    @abstractmethod
    async def delete(self, context: Context, resource: Resource) -> str | None:
        """Removes the thing with the recorded id. What is gone already counts as removed.

        Returns what was done, for people, where that was something else.
        """


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a deployment has, such as days left: a metric, by deployment."""

    name: str
    description: str


@dataclass(frozen=True)
class Probe:
    """What a deployment's own reconcile found."""

    usable: bool
    """Objects that refer to the deployment may call it."""
    reason: Reason
    """RateLimited: it asked for a pause, so that what was known before still holds."""
    message: str
    conditions: tuple[DomainCondition, ...]
    fields: Mapping[str, Any]
    """The kind's own status fields; None clears one."""
    features: Mapping[str, bool] | None
    """Which features are enabled; None when the server does not tell."""
    grace: frozenset[str] = frozenset()
    """Features whose licence has expired, and which work until its grace period ends."""
    figures: Mapping[Figure, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecretKeyRef:
    """One value of a Secret in the object's own namespace."""

    name: str
    key: str
    sent: bool = field(default=True, compare=False)
    """To Coder; False for what stays here, such as certificates."""


class ConnectionKind(ABC, Generic[BaseSpecT]):
    """The kind that says how to reach a deployment."""

    names: ClassVar[Names]
    crd: ClassVar[dict[str, Any]]
    spec_model: type[BaseSpecT]

    @abstractmethod
    def secrets(self, spec: BaseSpecT) -> tuple[SecretKeyRef, ...]:
        """The Secrets that `settings` needs."""

    @abstractmethod
    def settings(self, spec: BaseSpecT, values: Mapping[SecretKeyRef, str]) -> ConnectionSettings:
        """How to connect, with the values of all `secrets`."""

    @abstractmethod
    def url(self, spec: BaseSpecT) -> str:
        """Where the deployment is, as in `settings`: two that share it are one Coder."""

    @abstractmethod
    def allowances(self, spec: BaseSpecT) -> tuple[Allowance, ...]:
        """What objects of other namespaces may do."""

    @abstractmethod
    def rate(self, spec: BaseSpecT) -> float | None:
        """Requests per second; None is no limit."""

    @abstractmethod
    def resync(self, spec: BaseSpecT) -> float:
        """Seconds between two reads of everything."""

    @abstractmethod
    async def probe(self, client: CoderClient, directory: Directory) -> Probe:
        """Asks the server how it is. Errors of Coder become conditions; nothing is raised for them."""

    @abstractmethod
    def unusable(self, error: OperatorError) -> Probe:
        """What a deployment shows that cannot even be asked, such as for a missing Secret."""

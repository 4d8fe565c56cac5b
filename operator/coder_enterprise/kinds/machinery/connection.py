"""What the kind is that says how to reach a deployment: the controller asks it how to connect, and how Coder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import OperatorError
from coder_enterprise.client.http import ConnectionSettings
from coder_enterprise.kinds.machinery.base import DomainCondition
from coder_enterprise.kinds.machinery.common import BaseSpec
from coder_enterprise.kinds.machinery.consent import Allowance
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Names

BaseSpecT = TypeVar("BaseSpecT", bound=BaseSpec)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a deployment has, such as days left: a metric, by deployment."""

    name: str
    description: str


class Part(NamedTuple):
    """Of a deployment, whose health is remembered for some hours."""

    kind: str
    name: str = ""
    """What people call it, where there may be several."""


ANSWERS: Final = Part("answers")
"""Whether it does."""
WELL: Final = "ok"
"""How a part is that is as it should be."""


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
    health: Mapping[Part, str] = field(default_factory=dict)
    """How its parts are, in a word each; `WELL` where they are."""


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
    calls: ClassVar[tuple[str, ...]]
    """All that `probe` asks of Coder, by the names of `client.operations`."""
    attempts: ClassVar[frozenset[str]] = frozenset()
    """Those of `calls` without which it goes on when the token may not make them."""
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

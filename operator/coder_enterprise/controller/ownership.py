"""Whose a thing in Coder is: nobody's yet, this object's, another's, or somebody's outside Kubernetes.

Asked by the reconcile and by the deletion of objects; it writes nothing. Two objects that claim one thing are told
apart here, also when another replica works for one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from coder_enterprise.client.errors import OperatorError
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.result import invalid_spec
from coder_enterprise.controller.status import summary
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.base import Change, ConnectionKind, Context, ManagedKind, Observation, stalled
from coder_enterprise.kinds.common import AdoptionPolicy, ManagedSpec, ManagementPolicy
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import CLAIM, Key, Resource


@dataclass(frozen=True)
class Work:
    """One reconcile's own things."""

    kind: ManagedKind[Any, Any]
    spec: ManagedSpec
    context: Context
    claim: str


def parse(kind: ManagedKind[Any, Any], resource: Resource) -> ManagedSpec:
    """Raises `KindError` for what admission let through and the kind does not understand."""
    try:
        spec: ManagedSpec = kind.spec_model.model_validate(resource.spec)
    except ValidationError as error:
        raise invalid_spec(error) from None
    return spec


def claim_of(resource: Resource, name: str) -> str:
    """What the object is annotated with while that name in Coder is its own."""
    return f"{resource.uid}/{name}"


class Ownership:
    def __init__(self, connection_kind: ConnectionKind[Any], store: Store, connections: Connections) -> None:
        self._connection_kind = connection_kind
        self._store = store
        self._connections = connections

    def deployment_of(self, resource: Resource) -> Key:
        return Key(self._connection_kind.names.kind, *resource.deployment)

    def is_ours(self, work: Work, resource: Resource, observed: Observation) -> bool:
        if observed.external_id is None or observed.external_id == resource.external_id:
            return True
        return observed.intended or (resource.external_id is None and resource.annotations.get(CLAIM) == work.claim)

    def require(self, work: Work, resource: Resource, observed: Observation, changes: Sequence[Change]) -> None:
        if self.is_ours(work, resource, observed):
            return
        name = work.kind.title(resource, work.spec)
        holders = self.holders(resource, observed.external_id)
        if holders:
            raise stalled(
                Reason.CONFLICT,
                f"{name} ({observed.external_id}) belongs to {holders[0].key} already; remove one of the two",
            )
        policy = work.spec.adoption_policy
        if (
            observed.free
            or policy is AdoptionPolicy.ADOPT
            or (policy is AdoptionPolicy.ADOPT_IF_IDENTICAL and not changes)
        ):
            return
        differs = summary(changes) or "it is identical"
        if policy is AdoptionPolicy.FAIL:
            raise stalled(
                Reason.ALREADY_EXISTS,
                f"{name} exists in Coder already ({observed.external_id}) and was not made by this object: "
                f"{differs}; set spec.adoptionPolicy to AdoptIfIdentical or Adopt to take it over, or name another",
                changes,
            )
        raise stalled(
            Reason.NOT_IDENTICAL,
            f"{name} exists in Coder already ({observed.external_id}) and differs: {differs}; change spec, or set "
            "spec.adoptionPolicy to Adopt",
            changes,
        )

    async def refuse_rivals(self, work: Work, resource: Resource) -> None:
        """Two objects, one thing in Coder: who recorded it, else the oldest, wins."""
        if work.spec.management_policy is ManagementPolicy.OBSERVE:
            return
        name = work.kind.external_name(resource, work.spec)
        mine = _precedence(resource, name)
        identity = ""
        named = self._store.find(("name", resource.key.kind, name))
        # Under another name, or by id, another one may have recorded the same thing at the same moment.
        held = self._store.find(("id", resource.key.kind, resource.external_id)) if resource.external_id else ()
        for key in dict.fromkeys((*named, *held)):
            other = self._store.get(key)
            if other is None or key == resource.key:
                continue
            if _precedence(other, name) > mine if key in named else other.age > resource.age:
                continue
            identity = identity or await work.kind.identity(work.context, resource, work.spec)
            if await self._claims(work, other, identity):
                raise stalled(
                    Reason.CONFLICT,
                    f"{key.kind} {key.namespace}/{key.name} claims the same thing in Coder and was first; "
                    "remove one of the two",
                )

    def holders(self, resource: Resource, external_id: str | None) -> list[Resource]:
        """Other objects that have recorded this id of the same server."""
        found = (self._store.get(key) for key in self._store.find(("id", resource.key.kind, external_id)))
        return [
            other
            for other in found
            if other is not None and other.key != resource.key and self._on_one_server(resource, other)
        ]

    async def _claims(self, work: Work, other: Resource, identity: str) -> bool:
        try:
            spec = parse(work.kind, other)
        except OperatorError:
            return False
        if spec.management_policy is not ManagementPolicy.ENFORCE:
            return False
        if self._url(self.deployment_of(other)) != work.context.client.settings.url:
            return False
        try:
            return await work.kind.identity(work.context, other, spec) == identity
        except OperatorError:
            return False

    def _on_one_server(self, resource: Resource, other: Resource) -> bool:
        """Whether both refer to the same Coder; unless the opposite is known, they do."""
        keys = (self.deployment_of(resource), self.deployment_of(other))
        urls = {self._url(key) for key in keys} - {None}
        return keys[0] == keys[1] or len(urls) < 2

    def _url(self, deployment: Key) -> str | None:
        """Where that Coder is; None when nobody knows. Also of a deployment that another replica works for."""
        connection = self._connections.get(deployment)
        if connection is not None and connection.settings is not None:
            return connection.settings.url
        declared = self._store.get(deployment)
        if declared is None:
            return None
        try:
            return self._connection_kind.url(self._connection_kind.spec_model.model_validate(declared.spec))
        except ValidationError:
            return None


def _precedence(resource: Resource, name: str) -> tuple[bool, bool, tuple[str, str]]:
    """Sorts first who has claimed that very name before, then who has an id, then the oldest."""
    claimed = resource.annotations.get(CLAIM) == claim_of(resource, name)
    return (not claimed, resource.external_id is None, resource.age)

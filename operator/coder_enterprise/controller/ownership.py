"""Whose a thing in Coder is: nobody's yet, this object's, another's, or somebody's outside Kubernetes.

Asked by the reconcile and by the deletion of objects; it writes nothing. Two objects that claim one thing are told
apart here, also when another replica works for one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from coder_enterprise.client.errors import OperatorError
from coder_enterprise.controller.admission import Admission
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.result import invalid_spec
from coder_enterprise.controller.status import summary
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.base import Change, Context, ManagedKind, Observation, stalled
from coder_enterprise.kinds.common import AdoptionPolicy, ManagedSpec, ManagementPolicy
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Resource


@dataclass(frozen=True)
class Work:
    """One reconcile's own things."""

    kind: ManagedKind[Any, Any]
    spec: ManagedSpec
    context: Context
    name: str
    """What it is called in Coder, as the kind tells objects apart."""


def parse(kind: ManagedKind[Any, Any], resource: Resource) -> ManagedSpec:
    """Raises `KindError` for what admission let through and the kind does not understand."""
    try:
        spec: ManagedSpec = kind.spec_model.model_validate(resource.spec)
    except ValidationError as error:
        raise invalid_spec(error) from None
    return spec


def understood(kind: ManagedKind[Any, Any], resource: Resource) -> ManagedSpec | None:
    """None for what `parse` raises for."""
    try:
        return parse(kind, resource)
    except OperatorError:
        return None


class Ownership:
    def __init__(self, store: Store, admission: Admission, claims: Claims) -> None:
        self._store = store
        self._admission = admission
        self._claims = claims

    def is_ours(self, work: Work, resource: Resource, observed: Observation) -> bool:
        if observed.external_id is None or observed.external_id == resource.external_id:
            return True
        return observed.intended or (resource.external_id is None and self._claims.proves(resource, work.name))

    async def require(self, work: Work, resource: Resource, observed: Observation, changes: Sequence[Change]) -> None:
        if self.is_ours(work, resource, observed):
            return
        name = work.kind.title(resource, work.spec)
        holders = await self.holders(work.kind, work.context, resource, observed.external_id)
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
        name = work.name
        mine = self._precedence(resource, name)
        identity = ""
        named = self._store.find(("name", resource.key.kind, name))
        # Under another name, or by id, another one may have recorded the same thing at the same moment.
        held = self._store.find(("id", resource.key.kind, resource.external_id)) if resource.external_id else ()
        for key in dict.fromkeys((*named, *held)):
            other = self._store.get(key)
            if other is None or key == resource.key:
                continue
            if self._precedence(other, name) > mine if key in named else self._rank(other) > self._rank(resource):
                continue
            if not await self._counts(work.kind, work.context, other, resource):
                continue
            identity = identity or await work.kind.identity(work.context, resource, work.spec)
            if await self._is_rival(work, other, identity):
                raise stalled(
                    Reason.CONFLICT,
                    f"{key.kind} {key.namespace}/{key.name} claims the same thing in Coder and was first; "
                    "remove one of the two",
                )

    async def explain_taken(self, work: Work, resource: Resource, refusal: OperatorError) -> OperatorError:
        """Why a new name is refused: `refusal` itself, or which of our objects has it still. Two that wait for each
        other's name would wait for ever: neither gives up its own before it has the other."""
        status = {key: value for key, value in resource.status.items() if key != "id"}
        by_name = await work.kind.observe(work.context, replace(resource, status=status), work.spec, fresh=True)
        if by_name.external_id is None:
            return refusal
        holders = await self.holders(work.kind, work.context, resource, by_name.external_id)
        if not holders:
            return refusal
        return stalled(
            Reason.ALREADY_EXISTS,
            f"{work.kind.title(resource, work.spec)} is still the name of {holders[0].key} in Coder "
            f"({by_name.external_id}); if that object waits for a name too, give one of the two a third name first",
        )

    async def holders(
        self, kind: ManagedKind[Any, Any], context: Context, resource: Resource, external_id: str | None
    ) -> list[Resource]:
        """Other objects that have recorded this id of the same server, with that server's consent."""
        found = (self._store.get(key) for key in self._store.find(("id", resource.key.kind, external_id)))
        return [
            other
            for other in found
            if other is not None and other.key != resource.key and await self._counts(kind, context, other, resource)
        ]

    async def _is_rival(self, work: Work, other: Resource, identity: str) -> bool:
        spec = understood(work.kind, other)
        if spec is None or spec.management_policy is not ManagementPolicy.ENFORCE:
            return False
        try:
            return await work.kind.identity(work.context, other, spec) == identity
        except OperatorError:
            return False

    async def _counts(self, kind: ManagedKind[Any, Any], context: Context, other: Resource, resource: Resource) -> bool:
        """Whether the other one may call the same Coder at all: who may not has no say about what is there. Neither has
        one whose CoderDeployment is another, with the token of somebody who is no owner there, where ours is one's:
        anybody with an account can declare that."""
        if self._admission.deployment_of(other) != self._admission.deployment_of(resource):
            if self._admission.server_of(other) != context.client.settings.url:
                return False
            if self._admission.acts_as_owner(resource) and not self._admission.acts_as_owner(other):
                return False
        return await self._admission.permits(kind, other, understood(kind, other))

    def _precedence(self, resource: Resource, name: str) -> tuple[bool, bool, tuple[bool, tuple[str, str]]]:
        """Sorts first who has claimed that very name before, then who has an id, then by rank."""
        return (not self._claims.proves(resource, name), resource.external_id is None, self._rank(resource))

    def _rank(self, resource: Resource) -> tuple[bool, tuple[str, str]]:
        """Sorts first who acts as an owner in Coder, then the oldest."""
        return (not self._admission.acts_as_owner(resource), resource.age)

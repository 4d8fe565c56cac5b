"""Whose a thing in Coder is: nobody's yet, this object's, another's, or somebody's outside Kubernetes.

Asked by the reconcile and by the deletion of objects; it writes nothing, and remembers who lost against whom. It
gathers the facts, from the store, from claims and from what CoderDeployments allow; what follows from them,
`kinds.machinery.ownership` says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from coder_enterprise.client.errors import OperatorError
from coder_enterprise.controller.admission import Admission
from coder_enterprise.controller.claims import Claims
from coder_enterprise.controller.index import with_id, with_name
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.visit import Visit, understood
from coder_enterprise.kinds.machinery import ownership
from coder_enterprise.kinds.machinery.base import Context, ManagedKind, Observation
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import ManagementPolicy
from coder_enterprise.kinds.machinery.errors import stalled
from coder_enterprise.kinds.machinery.ownership import Finding, Foreign, Precedence, Rank
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import EXTERNAL_ID, Key, Resource


class Ownership:
    def __init__(self, store: Store, admission: Admission, claims: Claims) -> None:
        self._store = store
        self._admission = admission
        self._claims = claims
        self._lost: defaultdict[Key, set[Key]] = defaultdict(set)

    def freed_by(self, winner: Key) -> set[Key]:
        """Who has lost against it, also under another name, since this was asked last."""
        return self._lost.pop(winner, set())

    def is_ours(self, visit: Visit, resource: Resource, observed: Observation) -> bool:
        proven = resource.external_id is None and self._claims.proves(resource, visit.name)
        return ownership.is_ours(Finding(observed, resource.external_id, proven))

    def adopts(self, visit: Visit, resource: Resource, observed: Observation) -> bool:
        """Whether it is there, somebody has decided about it, and nothing says that the object has made it."""
        there = observed.external_id is not None and not observed.free
        return there and resource.external_id is None and not self.is_ours(visit, resource, observed)

    async def require(self, visit: Visit, resource: Resource, observed: Observation, changes: Sequence[Change]) -> None:
        if self.is_ours(visit, resource, observed):
            return
        holders = await self.holders(visit.kind, visit.context, resource, observed.external_id)
        foreign = Foreign(
            title=visit.kind.title(resource, visit.spec),
            observed=observed,
            holder=holders[0].key if holders else None,
            policy=visit.spec.adoption_policy,
            changes=changes,
        )
        refusal = ownership.refusal(foreign)
        if refusal is not None:
            if foreign.holder is not None:
                self._lost[foreign.holder].add(resource.key)
            raise refusal

    async def refuse_rivals(self, visit: Visit, resource: Resource) -> None:
        """Two objects, one thing in Coder: who recorded it, else the oldest, wins."""
        if visit.spec.management_policy is ManagementPolicy.OBSERVE:
            return
        name = visit.name
        named = self._store.find(with_name(resource.key.kind, name))
        # Under another name, or by id, another one may have recorded the same thing at the same moment.
        held = self._store.find(with_id(resource.key.kind, resource.external_id)) if resource.external_id else ()
        others = dict.fromkeys(key for key in (*named, *held) if key != resource.key)
        if not others:
            return
        mine, identity = self._precedence(resource, name), ""
        for key in others:
            other = self._store.get(key)
            if other is None:
                continue
            if self._precedence(other, name) > mine if key in named else self._rank(other) > self._rank(resource):
                continue
            if not await self._counts(visit.kind, visit.context, other, resource):
                continue
            identity = identity or await visit.kind.identity(visit.context, resource, visit.spec)
            if await self._is_rival(visit, other, identity):
                self._lost[key].add(resource.key)
                raise ownership.rival(key)

    async def explain_taken(self, visit: Visit, resource: Resource, refusal: OperatorError) -> OperatorError:
        """Why a new name is refused: `refusal` itself, or which of our objects has it still. Two that wait for each
        other's name would wait for ever: neither gives up its own before it has the other."""
        status = {key: value for key, value in resource.status.items() if key != EXTERNAL_ID}
        by_name = await visit.kind.observe(visit.context, replace(resource, status=status), visit.spec, fresh=True)
        if by_name.external_id is None:
            return refusal
        holders = await self.holders(visit.kind, visit.context, resource, by_name.external_id)
        if not holders:
            return refusal
        return stalled(
            Reason.ALREADY_EXISTS,
            f"{visit.kind.title(resource, visit.spec)} is still the name of {holders[0].key} in Coder "
            f"({by_name.external_id}); if that object waits for a name too, give one of the two a third name first",
        )

    async def holders(
        self, kind: ManagedKind[Any, Any], context: Context, resource: Resource, external_id: str | None
    ) -> list[Resource]:
        """Other objects that have recorded this id of the same server, with that server's consent."""
        if external_id is None:
            return []
        found = (self._store.get(key) for key in self._store.find(with_id(resource.key.kind, external_id)))
        return [
            other
            for other in found
            if other is not None and other.key != resource.key and await self._counts(kind, context, other, resource)
        ]

    async def _is_rival(self, visit: Visit, other: Resource, identity: str) -> bool:
        spec = understood(visit.kind.spec_model, other)
        if spec is None or spec.management_policy is not ManagementPolicy.ENFORCE:
            return False
        try:
            return await visit.kind.identity(visit.context, other, spec) == identity
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
        return await self._admission.permits(kind, other, understood(kind.spec_model, other))

    def _precedence(self, resource: Resource, name: str) -> Precedence:
        proven = self._claims.proves(resource, name)
        return ownership.precedence(resource, proven=proven, acts_as_owner=self._admission.acts_as_owner(resource))

    def _rank(self, resource: Resource) -> Rank:
        return ownership.rank(resource, acts_as_owner=self._admission.acts_as_owner(resource))

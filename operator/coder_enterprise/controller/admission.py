"""Whether anything may be called for an object, and with what: its CoderDeployment's consent, and the way there.

Asked by the reconciler and by the deletion of managed objects before every call, so that there is one answer. Objects
in the CoderDeployment's own namespace always have its consent: who may write there can have its Secret used anyway.
For others, what a CoderDeployment allowed last is remembered when it is gone, for as long as this process works for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.namespaces import Namespaces
from coder_enterprise.controller.result import Parked
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.base import Change, ConnectionKind, Context, KindError, ManagedKind, stalled, waiting
from coder_enterprise.kinds.common import ManagedSpec
from coder_enterprise.kinds.consent import Allowance, Demand, refusal
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Key, Resource

OWNER: Final = "owner"
"""Coder's role that may do everything."""


class Admission:
    def __init__(
        self, connection_kind: ConnectionKind[Any], store: Store, connections: Connections, namespaces: Namespaces
    ) -> None:
        self._connection_kind = connection_kind
        self._store = store
        self._connections = connections
        self._namespaces = namespaces

    def deployment_of(self, resource: Resource) -> Key:
        return Key(self._connection_kind.names.kind, *resource.deployment)

    async def context(self, kind: ManagedKind[Any, Any], resource: Resource, spec: ManagedSpec) -> Context:
        """For a reconcile. Raises `KindError` without consent or without a way, and `Parked` while nobody knows."""
        key = self.deployment_of(resource)
        if self._store.get(key) is None:
            raise waiting(
                Reason.WAITING_FOR_DEPLOYMENT,
                f"spec.deploymentRef: there is no CoderDeployment {key.namespace}/{key.name}; create it",
            )
        await self.require(kind, resource, spec)
        connection = self._connections.get(key)
        if connection is None or connection.probing:
            raise Parked
        context = connection.context()
        if context is None:
            raise _unusable(key, connection.why_not)
        features = connection.probe.features if connection.probe else None
        if kind.feature and features is not None and not features.get(kind.feature, False):
            raise waiting(
                Reason.NOT_ENTITLED,
                f"the feature {kind.feature} is not enabled on this deployment; add a licence",
            )
        return context

    async def context_for_deletion(
        self, kind: ManagedKind[Any, Any], resource: Resource, spec: ManagedSpec | None
    ) -> Context | None:
        """Also with what is remembered; None when there is no CoderDeployment, nor anything known of one.

        Raises `KindError` without consent or without a way, and `Parked` while nobody knows.
        """
        key = self.deployment_of(resource)
        declared = self._declared(key)
        if declared is None:
            return None
        await self.require(kind, resource, spec)
        connection = self._connections.get(key)
        if connection is None or connection.probing:
            raise Parked
        if connection.deleted:
            return None if declared.spec.get("suspend") else connection.context_for_deletion()
        context = connection.context_for_deletion()
        if context is None:
            raise _unusable(key, connection.why_not)
        return context

    async def require(
        self, kind: ManagedKind[Any, Any], resource: Resource, spec: ManagedSpec | None, changes: Sequence[Change] = ()
    ) -> None:
        """Raises `KindError` unless the CoderDeployment lets the object use it, for these changes. What `spec` would
        ask for counts as much as it can when it is None, because nobody understands it."""
        key = self.deployment_of(resource)
        namespace = resource.key.namespace
        if namespace == key.namespace:
            return
        try:
            declared = self._spec(key)
        except ValidationError:
            raise _unusable(key, "its spec is not valid") from None
        entries = () if declared is None else self._connection_kind.allowances(declared)
        demand = Demand(kind.names.kind) if spec is None else kind.demand(spec, changes)
        refused = refusal(await self._entries_for(namespace, entries), namespace, demand)
        if refused:
            raise stalled(Reason.NOT_ALLOWED, f"CoderDeployment {key.namespace}/{key.name} {refused}")

    async def permits(self, kind: ManagedKind[Any, Any], resource: Resource, spec: ManagedSpec | None) -> bool:
        try:
            await self.require(kind, resource, spec)
        except KindError:
            return False
        return True

    async def _entries_for(self, namespace: str, entries: Sequence[Allowance]) -> list[Allowance]:
        """Those for that namespace. Its labels are looked up only where an entry needs them."""
        found = [entry for entry in entries if entry.names(namespace)]
        selecting = [(entry, entry.namespace_selector) for entry in entries if entry.namespace_selector is not None]
        if not selecting:
            return found
        labels = await self._namespaces.labels(namespace)
        if labels is None and not found:
            raise stalled(
                Reason.NOT_ALLOWED,
                f"the operator may not get namespace {namespace}, and so not compare its labels with the selectors of "
                "spec.allow; allow its service account to, or name the namespace in spec.allow",
            )
        return found + [entry for entry, selector in selecting if labels and selector.selects(labels)]

    def server_of(self, resource: Resource) -> str | None:
        """The URL where its deployment's token was accepted; None while that is unknown."""
        key = self.deployment_of(resource)
        try:
            spec = self._spec(key)
        except ValidationError:
            return None
        proven: str | None = self._identity(key).get("url")
        return proven if spec is not None and proven == self._connection_kind.url(spec) else None

    def acts_as_owner(self, resource: Resource) -> bool:
        """Whether its deployment's token is an owner's, as far as is known."""
        return OWNER in (self._identity(self.deployment_of(resource)).get("roles") or ())

    def _identity(self, key: Key) -> Mapping[str, Any]:
        """Whose token it is. Of a deployment that another replica works for, as its status has it, which whoever
        declares a deployment cannot write."""
        connection, declared = self._connections.get(key), self._declared(key)
        if connection is not None and connection.probe is not None and connection.probe.usable:
            return connection.probe.fields.get("identity") or {}
        return (declared.status.get("identity") if declared is not None else None) or {}

    def _declared(self, key: Key) -> Resource | None:
        """The CoderDeployment, or what it was last."""
        declared = self._store.get(key)
        if declared is not None:
            return declared
        connection = self._connections.get(key)
        return connection.last_declared if connection is not None else None

    def _spec(self, key: Key) -> Any:
        declared = self._declared(key)
        return None if declared is None else self._connection_kind.spec_model.model_validate(declared.spec)


def _unusable(key: Key, why: str) -> KindError:
    return waiting(Reason.WAITING_FOR_DEPLOYMENT, f"CoderDeployment {key.namespace}/{key.name} cannot be used: {why}")

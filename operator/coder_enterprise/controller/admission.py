"""Whether anything may be called for an object, and with what: its CoderDeployment's consent, and the way there.

Asked by the reconciler and by the deletion of managed objects before every call, so that there is one answer. Objects
in the CoderDeployment's own namespace always have its consent: who may write there can have its Secret used anyway.
For others, what a CoderDeployment allowed last is remembered when it is gone, for as long as this process works for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from coder_enterprise.controller.connections import Connection, Connections
from coder_enterprise.controller.index import Index
from coder_enterprise.controller.namespaces import Namespaces
from coder_enterprise.controller.result import Parked
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.visit import understood
from coder_enterprise.kinds.machinery.base import Context, ManagedKind
from coder_enterprise.kinds.machinery.changes import Change
from coder_enterprise.kinds.machinery.common import ManagedSpec
from coder_enterprise.kinds.machinery.connection import ConnectionKind
from coder_enterprise.kinds.machinery.consent import Allowance, Demand, entries_for, refusal
from coder_enterprise.kinds.machinery.errors import KindError, stalled, waiting
from coder_enterprise.kinds.machinery.lookups import require_feature
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.kinds.machinery.suspension import suspension

OWNER: Final = "owner"
"""Coder's role that may do everything."""


class Admission:
    def __init__(
        self,
        connection_kind: ConnectionKind[Any],
        store: Store,
        index: Index,
        connections: Connections,
        namespaces: Namespaces,
    ) -> None:
        self._connection_kind = connection_kind
        self._index = index
        self._store = store
        self._connections = connections
        self._namespaces = namespaces

    def deployment_of(self, resource: Resource) -> Key:
        return self._index.deployment_of(resource)

    async def context(self, kind: ManagedKind[Any, Any], resource: Resource, spec: ManagedSpec) -> Context:
        """For a reconcile. Raises `KindError` without consent or without a way, and `Parked` while nobody knows."""
        key = self.deployment_of(resource)
        if self._store.get(key) is None:
            raise waiting(
                Reason.WAITING_FOR_DEPLOYMENT,
                f"spec.deploymentRef: there is no CoderDeployment {key.namespaced_name}; create it",
            )
        await self.require(kind, resource, spec)
        connection = self._asked(key)
        context = connection.context()
        if context is None:
            raise _unusable(key, connection.why_not)
        require_feature(kind, connection.probe.features if connection.probe else None)
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
        connection = self._asked(key)
        if connection.deleted:
            return None if suspension(declared.spec) else connection.context_for_deletion()
        context = connection.context_for_deletion()
        if context is None:
            raise _unusable(key, connection.why_not)
        return context

    def _asked(self, key: Key) -> Connection:
        """Raises `Parked` while nobody knows how it is."""
        connection = self._connections.get(key)
        if connection is None or connection.probing:
            raise Parked
        return connection

    async def require(
        self, kind: ManagedKind[Any, Any], resource: Resource, spec: ManagedSpec | None, changes: Sequence[Change] = ()
    ) -> None:
        """Raises `KindError` unless the CoderDeployment lets the object use it, for these changes. What `spec` would
        ask for counts as much as it can when it is None, because nobody understands it."""
        key = self.deployment_of(resource)
        namespace = resource.key.namespace
        if namespace == key.namespace:
            return
        declared, spec_of_deployment = self._declared(key), self._spec(key)
        if declared is not None and spec_of_deployment is None:
            raise _unusable(key, "its spec is not valid")
        entries = () if spec_of_deployment is None else self._connection_kind.allowances(spec_of_deployment)
        demand = Demand(kind.names.kind) if spec is None else kind.demand(spec, changes)
        refused = refusal(await self._entries_for(namespace, entries), namespace, demand)
        if refused:
            raise stalled(Reason.NOT_ALLOWED, f"CoderDeployment {key.namespaced_name} {refused}")

    async def permits(self, kind: ManagedKind[Any, Any], resource: Resource, spec: ManagedSpec | None) -> bool:
        try:
            await self.require(kind, resource, spec)
        except KindError:
            return False
        return True

    async def _entries_for(self, namespace: str, entries: Sequence[Allowance]) -> Sequence[Allowance]:
        """Those for that namespace. Its labels are looked up only where an entry needs them."""
        if all(entry.namespace_selector is None for entry in entries):
            return entries_for(entries, namespace, None)
        labels = await self._namespaces.labels(namespace)
        found = entries_for(entries, namespace, labels)
        if labels is None and not found:
            raise stalled(
                Reason.NOT_ALLOWED,
                f"the operator may not get namespace {namespace}, and so not compare its labels with the selectors of "
                "spec.allow; allow its service account to, or name the namespace in spec.allow",
            )
        return found

    def server_of(self, resource: Resource) -> str | None:
        """The URL where its deployment's token was accepted; None while that is unknown."""
        key = self.deployment_of(resource)
        spec = self._spec(key)
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
        """None without a CoderDeployment, and for what nobody understands."""
        declared = self._declared(key)
        return None if declared is None else understood(self._connection_kind.spec_model, declared)


def _unusable(key: Key, why: str) -> KindError:
    return waiting(Reason.WAITING_FOR_DEPLOYMENT, f"CoderDeployment {key.namespaced_name} cannot be used: {why}")

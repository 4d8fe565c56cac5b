"""Deletes what an object stands for in Coder, and lets the object go; or lets it go alone.

Called by the reconciler of managed objects. Whatever went first (namespace, Secret, CoderDeployment, server, the thing
itself), an object either goes or says what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from coder_enterprise.client.clock import now
from coder_enterprise.client.errors import Meaning, OperatorError
from coder_enterprise.controller.connections import Connections
from coder_enterprise.controller.events import Recorder
from coder_enterprise.controller.ownership import Ownership, claim_of, parse
from coder_enterprise.controller.result import Again, Parked, Result
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.base import Context, KindError, ManagedKind
from coder_enterprise.kinds.common import DeletionPolicy, ManagementPolicy
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import CLAIM, FINALIZER, FORCE_DETACH, Key, Resource

ORPHAN_GRACE: Final = 10.0
"""Seconds that a CoderDeployment may be missing before objects are deleted without it."""

log = structlog.get_logger(__name__)


class Deletion:
    def __init__(
        self,
        kinds: Mapping[str, ManagedKind[Any, Any]],
        store: Store,
        connections: Connections,
        ownership: Ownership,
        writer: Writer,
        recorder: Recorder,
        ask: Callable[[Key], None],
    ) -> None:
        """`ask` has a deployment say anew how it is."""
        self._kinds = kinds
        self._store = store
        self._connections = connections
        self._ownership = ownership
        self._writer = writer
        self._recorder = recorder
        self._ask = ask
        self._orphaned_at: dict[str, float] = {}
        """Since when objects, by uid, have had no CoderDeployment."""

    async def reconcile(self, resource: Resource) -> Result:
        """One visit. Raises `Parked`, `KindError`, `KubernetesError` and `LeadershipLost`."""
        if FINALIZER not in resource.finalizers:
            return Result()
        reason = self._reason_to_let_go(resource)
        if reason:
            return await self._release(resource, "Released", reason)
        context = self._context_for_deletion(resource)
        if context is None:
            return await self._await_deployment(resource)
        self._orphaned_at.pop(resource.uid, None)
        kind = self._kinds[resource.key.kind]
        try:
            target = await self._find_unrecorded(kind, context, resource)
            if target.external_id is None or self._shared(target):
                return await self._release(resource, "Released", "nothing in Coder belongs to it alone")
            done = await kind.delete(context, target)
        except OperatorError as error:
            raise _deletion_waits(resource, error.message, Meaning.TRANSIENT) from None
        if kind.alters_deployment:
            self._ask(self._ownership.deployment_of(resource))
        if done:
            return await self._release(target, "Released", done)
        return await self._release(target, "Deleted", f"{target.external_id} is deleted from Coder")

    def _reason_to_let_go(self, resource: Resource) -> str:
        """Why Coder is not touched; "" when it must be."""
        left = resource.external_id or "nothing"
        if resource.annotations.get(FORCE_DETACH) == "true":
            return f"detached by annotation; {left} stays in Coder"
        if resource.spec.get("deletionPolicy") == DeletionPolicy.RETAIN:
            return f"deletionPolicy is Retain; {left} stays in Coder"
        policy = resource.spec.get("managementPolicy", ManagementPolicy.ENFORCE)
        if policy != ManagementPolicy.ENFORCE:
            return f"managementPolicy is {policy}; {left} stays in Coder"
        if resource.external_id is None and CLAIM not in resource.annotations:
            return "it was never applied"
        return ""

    def _context_for_deletion(self, resource: Resource) -> Context | None:
        connection = self._connections.get(self._ownership.deployment_of(resource))
        return connection.context_for_deletion() if connection else None

    async def _await_deployment(self, resource: Resource) -> Result:
        """Without a way to reach Coder: wait while its CoderDeployment is there, else let go after a while."""
        key = self._ownership.deployment_of(resource)
        connection = self._connections.get(key)
        if self._store.get(key) is not None:
            self._orphaned_at.pop(resource.uid, None)
            if connection is None or connection.probing:
                raise Parked
            raise _deletion_waits(
                resource,
                f"CoderDeployment {key.namespace}/{key.name} cannot be used: {connection.why_not}",
                Meaning.WAITING,
            )
        left = self._orphaned_at.setdefault(resource.uid, now()) + ORPHAN_GRACE - now()
        if left > 0:
            return Result(Again.AFTER, left, "waiting")
        stays = resource.external_id or resource.annotations.get(CLAIM, "")
        return await self._release(
            resource,
            "Orphaned",
            f"CoderDeployment {key.namespace}/{key.name} is gone, and its credentials with it; {stays} stays in Coder",
        )

    async def _find_unrecorded(self, kind: ManagedKind[Any, Any], context: Context, resource: Resource) -> Resource:
        """After a crash between create and status: what the claim says we were about to create, if it is there."""
        if resource.external_id is not None:
            return resource
        spec = parse(kind, resource)
        if resource.annotations.get(CLAIM) != claim_of(resource, kind.external_name(resource, spec)):
            return resource
        try:
            observed = await kind.observe(context, resource, spec, fresh=True)
        except KindError as error:
            if error.meaning is not Meaning.WAITING:
                raise
            return resource  # what it was to be made in is gone
        if observed.external_id is None:
            return resource
        return await self._writer.status(resource, {**resource.status, "id": observed.external_id})

    def _shared(self, resource: Resource) -> bool:
        """Another object has recorded the same thing, and stays or lets it stay: it is that object's now."""
        holders = self._ownership.holders(resource, resource.external_id)
        return any(not holder.deleting or self._reason_to_let_go(holder) for holder in holders)

    async def _release(self, resource: Resource, event: str, note: str) -> Result:
        say = self._recorder.warning if event == "Orphaned" or FORCE_DETACH in resource.annotations else None
        await self._writer.release(resource)
        self._orphaned_at.pop(resource.uid, None)
        (say or self._recorder.normal)(resource, event, "Delete", note)
        log.info("released", object=str(resource.key), why=note)
        return Result()


def _deletion_waits(resource: Resource, cause: str, meaning: Meaning) -> OperatorError:
    """Waiting for the deployment, whose gate wakes it, or transient, when Coder refused."""
    return KindError(
        Reason.DELETING,
        f"{resource.external_id or 'it'} cannot be deleted from Coder yet: {cause}; to let go without deleting it, "
        f'annotate the object with {FORCE_DETACH}: "true"',
        meaning=meaning,
    )

"""The operator's writes to its own objects: the finalizer, and one status patch per reconcile.

Used by both reconcilers. Each write is fenced, and its answer goes into the store, so that the operator never acts
on a version that is older than what it wrote itself. It never writes `spec`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from coder_enterprise.client.sending import looking
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, Gone
from coder_enterprise.cluster.paths import custom
from coder_enterprise.controller import metrics
from coder_enterprise.controller.pruned import Pruned
from coder_enterprise.controller.status import difference
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.machinery.clipping import clip
from coder_enterprise.kinds.machinery.resource import CLAIM, EXTERNAL_ID, FINALIZER, Resource


class Writer:
    """Writes objects of the kinds in `plurals` (kind to plural); `schemas` are those of their status, which is cut to
    them."""

    def __init__(
        self,
        client: KubernetesClient,
        store: Store,
        plurals: Mapping[str, str],
        fence: Callable[[Resource], None],
        schemas: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._plurals = plurals
        self._fence = fence
        self._schemas = schemas or {}
        self._pruned = Pruned()

    async def status(self, resource: Resource, status: Mapping[str, Any]) -> Resource:
        """Make status equal to `status`; without a difference that would be kept nothing is sent.

        The answer may show an edit that was made meanwhile: the store learns of it, but the reconcile goes on with
        the spec that it has read.
        """
        if status == resource.status:
            return resource  # as most are: to cut it would take longer than all else here
        patch = difference(resource.status, clip(self._schemas.get(resource.key.kind, {}), status))
        if self._pruned.covers(resource.key.kind, patch):
            return resource
        if patch.get(EXTERNAL_ID):
            written = await self._record(resource, patch)
        else:
            written = await self._patch("status", resource, {"status": patch}, "status")
        self._pruned.learn(resource.key.kind, patch, written.status)
        return written.as_read(resource)

    async def _record(self, resource: Resource, patch: Mapping[str, Any]) -> Resource:
        """An id proves whose a thing is, so it must not reach another object that was made in this one's place. Of a
        write to status the API server compares the version, and not the uid."""
        latest = resource
        while True:
            body = {"metadata": {"resourceVersion": latest.resource_version}, "status": patch}
            try:
                return await self._patch("status", latest, body, "status")
            except Conflicted:
                latest = await self._read(latest)

    async def claim(self, resource: Resource, claim: str | None) -> Resource:
        """Before the first create: our finalizer, and the claim of what is about to be created.

        Raises `Conflicted` when the object has changed meanwhile.
        """
        if FINALIZER in resource.finalizers and resource.annotations.get(CLAIM) == claim:
            return resource
        finalizers = [*(name for name in resource.finalizers if name != FINALIZER), FINALIZER]
        return await self._patch("finalizer", resource, _metadata(resource, finalizers, claim))

    async def release(self, resource: Resource) -> Resource:
        """Take our finalizer and claim away, so that the object may go, whatever else changes at the same time."""
        while FINALIZER in resource.finalizers:
            finalizers = [name for name in resource.finalizers if name != FINALIZER]
            try:
                return await self._patch("finalizer", resource, _metadata(resource, finalizers, None))
            except Conflicted:
                resource = await self._read(resource)
        return resource

    async def _patch(self, what: str, resource: Resource, body: Mapping[str, Any], subresource: str = "") -> Resource:
        key = resource.key
        try:
            with looking(partial(self._fence, resource)):
                answer = await self._client.patch(
                    custom(self._plurals[key.kind]), key.namespace, key.name, body, subresource
                )
        except Gone:
            self._store.remove(key, resource.uid)
            raise
        metrics.kubernetes_writes.labels(what).inc()
        return self._learn(resource, answer)

    async def _read(self, resource: Resource) -> Resource:
        key = resource.key
        try:
            answer = await self._client.get(custom(self._plurals[key.kind]), key.namespace, key.name)
        except Gone:
            self._store.remove(key, resource.uid)
            raise
        return self._learn(resource, answer)

    def _learn(self, resource: Resource, answer: Mapping[str, Any]) -> Resource:
        updated = Resource.from_body(resource.key.kind, answer)
        if updated.uid != resource.uid:
            # It was deleted and made anew: the new one is another object, which the watch will bring.
            self._store.remove(resource.key, resource.uid)
            raise Gone(404, "NotFound", f"{resource.key} was replaced by another object of the same name")
        self._store.put(updated)
        return updated


def _metadata(resource: Resource, finalizers: list[str], claim: str | None) -> dict[str, Any]:
    """The version makes the API server refuse it if somebody else changed the list of finalizers meanwhile."""
    return {
        "metadata": {
            "resourceVersion": resource.resource_version,
            "finalizers": finalizers,
            "annotations": {CLAIM: claim},
        }
    }

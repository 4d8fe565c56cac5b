"""What the kinds read and write in Kubernetes beside their own objects: Secrets, workloads, and each other.

Made by the engine, used by the kinds through `Context.cluster`. Each write is fenced, made by server-side apply, and
owned by the object it is for, so that Kubernetes removes it with the object.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from typing_extensions import override

from coder_enterprise.controller import metrics
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.kubernetes import (
    SECRETS,
    WORKLOADS,
    Collection,
    Conflicted,
    Gone,
    KubernetesClient,
    KubernetesError,
)
from coder_enterprise.controller.secrets import secret_values
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds import base
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import GROUP, VERSION, WATCH_LABEL, Key, Resource

WATCHED = {WATCH_LABEL: "true"}
_REFUSED: Final = {400: Reason.REFUSED, 403: Reason.FORBIDDEN, 422: Reason.REFUSED}


class Cluster(base.Cluster):
    def __init__(
        self, client: KubernetesClient, store: Store, fence: Callable[[Resource], None], keepsakes: Keepsakes
    ) -> None:
        self._client = client
        self._store = store
        self._fence = fence
        self._keepsakes = keepsakes

    @override
    def find(self, key: Key) -> Resource | None:
        return self._store.get(key)

    @override
    def left_behind(self, resource: Resource) -> str | None:
        return self._keepsakes.find(resource)

    @override
    async def leave_behind(self, resource: Resource, external_id: str) -> None:
        await self._keepsakes.put(resource, external_id)

    @override
    async def secret(self, resource: Resource, name: str, *, send: bool = False) -> Mapping[str, str] | None:
        with _refusals(f"Secret {resource.key.namespace}/{name}"):
            return await secret_values(self._client, resource.key.namespace, name, send=send)

    @override
    async def write_secret(self, resource: Resource, name: str, values: Mapping[str, str]) -> None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": name, "labels": WATCHED}}
        if await self._get(SECRETS, resource, name) is None:
            await self._create(SECRETS, resource, body)
        await self._apply(SECRETS, resource, {**body, "data": encoded})

    @override
    async def workload(self, resource: Resource, name: str) -> Mapping[str, Any] | None:
        return await self._get(WORKLOADS, resource, name)

    @override
    async def apply_workload(self, resource: Resource, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._apply(WORKLOADS, resource, {"apiVersion": "apps/v1", "kind": "Deployment", **body})

    @override
    async def delete_workload(self, resource: Resource, name: str) -> None:
        known = await self._get(WORKLOADS, resource, name)
        if known is None or not resource.owns(known):
            return
        self._fence(resource)
        with contextlib.suppress(Gone), _refusals(f"Deployment {resource.key.namespace}/{name}"):
            await self._client.delete(WORKLOADS, resource.key.namespace, name)
        metrics.kubernetes_writes.labels(WORKLOADS.plural).inc()

    async def _get(self, collection: Collection, resource: Resource, name: str) -> dict[str, Any] | None:
        try:
            with _refusals(f"{collection.plural} {resource.key.namespace}/{name}"):
                return await self._client.get(collection, resource.key.namespace, name)
        except Gone:
            return None

    async def _create(self, collection: Collection, resource: Resource, body: Mapping[str, Any]) -> None:
        """An apply would take over what somebody else makes at this moment. Raises `KindError` then. What is created is
        empty, because a field that it had could not be taken away by an apply later."""
        self._fence(resource)
        metadata = {**body["metadata"], "ownerReferences": [_owner(resource)]}
        try:
            with _refusals(f"{body['kind']} {resource.key.namespace}/{body['metadata']['name']}"):
                await self._client.create(collection, resource.key.namespace, {**body, "metadata": metadata})
        except Conflicted:
            raise _of_somebody_else(resource, body) from None
        metrics.kubernetes_writes.labels(collection.plural).inc()

    async def _apply(self, collection: Collection, resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        known = await self._get(collection, resource, name)
        if known is not None and not resource.owns(known):
            raise _of_somebody_else(resource, body)
        self._fence(resource)
        metadata = {**body["metadata"], "ownerReferences": [_owner(resource)]}
        if known is not None:
            metadata["uid"] = known["metadata"]["uid"]  # no other one that has come in its place
        with _refusals(f"{body['kind']} {resource.key.namespace}/{name}"):
            applied = await self._client.apply(collection, resource.key.namespace, {**body, "metadata": metadata})
        metrics.kubernetes_writes.labels(collection.plural).inc()
        return applied


def _of_somebody_else(resource: Resource, body: Mapping[str, Any]) -> base.KindError:
    what = f"{body['kind']} {resource.key.namespace}/{body['metadata']['name']}"
    return base.stalled(
        Reason.CONFLICT,
        f"{what} exists and does not belong to this object; remove it, or choose another name in spec",
    )


@contextlib.contextmanager
def _refusals(what: str) -> Iterator[None]:
    """What Kubernetes refuses is said on the object: more of the same would be refused too."""
    try:
        yield
    except KubernetesError as error:
        if error.status not in _REFUSED:
            raise
        advice = "; allow the operator's service account to use it" if error.status == HTTPStatus.FORBIDDEN else ""
        raise base.stalled(_REFUSED[error.status], f"Kubernetes refuses {what}: {error}{advice}") from None


def _owner(resource: Resource) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": resource.key.kind,
        "name": resource.key.name,
        "uid": resource.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }

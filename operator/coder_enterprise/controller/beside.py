"""What the kinds read and write in Kubernetes beside their own objects: Secrets, workloads, and each other.

Made by the engine, used by the kinds through `Context.beside`. Each write is fenced, made by server-side apply, and
owned by the object it is for, so that Kubernetes removes it with the object.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from typing_extensions import override

from coder_enterprise.client.sending import looking
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import Conflicted, Gone, KubernetesError
from coder_enterprise.cluster.paths import SECRETS, WORKLOADS, Collection
from coder_enterprise.cluster.secrets import Secret
from coder_enterprise.cluster.sendable import secret_values
from coder_enterprise.controller import metrics
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.kept_secrets import KeptSecrets
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.machinery import base
from coder_enterprise.kinds.machinery.errors import KindError, stalled
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import GROUP, VERSION, WATCH_LABEL, Key, Resource

WATCHED: Final = {WATCH_LABEL: "true"}
_QUOTA: Final = "exceeded quota"
_RIGHT: Final = " cannot "
"""Kubernetes' words."""
_REFUSED: Final = {400: Reason.REFUSED, 403: Reason.FORBIDDEN, 422: Reason.REFUSED}


class Beside(base.Beside):
    def __init__(
        self,
        client: KubernetesClient,
        store: Store,
        fence: Callable[[Resource], None],
        keepsakes: Keepsakes,
        kept: KeptSecrets,
    ) -> None:
        self._client = client
        self._kept = kept
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
    async def kept_secret(self, resource: Resource, name: str, *, fresh: bool) -> base.KeptSecret | None:
        try:
            with _refusals(f"Secret {resource.key.namespace}/{name}"):
                body = await self._kept.get(resource.key.namespace, name, fresh=fresh)
        except Gone:
            return None
        found = Secret.from_body(body)
        return base.KeptSecret(found.values, intact=resource.owns(body) and found.is_watched)

    @override
    async def write_secret(self, resource: Resource, name: str, values: Mapping[str, str]) -> None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": name, "labels": WATCHED}}
        try:
            if await self._get(SECRETS, resource, name) is None:
                await self._create(SECRETS, resource, body)
            await self._apply(SECRETS, resource, {**body, "data": encoded})
        finally:
            self._kept.changed(resource.key.namespace, name)

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
        what = f"Deployment {resource.key.namespace}/{name}"
        with contextlib.suppress(Gone), _refusals(what), self._fenced(resource):
            await self._client.delete(WORKLOADS, resource.key.namespace, name)
        metrics.kubernetes_writes.labels(WORKLOADS.plural).inc()

    def _fenced(self, resource: Resource) -> AbstractContextManager[None]:
        return looking(partial(self._fence, resource))

    async def _get(self, collection: Collection, resource: Resource, name: str) -> dict[str, Any] | None:
        try:
            with _refusals(f"{collection.plural} {resource.key.namespace}/{name}"):
                return await self._client.get(collection, resource.key.namespace, name)
        except Gone:
            return None

    async def _create(self, collection: Collection, resource: Resource, body: Mapping[str, Any]) -> None:
        """An apply would take over what somebody else makes at this moment. Raises `KindError` then. What is created is
        empty, because a field that it had could not be taken away by an apply later."""
        metadata = {**body["metadata"], "ownerReferences": [_owner(resource)]}
        what = f"{body['kind']} {resource.key.namespace}/{body['metadata']['name']}"
        try:
            with _refusals(what), self._fenced(resource):
                await self._client.create(collection, resource.key.namespace, {**body, "metadata": metadata})
        except Conflicted:
            raise _of_somebody_else(resource, body) from None
        metrics.kubernetes_writes.labels(collection.plural).inc()

    async def _apply(self, collection: Collection, resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        known = await self._get(collection, resource, name)
        if known is not None and not resource.owns(known) and not _is_left_as_it_was(known, body):
            raise _of_somebody_else(resource, body)
        metadata = {**body["metadata"], "ownerReferences": [_owner(resource)]}
        if known is not None:
            metadata["uid"] = known["metadata"]["uid"]  # no other one that has come in its place
        with _refusals(f"{body['kind']} {resource.key.namespace}/{name}"), self._fenced(resource):
            applied = await self._client.apply(collection, resource.key.namespace, {**body, "metadata": metadata})
        metrics.kubernetes_writes.labels(collection.plural).inc()
        return applied


def _is_left_as_it_was(known: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Somebody has taken its owner, and nothing else: what is there is what would be written, and nobody's."""
    owners = known["metadata"].get("ownerReferences") or ()
    return not any(owner.get("controller") for owner in owners) and all(
        _holds(known.get(part), body[part]) for part in ("data", "spec") if part in body
    )


def _holds(known: object, wanted: object) -> bool:
    """All that is wanted; the API server adds what it takes for granted."""
    if isinstance(wanted, Mapping):
        return isinstance(known, Mapping) and all(_holds(known.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(known, list) and len(known) == len(wanted) and all(map(_holds, known, wanted))
    return known == wanted


def _of_somebody_else(resource: Resource, body: Mapping[str, Any]) -> KindError:
    what = f"{body['kind']} {resource.key.namespace}/{body['metadata']['name']}"
    return stalled(
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
        raise stalled(_REFUSED[error.status], f"Kubernetes refuses {what}: {error}{_advice(error)}") from None


def _advice(error: KubernetesError) -> str:
    """403 is also what admission says, in words of its own."""
    if error.status != HTTPStatus.FORBIDDEN:
        return ""
    if _QUOTA in str(error):
        return "; raise the ResourceQuota of the namespace, or remove what nobody needs"
    return "; allow the operator's service account to use it" if _RIGHT in str(error) else ""


def _owner(resource: Resource) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": resource.key.kind,
        "name": resource.key.name,
        "uid": resource.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }

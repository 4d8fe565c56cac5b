"""The Kubernetes of a plan: manifests in place of a cluster, and nothing can be written.

Handed to the kinds through `Context.beside`. With a live cluster beside it, what is known of its objects comes first;
see `planner.declared`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from typing_extensions import override

from coder_enterprise.kinds.machinery import base
from coder_enterprise.kinds.machinery.resource import Key, Resource
from coder_enterprise.planner.manifests import secret_values


class BesideManifests(base.Beside):
    def __init__(self, objects: Mapping[Key, Resource], secrets: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """`secrets` are bodies, by namespace and name."""
        self._objects = objects
        self._secrets = secrets

    @override
    def find(self, key: Key) -> Resource | None:
        return self._objects.get(key)

    @override
    def left_behind(self, resource: Resource) -> str | None:
        return None

    @override
    async def secret(self, resource: Resource, name: str, *, send: bool = False) -> Mapping[str, str] | None:
        body = self._secrets.get((resource.key.namespace, name))
        return None if body is None else secret_values(body)

    @override
    async def kept_secret(self, resource: Resource, name: str, *, fresh: bool) -> base.KeptSecret | None:
        values = await self.secret(resource, name)
        return None if values is None else base.KeptSecret(values)

    @override
    async def workload(self, resource: Resource, name: str) -> Mapping[str, Any] | None:
        return None

    @override
    async def leave_behind(self, resource: Resource, external_id: str) -> NoReturn:
        raise NotImplementedError("a plan writes nothing")

    @override
    async def write_secret(self, resource: Resource, name: str, values: Mapping[str, str]) -> NoReturn:
        raise NotImplementedError("a plan writes nothing")

    @override
    async def apply_workload(self, resource: Resource, body: Mapping[str, Any]) -> NoReturn:
        raise NotImplementedError("a plan writes nothing")

    @override
    async def delete_workload(self, resource: Resource, name: str) -> NoReturn:
        raise NotImplementedError("a plan writes nothing")

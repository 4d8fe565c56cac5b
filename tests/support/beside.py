"""What stands in Kubernetes beside an object, for tests of kinds: Secrets, workloads and others, in dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from coder_enterprise.kinds.machinery import base
from coder_enterprise.kinds.machinery.resource import Key, Resource

Name = tuple[str, str]
"""Namespace and name."""


class Beside(base.Beside):
    def __init__(self) -> None:
        self.objects: dict[Key, Resource] = {}
        self.secrets: dict[Name, dict[str, str]] = {}
        self.stomped: set[str] = set()
        """Secrets whose label or owner somebody has taken."""
        self.workloads: dict[Name, dict[str, Any]] = {}
        self.left: dict[Key, str] = {}
        self.writes: list[str] = []

    @override
    def find(self, key: Key) -> Resource | None:
        return self.objects.get(key)

    @override
    def left_behind(self, resource: Resource) -> str | None:
        return self.left.get(resource.key)

    @override
    async def leave_behind(self, resource: Resource, external_id: str) -> None:
        self.left[resource.key] = external_id

    @override
    async def secret(self, resource: Resource, name: str, *, send: bool = False) -> Mapping[str, str] | None:
        return self.secrets.get((resource.key.namespace, name))

    @override
    async def kept_secret(self, resource: Resource, name: str, *, fresh: bool) -> base.KeptSecret | None:
        values = await self.secret(resource, name)
        return None if values is None else base.KeptSecret(values, intact=name not in self.stomped)

    @override
    async def write_secret(self, resource: Resource, name: str, values: Mapping[str, str]) -> None:
        self.writes.append(f"secret {name}")
        self.stomped.discard(name)
        self.secrets[resource.key.namespace, name] = dict(values)

    @override
    async def workload(self, resource: Resource, name: str) -> Mapping[str, Any] | None:
        return self.workloads.get((resource.key.namespace, name))

    @override
    async def apply_workload(self, resource: Resource, body: Mapping[str, Any]) -> Mapping[str, Any]:
        name = body["metadata"]["name"]
        self.writes.append(f"workload {name}")
        metadata = {**body["metadata"], "ownerReferences": [{"uid": resource.uid}]}
        self.workloads[resource.key.namespace, name] = {**body, "metadata": metadata}
        return body

    @override
    async def delete_workload(self, resource: Resource, name: str) -> None:
        self.writes.append(f"no workload {name}")
        self.workloads.pop((resource.key.namespace, name), None)

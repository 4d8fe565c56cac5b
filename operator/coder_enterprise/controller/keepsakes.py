"""What an object leaves behind for one of the same name that comes back: kept in the status of its CoderDeployment.

Used by `controller.beside`, for the kinds whose deletion leaves something in Coder, such as a suspended person. Only
the operator writes status, so an entry proves that the object was ours. A CoderDeployment that is gone keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.machinery.common import MAX_LEFT_BEHIND
from coder_enterprise.kinds.machinery.moments import timestamp
from coder_enterprise.kinds.machinery.resource import Key, Resource

FIELD: Final = "leftBehind"


class Keepsakes:
    def __init__(self, store: Store, writer: Writer, deployment_of: Callable[[Resource], Key]) -> None:
        self._store = store
        self._writer = writer
        self._deployment_of = deployment_of

    def find(self, resource: Resource) -> str | None:
        """The id of what an object of that kind, namespace and name left behind."""
        deployment = self._store.get(self._deployment_of(resource))
        entry = _entries(deployment).get(_name(resource)) if deployment else None
        return None if entry is None else str(entry["id"])

    async def put(self, resource: Resource, external_id: str) -> None:
        """Raises `KubernetesError` and `LeadershipLost`."""
        deployment = self._store.get(self._deployment_of(resource))
        if deployment is None or self.find(resource) == external_id:
            return
        entries = {**_entries(deployment), _name(resource): {"id": external_id, "at": timestamp(datetime.now(UTC))}}
        oldest_last = sorted(entries.items(), key=lambda entry: str(entry[1]["at"]), reverse=True)
        await self._write(deployment, dict(oldest_last[:MAX_LEFT_BEHIND]))

    async def drop(self, resource: Resource) -> None:
        """It is somebody's again. Raises `KubernetesError` and `LeadershipLost`."""
        deployment = self._store.get(self._deployment_of(resource))
        if deployment is None or self.find(resource) is None:
            return
        left = {name: entry for name, entry in _entries(deployment).items() if name != _name(resource)}
        await self._write(deployment, left)

    async def _write(self, deployment: Resource, entries: Mapping[str, Any]) -> None:
        await self._writer.status(deployment, {**deployment.status, FIELD: dict(entries)})


def _entries(deployment: Resource) -> Mapping[str, Mapping[str, Any]]:
    return deployment.status.get(FIELD) or {}


def _name(resource: Resource) -> str:
    return "/".join(resource.key)

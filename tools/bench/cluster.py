"""The bare requests of the bench: what a script without an operator would send, 32 at a time."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import yaml

from coder_enterprise.kinds.resource import FINALIZER, GROUP, VERSION
from tools.kubernetes.control_plane import ControlPlane
from tools.server_process import CoderServer

IN_FLIGHT: Final = 32
GROUPS: Final = f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/codergroups"
MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}


class Cluster:
    """One control plane and one server, by HTTP."""

    def __init__(self, kubernetes: aiohttp.ClientSession, coder: aiohttp.ClientSession) -> None:
        self._kubernetes = kubernetes
        self._coder = coder

    async def create(self, namespace: str, name: str) -> None:
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "CoderGroup",
            "metadata": {"name": name},
            "spec": {"displayName": "One", "quotaAllowance": 1},
        }
        await self._send("POST", GROUPS.format(namespace=namespace), body)

    async def edit(self, namespace: str, name: str, display_name: str) -> None:
        path = f"{GROUPS.format(namespace=namespace)}/{name}"
        await self._send("PATCH", path, {"spec": {"displayName": display_name}})

    async def finalizer(self, namespace: str, name: str) -> None:
        path = f"{GROUPS.format(namespace=namespace)}/{name}"
        await self._send("PATCH", path, {"metadata": {"finalizers": [FINALIZER], "annotations": {f"{GROUP}/x": name}}})

    async def status(self, namespace: str, name: str, group_id: str) -> None:
        path = f"{GROUPS.format(namespace=namespace)}/{name}/status"
        condition = {
            "status": "True",
            "reason": "Applied",
            "message": "applied",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": 1,
        }
        conditions = [{"type": type_, **condition} for type_ in ("Ready", "Synced")]
        status = {"id": group_id, "name": name, "source": "user", "observedGeneration": 1, "conditions": conditions}
        await self._send("PATCH", path, {"status": status})

    async def create_group(self, name: str) -> str:
        body = {"name": name, "display_name": "One", "quota_allowance": 1}
        async with self._coder.post("/api/v2/organizations/default/groups", json=body) as answer:
            answer.raise_for_status()
            return str((await answer.json())["id"])

    async def display_name(self, name: str) -> str:
        async with self._coder.get(f"/api/v2/organizations/default/groups/{name}") as answer:
            answer.raise_for_status()
            return str((await answer.json())["display_name"])

    async def wait_until_ready(self, namespace: str, count: int) -> None:
        """Follow a watch until that many groups are Ready as they are declared."""
        ready: set[str] = set()
        query = {"watch": "true", "resourceVersion": "0"}
        async with self._kubernetes.get(GROUPS.format(namespace=namespace), params=query) as answer:
            async for line in answer.content:
                body = json.loads(line)["object"]
                if _is_ready(body):
                    ready.add(body["metadata"]["name"])
                if len(ready) >= count:
                    return

    async def versions(self, namespace: str) -> dict[str, str]:
        """The resourceVersion of every group."""
        async with self._kubernetes.get(GROUPS.format(namespace=namespace)) as answer:
            items = (await answer.json())["items"]
        return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}

    async def _send(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        headers = MERGE_PATCH if method == "PATCH" else {}
        async with self._kubernetes.request(method, path, data=json.dumps(body), headers=headers) as answer:
            await answer.read()
            answer.raise_for_status()


@asynccontextmanager
async def connected(plane: ControlPlane, server: CoderServer) -> AsyncIterator[Cluster]:
    token = yaml.safe_load(plane.kubeconfig.read_text())["users"][0]["user"]["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    tls = ssl.create_default_context(cafile=str(plane.ca_file))
    async with (
        aiohttp.ClientSession(
            plane.url, headers=headers, connector=aiohttp.TCPConnector(limit=IN_FLIGHT + 1, ssl=tls),
            read_bufsize=2**22, timeout=aiohttp.ClientTimeout(total=600),
        ) as kubernetes,
        aiohttp.ClientSession(server.url, headers={"Coder-Session-Token": server.token}) as coder,
    ):  # fmt: skip
        yield Cluster(kubernetes, coder)


async def each(count: int, work: Callable[[int], Awaitable[None]]) -> None:
    """`work` for every number below `count`, 32 at a time."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


def _is_ready(body: Mapping[str, Any]) -> bool:
    if body.get("kind") != "CoderGroup":
        return False
    status = body.get("status", {})
    current = status.get("observedGeneration") == body["metadata"]["generation"]
    return current and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in status.get("conditions", ())
    )

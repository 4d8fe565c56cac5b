"""The bare requests of the bench: what a script without an operator would send, 32 at a time."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import yaml

from coder_enterprise.cluster.client import METADATA_ONLY
from coder_enterprise.kinds.machinery.resource import FINALIZER, GROUP, VERSION
from tools.bench.stage import API_VERSION, Stage

IN_FLIGHT: Final = 32
GROUPS: Final = "codergroups"
MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
CODER_GROUPS: Final = "/api/v2/organizations/default/groups"

Body = Mapping[str, Any]


class Cluster:
    """One control plane and its servers, by HTTP."""

    def __init__(self, kubernetes: aiohttp.ClientSession, coders: list[aiohttp.ClientSession]) -> None:
        self._kubernetes = kubernetes
        self._coders = coders

    # Kubernetes

    async def create(self, namespace: str, plural: str, body: Body) -> None:
        await self._send("POST", _path(namespace, plural), {"apiVersion": API_VERSION, **body})

    async def patch(self, namespace: str, plural: str, name: str, body: Body, subresource: str = "") -> None:
        path = f"{_path(namespace, plural)}/{name}" + (f"/{subresource}" if subresource else "")
        await self._send("PATCH", path, body)

    async def delete(self, namespace: str, plural: str, name: str = "") -> None:
        """All of them without a name."""
        await self._send("DELETE", _path(namespace, plural) + (f"/{name}" if name else ""))

    async def edit(self, namespace: str, name: str, display_name: str) -> None:
        await self.patch(namespace, GROUPS, name, {"spec": {"displayName": display_name}})

    async def finalizer(self, namespace: str, name: str) -> None:
        metadata = {"finalizers": [FINALIZER], "annotations": {f"{GROUP}/x": name}}
        await self.patch(namespace, GROUPS, name, {"metadata": metadata})

    async def release(self, namespace: str, name: str) -> None:
        await self.patch(namespace, GROUPS, name, {"metadata": {"finalizers": None}})

    async def status(self, namespace: str, name: str, group_id: str) -> None:
        status = converged_status(name, group_id)
        await self.patch(namespace, GROUPS, name, {"status": status}, "status")

    async def wait_until_ready(
        self, namespace: str, plural: str, count: int, display_name: str = "", condition: str = "Ready"
    ) -> None:
        """Follow a watch until of that many the condition is true as they are declared, if they are called so. A busy
        API server may end one, or refuse it while it reads what there is."""
        ready: set[str] = set()
        query = {"watch": "true", "resourceVersion": "0"}
        endless = aiohttp.ClientTimeout(total=None)
        while len(ready) < count:
            async with self._kubernetes.get(_path(namespace, plural), params=query, timeout=endless) as answer:
                if answer.status != HTTPStatus.OK:
                    await asyncio.sleep(0.1)
                    continue
                async for line in answer.content:
                    body = json.loads(line)["object"]
                    if _is_ready(body, display_name, condition):
                        ready.add(body["metadata"]["name"])
                    if len(ready) >= count:
                        return

    async def wait_until_gone(self, namespace: str, plural: str, name: str = "") -> None:
        """All of them without a name."""
        query = {"limit": "1"} | ({"fieldSelector": f"metadata.name={name}"} if name else {})
        while await self._list(namespace, plural, query):
            await asyncio.sleep(0.1)

    async def not_ready(self, namespace: str, plural: str) -> set[str]:
        """Names of those that are not Ready as they are declared."""
        found = await self._list(namespace, plural, {})
        return {body["metadata"]["name"] for body in found if not _is_ready(body, "", "Ready")}

    async def _list(self, namespace: str, plural: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        async with self._kubernetes.get(_path(namespace, plural), params=query) as answer:
            answer.raise_for_status()
            items: list[dict[str, Any]] = (await answer.json())["items"]
            return items

    async def count(self, namespace: str, plural: str = GROUPS) -> int:
        async with self._kubernetes.get(_path(namespace, plural), params={"limit": "1"}) as answer:
            answer.raise_for_status()
            page = await answer.json()
            return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    async def versions(self, namespace: str, plural: str = GROUPS) -> dict[str, str]:
        """The resourceVersion of every object."""
        versions: dict[str, str] = {}
        query = {"limit": "5000"}
        while True:
            page = await self._page(_path(namespace, plural), query)
            versions |= {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in page["items"]}
            if not (token := page["metadata"].get("continue")):
                return versions
            query["continue"] = token

    async def _page(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Of metadata alone. An API server that is behind etcd says 504, and is asked again."""
        while True:
            async with self._kubernetes.get(path, params=query, headers={"Accept": METADATA_ONLY}) as answer:
                if answer.status != HTTPStatus.GATEWAY_TIMEOUT:
                    answer.raise_for_status()
                    return dict(await answer.json())
            await asyncio.sleep(1)

    # Coder

    async def create_group(self, name: str, coder: int = 0) -> str:
        body = {"name": name, "display_name": "One", "quota_allowance": 1}
        async with self._coders[coder].post(CODER_GROUPS, json=body) as answer:
            answer.raise_for_status()
            return str((await answer.json())["id"])

    async def change_group(self, group_id: str, coder: int = 0, **fields: Any) -> None:
        async with self._coders[coder].patch(f"/api/v2/groups/{group_id}", json=fields) as answer:
            answer.raise_for_status()

    async def delete_group(self, group_id: str, coder: int = 0) -> None:
        async with self._coders[coder].delete(f"/api/v2/groups/{group_id}") as answer:
            answer.raise_for_status()

    async def groups(self, coder: int = 0) -> dict[str, dict[str, Any]]:
        """All of one server, by name."""
        async with self._coders[coder].get(CODER_GROUPS) as answer:
            answer.raise_for_status()
            return {group["name"]: group for group in await answer.json()}

    async def find_group(self, name: str, coder: int = 0) -> dict[str, Any] | None:
        async with self._coders[coder].get(f"{CODER_GROUPS}/{name}") as answer:
            if answer.status == 404:
                return None
            answer.raise_for_status()
            return dict(await answer.json())

    async def display_name(self, name: str, coder: int = 0) -> str:
        found = await self.find_group(name, coder)
        return str(found["display_name"]) if found else ""

    async def _send(self, method: str, path: str, body: Body | None = None) -> None:
        headers = MERGE_PATCH if method == "PATCH" else {}
        data = None if body is None else json.dumps(body)
        async with self._kubernetes.request(method, path, data=data, headers=headers) as answer:
            await answer.read()
            answer.raise_for_status()


@asynccontextmanager
async def connected(stage: Stage) -> AsyncIterator[Cluster]:
    plane = stage.plane
    token = yaml.safe_load(plane.kubeconfig.read_text())["users"][0]["user"]["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    tls = ssl.create_default_context(cafile=str(plane.ca_file))
    async with aiohttp.ClientSession(
        plane.url,
        headers=headers,
        connector=aiohttp.TCPConnector(limit=IN_FLIGHT + 8, ssl=tls),
        read_bufsize=2**22,
        timeout=aiohttp.ClientTimeout(total=600),
    ) as kubernetes:
        coders = [
            aiohttp.ClientSession(coder.url, headers={"Coder-Session-Token": coder.token}) for coder in stage.coders
        ]
        try:
            yield Cluster(kubernetes, coders)
        finally:
            for session in coders:
                await session.close()


async def each(count: int, work: Callable[[int], Awaitable[None]]) -> None:
    """`work` for every number below `count`, 32 at a time."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


def group_body(name: str, deployment: str = "") -> Body:
    """A CoderGroup, of the CoderDeployment that is called so if it is not the usual one."""
    reference = {"deploymentRef": {"name": deployment}} if deployment else {}
    spec = {"displayName": "One", "quotaAllowance": 1, **reference}
    return {"kind": "CoderGroup", "metadata": {"name": name}, "spec": spec}


def converged_status(name: str, group_id: str) -> dict[str, Any]:
    """What the operator would have written."""
    condition = {
        "status": "True",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    ready = {"type": "Ready", "reason": "Applied", "message": "applied", **condition}
    synced = {"type": "Synced", "reason": "InSync", "message": "Coder has what spec declares", **condition}
    return {
        "id": group_id,
        "name": name,
        "source": "user",
        "memberCount": 0,
        "unmanagedMembers": 0,
        "observedGeneration": 1,
        "conditions": [ready, synced],
    }


def _path(namespace: str, plural: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}"


def _is_ready(body: Mapping[str, Any], display_name: str, type_: str) -> bool:
    status = body.get("status")
    if not status or (display_name and body["spec"].get("displayName") != display_name):
        return False
    current = status.get("observedGeneration") == body["metadata"]["generation"]
    return current and any(
        condition["type"] == type_ and condition["status"] == "True" for condition in status.get("conditions", ())
    )

"""Many converged objects in seconds, as a restored backup would bring them: into etcd and Coder's database directly.

For what is measured with a hundred thousand objects when they are there, such as memory, a restart and an hour at rest;
their creation is measured without this. The objects have all that the operator would have written.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.kubeconfig import configuration
from coder_enterprise.controller.claims import Claims
from coder_enterprise.kinds.machinery.resource import CLAIM, FINALIZER, GROUP, Resource
from tools.bench import growth
from tools.bench.cluster import GROUPS, Cluster, converged_status, group_body
from tools.bench.growth import Figures, group_name
from tools.bench.stage import API_VERSION, OPERATED, Stage, deployment_name
from tools.server_process import CoderServer

OPERATIONS: Final = 100
"""In one transaction of etcd, which takes 128 at most."""
MOMENT: Final = "2026-01-01T00:00:00Z"


async def settle(stage: Stage, cluster: Cluster, count: int) -> Figures:
    """From nothing to as many converged objects, with the operator stopped; and what it took when it was idle."""
    stage.operator.start()
    stage.connect()
    idle = await growth.idle(stage)
    stage.operator.stop()
    print("… seeding", file=sys.stderr)
    return {**idle, **await sow(stage, cluster, count)}


async def sow(stage: Stage, cluster: Cluster, count: int) -> Figures:
    """`count` objects, in turns of each CoderDeployment."""
    started = time.perf_counter()
    ids = [str(uuid4()) for _ in range(count)]
    for coder, server in enumerate(stage.coders):
        _into_coder(server, [(ids[number], group_name(number)) for number in range(coder, count, len(stage.coders))])
    claims = Claims()
    async with KubernetesClient(await configuration(stage.plane.kubeconfig, None)) as kubernetes:
        await claims.load(kubernetes, "default")
    async with aiohttp.ClientSession(stage.plane.etcd_url) as etcd:
        for numbers in _batches(range(count)):
            await _put(etcd, [_object(stage, number, ids[number], claims) for number in numbers])
    while await _seen(cluster) < count:
        await asyncio.sleep(0.5)
    return {"seeded_seconds": time.perf_counter() - started}


async def _seen(cluster: Cluster) -> int:
    """The API server's own store follows etcd, and it refuses to answer while that is behind."""
    try:
        return await cluster.count(OPERATED)
    except aiohttp.ClientResponseError:
        return 0


def _batches(numbers: range) -> Iterator[range]:
    for start in range(0, len(numbers), OPERATIONS):
        yield numbers[start : start + OPERATIONS]


def _into_coder(server: CoderServer, groups: Sequence[tuple[str, str]]) -> None:
    with contextlib.closing(sqlite3.connect(server.database)) as connection, connection:
        (home,) = connection.execute("SELECT id FROM organizations").fetchone()
        rows = [(UUID(group_id).hex, home, name, "One", 1) for group_id, name in groups]
        connection.executemany("INSERT INTO groups VALUES (?, ?, ?, ?, '', ?, 'user')", rows)


def _object(stage: Stage, number: int, group_id: str, claims: Claims) -> dict[str, Any]:
    name, coder = group_name(number), number % len(stage.coders)
    body = dict(group_body(name, deployment_name(coder) if coder else ""))
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": OPERATED,
        "uid": str(uuid4()),
        "generation": 1,
        "creationTimestamp": MOMENT,
        "finalizers": [FINALIZER],
        "resourceVersion": "1",
    }
    signed = claims.sign(Resource.from_body("CoderGroup", {"metadata": metadata}), name)
    metadata |= {"annotations": {CLAIM: signed}}
    del metadata["resourceVersion"]  # which etcd gives
    return {"apiVersion": API_VERSION, **body, "metadata": metadata, "status": converged_status(name, group_id)}


async def _put(etcd: aiohttp.ClientSession, objects: Sequence[dict[str, Any]]) -> None:
    puts = [
        {"requestPut": {"key": _key(body["metadata"]["name"]), "value": _text(json.dumps(body))}} for body in objects
    ]
    async with etcd.post("/v3/kv/txn", json={"success": puts}) as answer:
        answer.raise_for_status()


def _key(name: str) -> str:
    return _text(f"/registry/{GROUP}/{GROUPS}/{OPERATED}/{name}")


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

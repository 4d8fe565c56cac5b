"""The scenario `memory`: where the operator's memory goes, part by part, without a cluster.

What imports take is what a new process has resident after each. What an object takes is what the allocator was asked
for, averaged over ten thousand CoderGroups at rest, each decoded from an event of its own as a watch sends it, and over
as many groups and users of Coder from one list. A process has more resident than the sum: pages that are not full, and
what a list needs while it is read.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from coder_enterprise.client.coder import GROUPS
from coder_enterprise.client.indexes import GroupIndex, UserIndex
from coder_enterprise.client.records import UserPage
from coder_enterprise.controller.index import Index
from coder_enterprise.controller.kopf_source import memories
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.machinery.resource import CLAIM, FINALIZER, GROUP, VERSION, Resource
from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS

OBJECTS: Final = 10_000
IMPORTS: Final = (
    ("Python, its event loop and TLS", "asyncio, ssl, logging, json"),
    ("aiohttp", "aiohttp.web"),
    ("pydantic", "pydantic"),
    ("structlog, prometheus_client, uvloop, typer", "structlog, prometheus_client, uvloop, typer"),
    ("the Kubernetes client", "coder_enterprise.cluster.client"),
    ("Kopf", "kopf"),
    ("the client of Coder", "coder_enterprise.client.coder"),
    ("the kinds, with their models and CRDs", "coder_enterprise.kinds.registry"),
    ("the controller", "coder_enterprise.controller.manager"),
)
_RESIDENT: Final = """
import sys
def resident():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
print(resident())
for modules in sys.argv[1:]:
    exec("import " + modules)
    print(resident())
"""


def imports() -> dict[str, float]:
    """MiB that each step of importing the operator adds to a process."""
    command = [sys.executable, "-c", _RESIDENT, *(modules for _, modules in IMPORTS)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    sizes = [0.0, *(int(size) / 1024 for size in told)]
    names = ("the interpreter alone", *(name for name, _ in IMPORTS))
    return {name: after - before for name, (before, after) in zip(names, pairwise(sizes), strict=True)}


def objects() -> dict[str, float]:
    """KiB that each object takes, by part."""
    tracemalloc.start()
    try:
        stored, resources = _kept(_resources)
        both, _ = _kept(lambda: _indexed(resources))
        kopf, _ = _kept(lambda: asyncio.run(_remembered()))
        groups, listed = _kept(lambda: GROUPS.validate_json(json.dumps([_group(n) for n in range(OBJECTS)]).encode()))
        by_group, _ = _kept(lambda: GroupIndex(listed))
        users, people = _kept(lambda: UserPage.model_validate_json(_users()).users)
        by_user, _ = _kept(lambda: UserIndex(people))
    finally:
        tracemalloc.stop()
    return {
        "a CoderGroup: the object": stored,
        "its places in the store and the index": both,
        "what Kopf remembers of it": kopf,
        "its group in Coder": groups,
        "and that group's places in the list": by_group,
        "a user of Coder": users,
        "and the user's places in the list": by_user,
    }


def _kept(make: Callable[[], Any]) -> tuple[float, Any]:
    """KiB for each object of what `make` leaves behind, and that."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    made = make()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    return (after - before) / OBJECTS / 1024, made


def _resources() -> list[Resource]:
    return [Resource.from_body("CoderGroup", json.loads(_event(number))) for number in range(OBJECTS)]


def _indexed(resources: list[Resource]) -> Store:
    store = Store(Index(CONNECTION_KIND, MANAGED_KINDS).terms, lambda *_: None)
    for resource in resources:
        store.put(resource)
    return store


async def _remembered() -> Any:
    kept = memories()
    for number in range(OBJECTS):
        await kept.recall({"metadata": {"uid": _id(number)}})
    return kept


def _id(number: int) -> str:
    return str(UUID(int=0x6F0A_3C00_0000_4000_8000_0000_0000_0000 + number))


def _event(number: int) -> str:
    """A CoderGroup at rest, as a watch sends it; without the managed fields, which nobody keeps."""
    seconds = f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    condition = {"status": "True", "lastTransitionTime": seconds, "observedGeneration": 1}
    return json.dumps(
        {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "CoderGroup",
            "metadata": {
                "name": f"group-{number}",
                "namespace": "bench",
                "uid": _id(number),
                "resourceVersion": str(100_000 + number),
                "generation": 1,
                "creationTimestamp": seconds,
                "finalizers": [FINALIZER],
                "annotations": {CLAIM: f"{number:064x}"},
            },
            "spec": {"displayName": "One", "quotaAllowance": 1},
            "status": {
                "id": _id(number),
                "name": f"group-{number}",
                "source": "user",
                "memberCount": 0,
                "unmanagedMembers": 0,
                "observedGeneration": 1,
                "conditions": [
                    {"type": "Ready", "reason": "Applied", "message": "applied", **condition},
                    {"type": "Synced", "reason": "InSync", "message": "Coder has what spec declares", **condition},
                ],
            },
        }
    )


def _group(number: int) -> dict[str, Any]:
    return {
        "id": _id(number),
        "name": f"group-{number}",
        "organization_id": _id(0),
        "display_name": "One",
        "avatar_url": "",
        "quota_allowance": 1,
        "source": "user",
        "members": [],
    }


def _users() -> bytes:
    users = [
        {
            "id": _id(number),
            "username": f"user-{number}",
            "email": f"user-{number}@example.com",
            "name": "",
            "status": "active",
            "login_type": "password",
            "organization_ids": [_id(0)],
            "roles": [],
        }
        for number in range(OBJECTS)
    ]
    return json.dumps({"users": users, "count": OBJECTS}).encode()

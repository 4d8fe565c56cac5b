"""`python -m tools.bench.naive_operator`: an operator for CoderGroups as most are written with Kopf, to compare with.

Handlers for creation, changes and deletion, and a timer for each object that asks Coder whether it still is as it is
declared. Kopf keeps what it knows where it keeps it by default: in annotations of the objects. Nothing is made slow on
purpose; requests go through the same HTTP library as ours, over one pool of connections. `tools.bench.peers` runs it.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import kopf

from coder_enterprise.kinds.machinery.resource import GROUP, VERSION

INTERVAL: Final = 60.0
"""Seconds between two looks at a group."""
GROUPS: Final = "/api/v2/organizations/default/groups"
URL: Final = "BENCH_CODER_URL"
TOKEN: Final = "BENCH_CODER_TOKEN"  # noqa: S105 - the name of a variable
NAMESPACE: Final = "BENCH_NAMESPACE"
KIND: Final = (GROUP, VERSION, "codergroups")


@kopf.on.login()
def log_in(**arguments: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_kubeconfig(**arguments)


@kopf.on.startup()
async def connect(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    settings.posting.level = 30
    memo.http = aiohttp.ClientSession(os.environ[URL], headers={"Coder-Session-Token": os.environ[TOKEN]})


@kopf.on.cleanup()
async def disconnect(memo: kopf.Memo, **_: Any) -> None:
    await memo.http.close()


@kopf.on.create(*KIND)
async def create(
    name: str | None, spec: kopf.Spec, meta: kopf.Meta, patch: kopf.Patch, memo: kopf.Memo, **_: Any
) -> None:
    async with memo.http.post(GROUPS, json={"name": name, **_wanted(spec)}) as answer:
        answer.raise_for_status()
        group = await answer.json()
    _tell(patch, meta, group["id"])


@kopf.on.update(*KIND, field="spec")
async def update(
    spec: kopf.Spec, status: kopf.Status, meta: kopf.Meta, patch: kopf.Patch, memo: kopf.Memo, **_: Any
) -> None:
    await _change(memo, status["id"], _wanted(spec))
    _tell(patch, meta, status["id"])


@kopf.on.delete(*KIND)
async def delete(status: kopf.Status, memo: kopf.Memo, **_: Any) -> None:
    if "id" in status:
        async with memo.http.delete(f"/api/v2/groups/{status['id']}") as answer:
            if answer.status != 404:
                answer.raise_for_status()


@kopf.timer(*KIND, interval=INTERVAL)
async def look(spec: kopf.Spec, status: kopf.Status, memo: kopf.Memo, **_: Any) -> None:
    if "id" not in status:
        return
    async with memo.http.get(f"/api/v2/groups/{status['id']}") as answer:
        answer.raise_for_status()
        group = await answer.json()
    wanted = _wanted(spec)
    if any(group[field] != value for field, value in wanted.items()):
        await _change(memo, status["id"], wanted)


async def _change(memo: kopf.Memo, group_id: str, fields: dict[str, Any]) -> None:
    async with memo.http.patch(f"/api/v2/groups/{group_id}", json=fields) as answer:
        answer.raise_for_status()


def _wanted(spec: kopf.Spec) -> dict[str, Any]:
    return {"display_name": spec["displayName"], "quota_allowance": spec["quotaAllowance"]}


def _tell(patch: kopf.Patch, meta: kopf.Meta, group_id: str) -> None:
    generation = meta["generation"]
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Applied",
        "message": "applied",
        "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "observedGeneration": generation,
    }
    patch.status["id"] = group_id
    patch.status["observedGeneration"] = generation
    patch.status["conditions"] = [condition]


def main() -> None:
    kopf.configure()
    asyncio.run(kopf.operator(namespaces=[os.environ[NAMESPACE]], standalone=True))


if __name__ == "__main__":
    main()

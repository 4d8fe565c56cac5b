"""The scenario `mix`: objects of all kinds, created at once and in no order, for one CoderDeployment.

Of a hundred objects 25 are users, 15 the permissions of a template, two are workspace proxies and the rest groups with
five members each; beside them one licence and one appearance. A proxy is counted when Coder has it: nothing runs with
its token here.
"""

from __future__ import annotations

import asyncio
import base64
import random
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from tools.bench import endurance, growth, lifecycle
from tools.bench.cluster import Cluster, connected, each
from tools.bench.growth import QUIET
from tools.bench.requests import mark, since
from tools.bench.stage import OPERATED, Stage, stage
from tools.bench.usage import cpu_seconds
from tools.coder_api import CoderAPI
from tools.server_process import license_for_tests

MEMBERS: Final = 5
CONDITIONS: Final = {"coderworkspaceproxies": "Synced"}
"""What is waited for, where it is not Ready."""

Body = Mapping[str, Any]


def measure(count: int) -> dict[str, Any]:
    with stage() as made:

        async def main() -> dict[str, Any]:
            async with connected(made) as cluster:
                return await _measure(made, cluster, count)

        return asyncio.run(main())


async def _measure(stage: Stage, cluster: Cluster, count: int) -> dict[str, Any]:
    numbers = _numbers(count)
    _prepare(stage, numbers["codertemplateacls"])
    stage.operator.start()
    stage.connect()
    idle = dict(await growth.idle(stage))
    objects = sum(numbers.values())
    figures: dict[str, Any] = {"objects": objects, "kinds": numbers, **idle}
    print("… creation", file=sys.stderr)
    figures |= await _creation(stage, cluster, numbers)
    figures |= growth.memory(stage, objects, idle["idle_memory_mib"])
    print("… an hour at rest", file=sys.stderr)
    still = await endurance.hurried_rest(stage, numbers["codergroups"])
    figures |= still.told()
    figures["rest_per_object_hour"] *= numbers["codergroups"] / objects
    figures |= await lifecycle.restart(stage, cluster, numbers["codergroups"], idle["idle_memory_mib"])
    figures["restart_kib_per_object"] *= numbers["codergroups"] / objects
    return figures


async def _creation(stage: Stage, cluster: Cluster, numbers: Mapping[str, int]) -> dict[str, float]:
    objects = [(plural, _body(plural, number, numbers)) for plural, some in numbers.items() for number in range(some)]
    random.Random(1).shuffle(objects)  # noqa: S311 - the same order each time
    pid, start, started = stage.operator.process.pid, mark(stage), time.perf_counter()
    used = cpu_seconds(pid)
    waiting = [
        asyncio.create_task(cluster.wait_until_ready(OPERATED, plural, some, condition=CONDITIONS.get(plural, "Ready")))
        for plural, some in numbers.items()
    ]
    await each(len(objects), lambda number: cluster.create(OPERATED, *objects[number]))
    await asyncio.gather(*waiting)
    taken, used = time.perf_counter() - started, cpu_seconds(pid) - used
    await asyncio.sleep(QUIET)
    sent = since(stage, start)
    return {
        "create_seconds": taken,
        "cpu_ms_per_object": used / len(objects) * 1000,
        "writes_per_object": sent.written / len(objects),
        "coder_per_object": sum(sent.coder.values()) / len(objects),
    }


def _numbers(count: int) -> dict[str, int]:
    some = {
        "coderusers": count * 25 // 100,
        "codertemplateacls": count * 15 // 100,
        "coderworkspaceproxies": max(1, count * 2 // 100),
        "coderlicenses": 1,
        "coderappearances": 1,
    }
    return {"codergroups": count - sum(some.values()), **some}


def _prepare(stage: Stage, templates: int) -> None:
    """What objects refer to: the licence's Secret, and templates, which are no objects of ours."""
    text = base64.b64encode(license_for_tests().encode()).decode()
    stage.plane.kubectl(
        "create", "-n", OPERATED, "-f", "-",
        input=f'{{"apiVersion": "v1", "kind": "Secret", "metadata": {{"name": "licence", "labels": '
        f'{{"enterprise.coder.com/watch": "true"}}}}, "data": {{"license": "{text}"}}}}',
    )  # fmt: skip
    api = CoderAPI(stage.coder.url, stage.coder.token)
    try:
        for number in range(templates):
            api.create_template(f"template-{number}")
    finally:
        api.close()


def _body(plural: str, number: int, numbers: Mapping[str, int]) -> Body:
    people = [f"user-{(number * MEMBERS + member) % numbers['coderusers']}@example.com" for member in range(MEMBERS)]
    kind, spec = {
        "codergroups": ("CoderGroup", {"displayName": "One", "quotaAllowance": 1, "members": {"users": people}}),
        "coderusers": ("CoderUser", {"email": f"user-{number}@example.com", "name": f"User {number}"}),
        "codertemplateacls": (
            "CoderTemplateACL",
            {
                "template": {"name": f"template-{number}"},
                "everyone": "none",
                "users": [{"user": people[0], "role": "admin"}],
                "groups": [{"groupRef": {"name": f"group-{number % numbers['codergroups']}"}, "role": "use"}],
            },
        ),
        "coderworkspaceproxies": (
            "CoderWorkspaceProxy",
            {"displayName": f"Proxy {number}", "tokenSecret": {"name": f"proxy-{number}"}},
        ),
        "coderlicenses": ("CoderLicense", {"secretRef": {"name": "licence"}}),
        "coderappearances": ("CoderAppearance", {"applicationName": "Bench"}),
    }[plural]
    return {"kind": kind, "metadata": {"name": f"{kind.removeprefix('Coder').lower()}-{number}"}, "spec": spec}

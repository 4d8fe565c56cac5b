"""Goes one walk: does its steps, and at each repair waits until all is as it must be and stays so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.faults.walks.oracle import complaints, leaks
from tests.faults.walks.steps import DEPLOYMENTS, SLOTS, Step, script
from tests.faults.walks.world import World
from tests.support.kubernetes import Namespace

QUIET_WITHIN: Final = 90.0
"""Seconds. A replica that was killed is missed after three, and a server that was away is asked again after 15."""
REPAIRS: Final = ("heal", "clear")
"""Steps that end with a look at all that there is."""
AT_REST: Final = 1.5
"""Seconds without a write: longer than anything that was begun takes."""
INTERVAL: Final = 0.5
FAULTS: Final = ("a fault of the operator", "RuntimeError", '"level": "critical"')


def go(steps: Sequence[Step], namespace: Namespace, folder: Path) -> None:
    """Raises AssertionError with what is wrong, and the walk as it is read from a file."""
    with World(namespace, folder) as world:
        done: list[Step] = []
        try:
            for step in steps:
                done.append(step)
                take(world, step)
        except Exception as error:
            print(world.log.read_text()[-20_000:])
            raise AssertionError(f"{error}\n\nThe walk, to be gone again:\n{script(done)}") from error


def take(world: World, step: Step) -> None:
    if step.do == "heal":
        world.repair()
        settle(world, complaints)
    elif step.do == "clear":
        world.clear()
        settle(world, leaks)
        world.space.delete(DEPLOYMENTS, "coder")
        world.space.wait_until_gone(DEPLOYMENTS, "coder")
    else:
        world.do(step)


def settle(world: World, wrong: Callable[[World], list[str]]) -> None:
    """Until nothing is wrong, and nothing is written any more."""
    deadline = time.monotonic() + QUIET_WITHIN
    while True:
        world.start_operators()
        found = wrong(world)
        before = state(world)
        if not found:
            time.sleep(AT_REST)
            after = state(world)
            if after == before and not wrong(world):
                break
            found = [
                f"it is written still: {[pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]]}"
            ]
        assert time.monotonic() < deadline, "\n".join(found)
        time.sleep(INTERVAL)
    log = world.log.read_text()
    faults = [
        line[:1000] for line in log.splitlines() if line.startswith("Traceback") or any(word in line for word in FAULTS)
    ]
    assert not faults, f"the operator has a fault: {faults[0]}"


def state(world: World) -> list[str]:
    """Whatever changes when the operator writes anything, anywhere."""
    kinds = (DEPLOYMENTS, *dict.fromkeys(slot.kind for slot in SLOTS.values()), "Secret", "Deployment", "Event")
    bodies = [body for kind in kinds for body in world.space.all(kind)]
    versions = [f"{body['metadata']['name']} {body['metadata']['resourceVersion']}" for body in bodies]
    return [f"{world.coder.audit_count()} changes in Coder", *sorted(versions)]

"""Objects are given back, and a failure leaves nobody at work with a client that is about to be closed."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller.release import Release
from coder_enterprise.kinds.machinery.resource import FINALIZER
from tests.support.engine import FakeKubernetes

pytestmark = pytest.mark.looptime


def held(count: int) -> FakeKubernetes:
    kubernetes = FakeKubernetes()
    for number in range(count):
        kubernetes.apply("things", f"t{number}")
        kubernetes.finalize("things", f"t{number}", FINALIZER)
    return kubernetes


def release(kubernetes: FakeKubernetes, told: list[str]) -> Release:
    return Release(cast("KubernetesClient", kubernetes), {"Thing": "things"}, told.append)


async def test_all_objects_are_released_and_counted() -> None:
    kubernetes, told = held(100), list[str]()
    assert await release(kubernetes, told).run() == len(told) == 100
    assert not any(body["metadata"]["finalizers"] for body in kubernetes.objects.values())


async def test_after_a_failure_nothing_is_written_any_more() -> None:
    kubernetes = held(100)
    kubernetes.fault = lambda verb, _: (
        KubernetesError(500, "InternalError", "no") if verb == "patch" and len(kubernetes.writes) >= 10 else None
    )
    with pytest.raises(KubernetesError, match="no"):
        await release(kubernetes, []).run()
    written = len(kubernetes.writes)
    await asyncio.sleep(60)
    assert len(kubernetes.writes) == written
    assert asyncio.all_tasks() == {asyncio.current_task()}

"""What stands beside an object: what Kubernetes refuses is said, and what it cannot do now is tried again."""

from __future__ import annotations

from typing import Any, cast

import pytest

from coder_enterprise.controller.cluster import Cluster
from coder_enterprise.controller.kubernetes import KubernetesClient, KubernetesError
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.base import KindError
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Resource
from tests.support.engine import FakeKubernetes

META: dict[str, Any] = {"namespace": "team", "name": "one", "uid": "u1", "resourceVersion": "1"}
ONE = Resource.from_body("Thing", {"metadata": META})


@pytest.fixture
def kubernetes() -> FakeKubernetes:
    return FakeKubernetes()


@pytest.fixture
def cluster(kubernetes: FakeKubernetes) -> Cluster:
    store = Store(lambda _: iter(()), lambda *_: None)
    return Cluster(cast("KubernetesClient", kubernetes), store, fence=lambda: None)


@pytest.mark.parametrize(("status", "reason"), [(403, Reason.FORBIDDEN), (422, Reason.REFUSED), (400, Reason.REFUSED)])
async def test_what_kubernetes_refuses_needs_a_person(
    kubernetes: FakeKubernetes, cluster: Cluster, status: int, reason: Reason
) -> None:
    kubernetes.fault = lambda *_: KubernetesError(status, "No", "not you")
    for look in (cluster.secret, cluster.workload):
        with pytest.raises(KindError, match=r"team/eu: .*not you") as raised:
            await look(ONE, "eu")
        assert raised.value.reason == reason


async def test_what_kubernetes_cannot_do_now_is_no_refusal(kubernetes: FakeKubernetes, cluster: Cluster) -> None:
    kubernetes.fault = lambda *_: KubernetesError(500, "InternalError", "etcd is busy")
    with pytest.raises(KubernetesError):
        await cluster.secret(ONE, "eu")


async def test_what_is_not_there_is_none(cluster: Cluster) -> None:
    assert await cluster.secret(ONE, "eu") is None
    assert await cluster.workload(ONE, "eu") is None

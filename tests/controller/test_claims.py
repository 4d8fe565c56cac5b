"""Claims: one key for all replicas, and signatures that nobody else can make."""

from __future__ import annotations

from typing import cast

import pytest

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.marks import CLAIMS as SECRET
from coder_enterprise.controller.claims import Claims
from coder_enterprise.kinds.machinery.resource import CLAIM, Resource
from tests.support.engine import FakeKubernetes

pytestmark = pytest.mark.looptime

SPACE = "operators"


def thing(uid: str = "u1", claim: str | None = None) -> Resource:
    annotations = {} if claim is None else {CLAIM: claim}
    meta = {"namespace": "team", "name": "one", "uid": uid, "resourceVersion": "1", "annotations": annotations}
    return Resource.from_body("Thing", {"metadata": meta})


async def started(kubernetes: FakeKubernetes) -> Claims:
    claims = Claims()
    await claims.load(cast("KubernetesClient", kubernetes), SPACE)
    return claims


async def test_the_first_replica_makes_the_key_and_the_others_have_the_same() -> None:
    kubernetes = FakeKubernetes()
    first, second = await started(kubernetes), await started(kubernetes)
    claim = first.sign(thing(), "one")
    assert second.proves(thing(claim=claim), "one")
    assert list(kubernetes.secrets) == [(SPACE, SECRET)]


async def test_a_replica_that_was_overtaken_takes_the_others_key() -> None:
    kubernetes = FakeKubernetes()
    first = await started(kubernetes)
    key = kubernetes.secrets.pop((SPACE, SECRET))
    kubernetes.fault = lambda verb, _: kubernetes.secrets.update({(SPACE, SECRET): key}) if verb == "create" else None
    second = await started(kubernetes)
    assert second.proves(thing(claim=first.sign(thing(), "one")), "one")


@pytest.mark.parametrize(("uid", "name"), [("u2", "one"), ("u1", "two")])
async def test_a_claim_is_for_one_object_and_one_name(uid: str, name: str) -> None:
    claims = await started(FakeKubernetes())
    assert not claims.proves(thing(uid, claims.sign(thing(), "one")), name)


async def test_another_key_proves_nothing_and_no_claim_is_none() -> None:
    lost, new = await started(FakeKubernetes()), await started(FakeKubernetes())
    assert not new.proves(thing(claim=lost.sign(thing(), "one")), "one")
    assert not new.proves(thing(), "one")
    assert not new.proves(thing(claim="é"), "one")


async def test_an_operator_that_may_not_have_a_key_goes_on_without() -> None:
    kubernetes = FakeKubernetes()
    kubernetes.fault = lambda *_: KubernetesError(403, "Forbidden", "no")
    claims = await started(kubernetes)
    assert claims.sign(thing(), "one") is None
    assert not claims.proves(thing(claim=""), "one")


async def test_a_cluster_that_does_not_answer_is_asked_again() -> None:
    kubernetes = FakeKubernetes()
    kubernetes.fault = lambda *_: KubernetesError(0, "Unreachable", "no answer")
    with pytest.raises(KubernetesError):
        await started(kubernetes)

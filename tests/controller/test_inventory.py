"""What the watch did not tell is found by comparing, and a kind that is absent keeps no other waiting."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.paths import custom
from coder_enterprise.controller.inventory import SWEEP_INTERVAL
from coder_enterprise.controller.watch import Watch
from tests.support.engine import Cluster

pytestmark = pytest.mark.looptime

WITHIN = SWEEP_INTERVAL + 30


class Missed(list[str]):
    """The plurals of kinds whose watch did not tell of a change."""

    def __init__(self, cluster: Cluster) -> None:
        cluster.engine.missed = self.append


def absent(verb: str, plural: str) -> KubernetesError | None:
    return KubernetesError(403, "Forbidden", "no") if (verb, plural) == ("list", "things") else None


async def test_a_change_that_the_watch_did_not_tell_costs_minutes(cluster: Cluster) -> None:
    await cluster.begin()
    missed = Missed(cluster)
    cluster.thing("one", color="red")
    await cluster.until(lambda: cluster.is_applied("one"))
    watch, cluster.kubernetes.watch = cluster.kubernetes.watch, None
    cluster.thing("one", color="blue")
    cluster.thing("two")
    cluster.kubernetes.watch = watch
    await cluster.until(lambda: cluster.is_applied("one") and cluster.is_applied("two"), WITHIN)
    assert missed == ["things"]


async def test_what_vanished_unseen_is_forgotten_within_minutes(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.kubernetes.delete("coderdeployments", "coder", unseen=True)
    await cluster.until(lambda: not list(cluster.engine._store), WITHIN)


async def test_a_change_on_its_way_is_not_missed(cluster: Cluster) -> None:
    await cluster.begin()
    missed = Missed(cluster)
    cluster.kubernetes.watch_lag = 2.0
    cluster.thing("one")
    await cluster.engine.sweep_once()
    assert cluster.is_applied("one")
    assert missed == []


async def test_a_failed_comparison_is_repeated(cluster: Cluster) -> None:
    await cluster.begin()
    watch, cluster.kubernetes.watch = cluster.kubernetes.watch, None
    cluster.thing("one")
    cluster.kubernetes.watch = watch
    refusals = iter([KubernetesError(500, "", "no")])
    cluster.kubernetes.fault = lambda verb, _: next(refusals, None) if verb == "list" else None
    await cluster.until(lambda: cluster.is_applied("one"), 2 * WITHIN)


async def test_a_kind_that_may_not_be_listed_keeps_no_other_waiting_and_is_looked_for_again(cluster: Cluster) -> None:
    cluster.kubernetes.fault = absent
    watch, cluster.kubernetes.watch = cluster.kubernetes.watch, None
    cluster.thing("one")
    cluster.kubernetes.watch = watch
    await cluster.begin()
    things = Watch(custom("things"), None)
    with pytest.raises(KubernetesError, match="no"):
        await cluster.engine.look(things, lambda: None)
    await asyncio.sleep(60)
    assert not cluster.is_applied("one")
    cluster.kubernetes.fault = lambda *_: None
    await cluster.engine.look(things, lambda: None)
    await cluster.until(lambda: cluster.is_applied("one"))

"""What a kind says beyond its plan: how its objects stand, what is theirs, what is no drift, and figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final, cast

import pytest
from prometheus_client import REGISTRY
from typing_extensions import override

from coder_enterprise.client import errors
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.controller.beside import Beside
from coder_enterprise.controller.keepsakes import Keepsakes
from coder_enterprise.controller.kept_secrets import KeptSecrets
from coder_enterprise.controller.store import Store
from coder_enterprise.controller.writer import Writer
from coder_enterprise.kinds.machinery.base import Context, DomainCondition, Progress, Verdict
from coder_enterprise.kinds.machinery.connection import Figure
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Resource
from tests.support.engine import TEAM, Cluster
from tests.support.things import FEATURE, ObservedThing, ThingKind, ThingSpec

pytestmark = pytest.mark.looptime

FINE: Final = Verdict(conditions=(DomainCondition("Valid", "True", Reason.VALID, "for long"),))
SOON: Final = Verdict(conditions=(DomainCondition("Valid", "True", Reason.EXPIRES_SOON, "tomorrow", warns=True),))
OVER: Final = Verdict(
    Progress.STALLED,
    reason=Reason.EXPIRED,
    message="it is over",
    conditions=(DomainCondition("Valid", "False", Reason.EXPIRED, "it is over", warns=True),),
)
FORBIDDEN: Final = 'User "operator" cannot get resource "secrets"'
DAYS: Final = Figure("test_days_left", "Days left, in tests.")


class StandingKind(ThingKind):
    """Things that stand as the test says."""

    alters_deployment = True

    def __init__(self) -> None:
        super().__init__()
        self.stands = FINE
        self.seen: Callable[[ObservedThing], ObservedThing] = lambda observed: observed

    @override
    async def observe(self, context: Context, resource: Resource, spec: ThingSpec, *, fresh: bool) -> ObservedThing:
        return self.seen(await super().observe(context, resource, spec, fresh=fresh))

    @override
    def verdict(self, desired: ThingSpec, observed: ObservedThing) -> Verdict:
        return self.stands


@pytest.fixture
def kind(cluster: Cluster) -> StandingKind:
    cluster.kind = kind = StandingKind()
    return kind


def visit(cluster: Cluster, number: int) -> None:
    cluster.kubernetes.annotate("things", "one", reconcile_requested_at=str(number))


async def visited(cluster: Cluster, number: int) -> None:
    visit(cluster, number)
    await cluster.until(lambda: cluster.status("things", "one").get("lastHandledReconcileAt") == str(number))


async def begin(cluster: Cluster, **spec: str) -> str:
    await cluster.begin()
    cluster.thing("one", **spec)
    await cluster.until(lambda: cluster.is_applied("one"))
    return str(cluster.status("things", "one")["id"])


async def test_a_warning_is_an_event_when_it_comes_and_not_while_it_stays(cluster: Cluster, kind: StandingKind) -> None:
    await begin(cluster)
    assert cluster.events("Valid") == []
    for number, stands in enumerate([SOON, SOON, FINE, SOON]):
        kind.stands = replace(stands)
        await visited(cluster, number)
    await asyncio.sleep(1)
    said = cluster.events("ExpiresSoon")
    assert {(event["type"], event["note"]) for event in said} == {("Warning", "tomorrow")}
    assert sum(event.get("series", {}).get("count", 1) for event in said) == 2


async def test_what_will_not_become_usable_by_itself_is_stalled(cluster: Cluster, kind: StandingKind) -> None:
    await begin(cluster)
    kind.stands = OVER
    await visited(cluster, 1)
    assert (cluster.reason("one"), cluster.condition("Stalled", "one")["status"]) == ("Expired", "True")
    assert cluster.condition("Reconciling", "one") == {}
    kind.stands = FINE
    await visited(cluster, 2)
    assert cluster.condition("Stalled", "one") == {}


async def test_what_follows_from_a_secret_or_the_time_is_no_drift(cluster: Cluster, kind: StandingKind) -> None:
    thing_id = await begin(cluster, color="red")
    kind.seen = lambda observed: replace(observed, moved_on=True)
    cluster.coder.things[thing_id].color = "other"
    await visited(cluster, 1)
    await asyncio.sleep(1)
    assert (cluster.coder.things[thing_id].color, cluster.events("DriftCorrected")) == ("red", [])


async def test_what_an_intent_proves_to_be_ours_is_taken_over(cluster: Cluster, kind: StandingKind) -> None:
    thing_id = await begin(cluster, color="red")
    del cluster.coder.things[thing_id]
    found = cluster.coder.put("one", "blue")
    await visited(cluster, 1)
    assert cluster.reason("one") == "AlreadyExists"
    kind.seen = lambda observed: replace(observed, intended=True)
    await visited(cluster, 2)
    assert (cluster.status("things", "one")["id"], found.id in cluster.coder.things) == (found.id, True)
    assert cluster.coder.things[found.id].color == "red"


@pytest.mark.usefixtures("kind")
async def test_deleting_what_alters_a_deployment_asks_it_at_once(cluster: Cluster) -> None:
    await begin(cluster)
    await asyncio.sleep(60)
    pings = cluster.coder.count("ping")
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.body("things", "one") is None)
    await cluster.until(lambda: cluster.coder.count("ping") > pings, within=1)


async def test_a_licence_that_leaves_its_grace_period_wakes_who_waits(cluster: Cluster, kind: StandingKind) -> None:
    kind.bug = errors.OperatorError("not readable in the grace period")
    cluster.coder.grace = frozenset({FEATURE})
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "InternalError")
    await asyncio.sleep(120)
    kind.bug, cluster.coder.grace = None, frozenset()
    cluster.kubernetes.annotate("coderdeployments", "coder", reconcile_requested_at="now")
    await cluster.until(lambda: cluster.is_applied("one"), within=1)


@pytest.mark.usefixtures("kind")
async def test_figures_of_a_deployment_are_metrics_until_they_are_unknown(cluster: Cluster) -> None:
    def figure() -> float | None:
        return REGISTRY.get_sample_value("coder_enterprise_test_days_left", {"deployment": f"{TEAM}/coder"})

    cluster.coder.figures = {DAYS: 12}
    await cluster.begin()
    assert figure() == 12
    cluster.coder.figures = {}
    cluster.kubernetes.annotate("coderdeployments", "coder", reconcile_requested_at="now")
    await cluster.until(lambda: figure() is None)
    cluster.coder.figures = {DAYS: 11}
    cluster.kubernetes.annotate("coderdeployments", "coder", reconcile_requested_at="later")
    await cluster.until(lambda: figure() == 11)
    cluster.kubernetes.delete("coderdeployments", "coder")
    await cluster.until(lambda: figure() is None)


async def test_a_secret_that_the_operator_may_not_read_is_said(cluster: Cluster) -> None:
    cluster.kubernetes.fault = lambda verb, _: KubernetesError(403, "Forbidden", FORBIDDEN) if verb == "get" else None
    client = cast("KubernetesClient", cluster.kubernetes)
    store = Store(lambda _: (), lambda *_: None)
    keepsakes = Keepsakes(store, Writer(client, store, {}, lambda _: None), lambda thing: thing.key)
    beside = Beside(client, store, lambda _: None, keepsakes, KeptSecrets(client))
    meta = {"namespace": TEAM, "name": "one", "uid": "u", "resourceVersion": "1"}
    with pytest.raises(
        KindError, match=r"refuses Secret team/licence: .*; allow the operator's service account"
    ) as caught:
        await beside.secret(Resource.from_body("Thing", {"metadata": meta}), "licence")
    assert caught.value.reason is Reason.FORBIDDEN

"""A short soak: the long ones are `make soak` and `make nightly`, which also look at memory."""

from __future__ import annotations

from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tools.bench.cluster import connected as connected_to
from tools.bench.soak import MAX_MORE, Soak
from tools.bench.stage import Stage
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

OBJECTS = 12
SECONDS = 6.0


@fault(
    name="steady trouble",
    injected="For seconds here, for twenty minutes by `make nightly`, for an hour by `make soak`: objects are edited, "
    "deleted and made anew, groups change in Coder, and Coder goes away again and again.",
    verdict="Everything is as declared at the end, and neither files nor connections stay open; in the long ones "
    "memory does not grow either.",
)
async def test_steady_trouble_leaves_nothing_behind(
    connected: Namespace, server: CoderServer, operator: OperatorProcess
) -> None:
    place = Stage(connected.plane, [server], operator, connected.name)
    async with connected_to(place) as cluster:
        outcome = await Soak(place, cluster, OBJECTS).run(SECONDS, outage_every=3.0, outage=0.5)
    assert outcome.wrong == []
    assert outcome.outages
    assert all(outcome.acts.values())
    assert max(outcome.more_files, outcome.more_connections) <= MAX_MORE

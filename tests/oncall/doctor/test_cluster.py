"""Findings about a cluster: operators by their Leases, and CRDs of another version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from coder_enterprise.cluster import marks
from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.oncall.doctor import cluster, operators
from coder_enterprise.oncall.doctor.findings import Level

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lease(team: str, scope: str = "", *, age: float = 5, deployment: str = "") -> dict[str, Any]:
    annotations = {marks.DEPLOYMENT: deployment} if deployment else {marks.SCOPE: scope}
    renewed = (NOW - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "metadata": {"namespace": "ops", "labels": {marks.OPERATOR_LABEL: team}, "annotations": annotations},
        "spec": {"renewTime": renewed, "leaseDurationSeconds": 15},
    }


def found(*leases: dict[str, Any]) -> list[tuple[Level, str]]:
    return [(each.level, each.message) for each in operators._operators(leases, NOW)]


def test_replicas_that_share_the_work_are_one_operator() -> None:
    assert found(lease("a"), lease("a"), lease("a", deployment="team/coder")) == [
        (Level.OK, "ops/a: 2 replicas, for all namespaces")
    ]


def test_no_operator_that_lives_is_a_failure_also_when_one_did() -> None:
    assert found() == [(Level.FAILURE, "no operator renews its Lease")]
    assert found(lease("a", age=600)) == [(Level.FAILURE, "no operator renews its Lease; 1 did once")]


def test_two_operators_for_the_same_namespaces_are_warned_of() -> None:
    levels = [level for level, _ in found(lease("a", "one,two"), lease("b", "two,three"), lease("c", "four"))]
    assert levels == [Level.OK, Level.OK, Level.OK, Level.WARNING]
    assert [level for level, _ in found(lease("a"), lease("b", "two"))][-1] is Level.WARNING
    assert [level for level, _ in found(lease("a", "one"), lease("b", "two"))] == [Level.OK, Level.OK]


def test_a_definition_with_another_schema_differs_and_what_kubernetes_fills_in_does_not_count() -> None:
    ours = KINDS[0].crd["spec"]
    filled = {**ours, "conversion": {"strategy": "None"}}
    changed = {**ours, "versions": [{**ours["versions"][0], "schema": {}}]}
    assert (cluster._differs(filled, ours), cluster._differs(changed, ours)) == (False, True)

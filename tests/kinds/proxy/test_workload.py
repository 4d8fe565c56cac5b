"""The Deployment of a workspace proxy, as its part of plan and status."""

from __future__ import annotations

import pytest

from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.proxy.builders import (
    KIND,
    RECORDED,
    conditions,
    deployment,
    observed,
    plan,
    proxy,
    report,
    resource,
    spec,
    verdict,
)
from tests.support.manifests import workload


def test_a_workload_at_rest_is_left_alone() -> None:
    seen = observed(deployment=deployment(available=True))
    assert plan(spec(workload=workload(replicas=2)), seen) == []
    assert verdict(seen, workload=workload(replicas=2)) == (True, "Applied")
    fields = report(seen, workload=workload(replicas=2))
    assert (fields["replicas"], fields["readyReplicas"]) == (2, 2)


def test_a_healthy_proxy_whose_workload_is_not_available_is_not_ready() -> None:
    seen = observed(deployment=deployment(available=False))
    assert verdict(seen, workload=workload(replicas=2)) == (False, "WorkloadUnavailable")
    condition = conditions(seen, workload=workload(replicas=2))["WorkloadAvailable"]
    assert (condition.status, condition.message) == ("False", "0 of 2 replicas are ready; no minimum")


def test_trouble_of_the_workload_is_said_with_that_of_the_proxy() -> None:
    seen = observed(proxy("unregistered", ""), deployment=deployment(available=False))
    found = KIND.verdict(spec(workload=workload(replicas=2)), seen)
    assert (found.reason, "0 of 2 replicas" in found.message) == (Reason.NOT_REGISTERED, True)


def test_a_field_of_the_workload_is_named_with_its_difference() -> None:
    seen = observed(deployment=deployment(available=True))
    [change] = plan(spec(workload=workload(replicas=3)), seen)
    assert change == "spec.workload (Deployment eu-wsproxy spec.replicas): '2' becomes '3'"


@pytest.mark.parametrize(("owner", "expected"), [("u1", ["spec.workload: remove Deployment eu-wsproxy"]), ("u2", [])])
def test_a_workload_that_is_dropped_is_removed_if_it_is_ours(owner: str, expected: list[str]) -> None:
    seen = observed(item=resource(RECORDED | {"selector": "x"}), deployment=deployment(available=True, owner=owner))
    assert plan(spec(), seen) == expected
    assert ("selector" in report(seen)) is (owner != "u1"), "what is still there is not forgotten"

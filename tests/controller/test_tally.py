"""What is counted along with each change is what counting all objects anew would tell."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.controller.tally import Tally
from coder_enterprise.kinds.machinery.resource import Key, Resource

DEPLOYMENTS = [Key("CoderDeployment", "team", name) for name in ("coder", "other")]
NAMES = [f"group-{number}" for number in range(4)]

versions = st.builds(
    lambda deployment, ready: _group("", deployment, ready),
    st.sampled_from([deployment.name for deployment in DEPLOYMENTS]),
    st.sampled_from(["True", "False", ""]),
)


def _deployment_of(resource: Resource) -> Key:
    if resource.key.kind == "CoderDeployment":
        return resource.key
    return Key("CoderDeployment", *resource.deployment)


def _group(name: str, deployment: str, ready: str) -> Resource:
    conditions = [{"type": "Ready", "status": ready, "reason": "Applied" if ready == "True" else "Drifted"}]
    body: dict[str, Any] = {
        "metadata": {"namespace": "team", "name": name, "uid": name, "resourceVersion": "1"},
        "spec": {"deploymentRef": {"name": deployment}},
        "status": {"conditions": conditions if ready else []},
    }
    return Resource.from_body("CoderGroup", body)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.none() | versions)))
def test_it_tells_what_counting_anew_would(changes: list[tuple[str, Resource | None]]) -> None:
    tally, there = Tally(_deployment_of), dict[str, Resource]()
    for name, after in changes:
        tally.note(there.pop(name, None), after)
        if after is not None:
            there[name] = after
    for deployment in DEPLOYMENTS:
        own = [resource for resource in there.values() if _deployment_of(resource) == deployment]
        ready = sum(resource.ready for resource in own)
        assert tally.managed(deployment) == {"total": len(own), "ready": ready}
        standings = Counter((condition or {"status": "Unknown"})["status"] for condition in map(_ready, own))
        counted: Counter[str] = Counter()
        for (_, status, _), count in tally.of([deployment]).items():
            counted[status] += count
        assert counted == standings


def test_a_deployment_is_no_object_of_its_own() -> None:
    tally, deployment = Tally(_deployment_of), DEPLOYMENTS[0]
    body = {"metadata": {"namespace": "team", "name": "coder", "uid": "u", "resourceVersion": "1"}}
    tally.note(None, Resource.from_body("CoderDeployment", body))
    assert tally.managed(deployment) == {"total": 0, "ready": 0}
    assert tally.of([deployment]) == {("CoderDeployment", "Unknown", "Pending"): 1}


def _ready(resource: Resource) -> Any:
    return resource.condition("Ready")

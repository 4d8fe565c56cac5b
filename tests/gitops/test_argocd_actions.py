"""What a person can do to our objects in Argo CD: its own engine runs our Lua, and what comes of it is what we mean."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import yaml

from coder_enterprise.kinds.machinery.moments import present
from coder_enterprise.kinds.machinery.resource import FORCE_DETACH, RECONCILE_REQUESTED_AT
from coder_enterprise.kinds.machinery.suspension import Suspension, suspension
from tests.gitops.resource_overrides import Refused, ResourceOverrides
from tests.support.command import condition
from tests.support.examples import KINDS
from tests.support.kubernetes import Namespace
from tests.support.manifests import API_VERSION, Body, group

ALWAYS: Final = {"reconcile", "suspend", "suspend-for"}
ACTIONS: Final = {*ALWAYS, "resume", "force-detach"}


def body(kind: str = "CoderGroup", *, reason: str = "Applied", deleting: bool = False, **spec: Any) -> Body:
    metadata = {"name": "one", "namespace": "team"} | (
        {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}
    )
    status = {"conditions": [condition("Ready", "Unknown", reason)]}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec, "status": status}


def offered(overrides: ResourceOverrides, of: Body) -> set[str]:
    found = overrides.actions(of)
    assert found.keys() == ACTIONS
    return {name for name, enabled in found.items() if enabled}


def test_every_kind_has_them(overrides: ResourceOverrides) -> None:
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(lambda kind: offered(overrides, body(kind)), KINDS))
    assert seen == [ALWAYS] * len(KINDS)


@pytest.mark.parametrize(
    ("state", "can"),
    [
        (body(suspend=True, reason="Suspended"), {"resume"}),
        (body(suspendUntil="2027-03-01T06:00:00Z", reason="Suspended"), {"suspend", "suspend-for", "resume"}),
        (body(suspendUntil="2020-03-01T06:00:00Z"), {*ALWAYS, "resume"}),
        (body(deleting=True), {*ALWAYS, "force-detach"}),
    ],
    ids=["suspended", "suspended until a time", "was suspended until a time", "is deleted"],
)
def test_only_what_makes_sense_is_offered(overrides: ResourceOverrides, state: Body, can: set[str]) -> None:
    assert offered(overrides, state) == can


def test_what_is_let_go_already_need_not_be_again(overrides: ResourceOverrides) -> None:
    state = body(deleting=True)
    state["metadata"]["annotations"] = {FORCE_DETACH: "true"}
    assert "force-detach" not in offered(overrides, state)


def test_reconcile_and_force_detach_are_annotations_of_ours(overrides: ResourceOverrides) -> None:
    before = body()
    after = overrides.run(before, "reconcile")
    asked = after["metadata"].pop("annotations")
    assert after == before
    assert datetime.fromisoformat(asked[RECONCILE_REQUESTED_AT]) <= present()
    before["metadata"]["annotations"] = asked | {"example.com/other": "stays"}
    after = overrides.run(before, "force-detach")
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"] | {FORCE_DETACH: "true"}


def test_suspend_and_resume_are_fields_of_spec(overrides: ResourceOverrides) -> None:
    suspended = overrides.run(body(displayName="Platform", members={}), "suspend")
    assert suspended["spec"] == {"displayName": "Platform", "members": {}, "suspend": True}
    resumed = overrides.run(body(suspend=True, suspendUntil="2027-03-01T06:00:00Z"), "resume")
    assert resumed["spec"] == {"suspend": False}


def test_a_suspension_of_some_hours_ends_by_itself(overrides: ResourceOverrides) -> None:
    expected = datetime.now(UTC) + timedelta(hours=1.5)
    spec = overrides.run(body(suspend=True), "suspend-for", hours="1.5")["spec"]
    assert spec["suspend"] is False
    found = suspension(spec)
    assert isinstance(found, Suspension)
    assert found.until is not None
    assert abs(found.until - expected) < timedelta(minutes=1)


@pytest.mark.parametrize("hours", ["", "soon", "-1", "nan", "1e9"])
def test_hours_that_are_none_are_refused(overrides: ResourceOverrides, hours: str) -> None:
    with pytest.raises(Refused, match="hours: a number above 0"):
        overrides.run(body(), "suspend-for", hours=hours)


@pytest.mark.parametrize(
    ("action", "parameters"),
    [("reconcile", {}), ("suspend-for", {"hours": "2"}), ("suspend", {}), ("resume", {}), ("force-detach", {})],
)
def test_kubernetes_accepts_what_comes_of_it(
    overrides: ResourceOverrides, namespace: Namespace, action: str, parameters: dict[str, str]
) -> None:
    namespace.apply(group("one", quotaAllowance=2_000_000_000))
    after = overrides.run(namespace.get("CoderGroup", "one"), action, **parameters)
    namespace.plane.kubectl("replace", "-f", "-", input=yaml.safe_dump(after))

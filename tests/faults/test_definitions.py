"""A CustomResourceDefinition is replaced by that of an older and of a newer release while objects are worked on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import group
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess

Body = dict[str, Any]

CURRENT: Final = yaml.safe_load(
    (Path(__file__).parents[2] / "crds" / "enterprise.coder.com_codergroups.yaml").read_text()
)
PROBE: Final = {"suspendUntil": "2030-01-01T00:00:00Z", "colour": "red"}
COUNT: Final = 20
NAMES: Final = [f"group-{number}" for number in range(COUNT)]


def changed(*, spec: Body, status: Body) -> Body:
    """With these fields; those that are None are not there."""
    definition: Body = json.loads(json.dumps(CURRENT))
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for part, fields in (("spec", spec), ("status", status)):
        properties = schema[part]["properties"]
        for name, field in fields.items():
            properties.pop(name, None) if field is None else properties.update({name: field})
    return definition


OLDER: Final = changed(spec={"suspendUntil": None}, status={"memberCount": None, "unmanagedMembers": None})
NEWER: Final = changed(spec={"colour": {"type": "string"}}, status={"shade": {"type": "string"}})


@pytest.fixture
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Whose CRD is the current one again at the end."""
    yield control_plane
    replace(control_plane, CURRENT)


def replace(plane: ControlPlane, definition: Body) -> None:
    """And wait until objects are served as it says."""
    plane.kubectl("replace", "-f", "-", input=json.dumps(definition))
    known = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    declared = json.dumps(group("probe", **PROBE))

    def served() -> bool:
        dry = ["create", "--dry-run=server", "--validate=false", "-n", "default", "-o", "json", "-f", "-"]
        kept = json.loads(plane.kubectl(*dry, input=declared).stdout)["spec"]
        return bool(set(kept) == known.keys() & PROBE.keys())

    wait_until(served, "objects are served so")


def rest(namespace: Namespace, operator: OperatorProcess) -> None:
    """The second resync from now on writes to no group; the first may still put right what was written in between."""

    def lists() -> float:
        lines = [line for line in operator.metrics().splitlines() if "groups.list" in line]
        return sum(float(line.rpartition(" ")[2]) for line in lines if "external_requests_total" in line)

    def writes() -> int:
        return sum(1 for entry in namespace.writes() if entry["objectRef"]["resource"] == "codergroups")

    start = lists()
    wait_until(lambda: lists() >= start + 2, "a resync is over, and another one begins")
    before = writes()
    wait_until(lambda: lists() >= start + 3, "that is over, too")
    assert writes() == before


@fault(
    name="CRD replaced by an older and a newer one",
    injected=(
        "`kubectl replace` of the CRD of groups, while twenty are made, by one that lacks fields of spec and status, "
        "then by one that has further fields, and by the current one again."
    ),
    verdict=(
        "All groups are applied each time, at rest nothing is written although status cannot hold all, and what the "
        "older one dropped is there again."
    ),
)
def test_other_definitions_do_not_stop_the_operator_or_make_it_write_for_ever(
    plane: ControlPlane, connected: Namespace, operator: OperatorProcess, coder: CoderAPI
) -> None:
    connected.patch("CoderDeployment", "coder", {"spec": {"resyncInterval": "5s"}})
    connected.apply(*map(group, NAMES))
    wait_until(lambda: coder.find_group(NAMES[3]), "some groups are made", interval=0.005)
    for number, definition in enumerate((OLDER, NEWER, CURRENT)):
        replace(plane, definition)
        connected.apply(*(group(name, quotaAllowance=number + 1) for name in NAMES))
        for name in NAMES:
            connected.wait_for("CoderGroup", name, "Applied")
        if definition is not CURRENT:
            rest(connected, operator)
        assert {coder.group(name)["quota_allowance"] for name in NAMES} == {number + 1}
    assert operator.process.exit_code is None
    assert connected.status("CoderGroup", NAMES[0])["memberCount"] == 0

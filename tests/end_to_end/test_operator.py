"""The operator as a process: at rest, restarted, killed."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.kubeconfig import configuration
from coder_enterprise.controller.inventory import Inventory
from coder_enterprise.controller.store import Store
from coder_enterprise.kinds.registry import MANAGED_KINDS
from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, members, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

COUNT = 20


def versions(namespace: Namespace) -> dict[str, str]:
    kinds = ("CoderDeployment", "CoderGroup")
    bodies = [body for kind in kinds for body in namespace.all(kind)]
    return {body["metadata"]["uid"]: body["metadata"]["resourceVersion"] for body in bodies}


def audited(server: CoderServer) -> int:
    """How many changes of groups the server has recorded."""
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        (count,) = database.execute("select count(*) from audit_log where resource_type = 'group'").fetchone()
    return int(count)


@pytest.fixture
def settled(connected: Namespace, coder: CoderAPI) -> Namespace:
    """With twenty groups, all applied and counted."""
    coder.create_user("ann")
    connected.apply(*(group(f"group-{number}", members=members("ann")) for number in range(COUNT)))
    for number in range(COUNT):
        connected.wait_for("CoderGroup", f"group-{number}", "Applied")
    wait_until(
        lambda: connected.status("CoderDeployment", "coder")["managedObjects"] == {"total": COUNT, "ready": COUNT},
        "all are counted",
    )
    return connected


def lists_of_groups(operator: OperatorProcess) -> float:
    """How often the operator has listed the groups in Coder."""
    for line in operator.metrics().splitlines():
        if line.startswith("coder_enterprise_external_requests_total") and "groups.list" in line:
            return float(line.rpartition(" ")[2])
    return 0.0


def test_a_system_at_rest_writes_nothing(settled: Namespace, server: CoderServer, operator: OperatorProcess) -> None:
    settled.patch("CoderDeployment", "coder", {"spec": {"resyncInterval": "5s"}})
    start = lists_of_groups(operator)
    wait_until(lambda: lists_of_groups(operator) > start, "the first resync with the new interval")
    before, changes = versions(settled), audited(server)
    start = lists_of_groups(operator)
    wait_until(lambda: lists_of_groups(operator) >= start + 2, "two more resyncs")
    assert versions(settled) == before
    assert audited(server) == changes


async def test_kinds_without_objects_are_compared_as_others(namespace: Namespace) -> None:
    store = Store(lambda _: (), lambda *_: None)
    kinds = {kind.names.plural: kind.names.kind for kind in MANAGED_KINDS}
    async with KubernetesClient(await configuration(namespace.plane.kubeconfig)) as client:
        inventory = Inventory(client, store, kinds, [namespace.name], missed=lambda _: None)
        for plural in kinds:
            await inventory.compare(plural)
    assert len(store) == 0


def test_a_restart_writes_nothing(settled: Namespace, server: CoderServer, operator: OperatorProcess) -> None:
    before, changes = versions(settled), audited(server)
    assert operator.stop() == 0
    operator.start()
    wait_until(lambda: lists_of_groups(operator) >= 1, "the groups are compared")
    settled.apply(group("after"))
    settled.wait_for("CoderGroup", "after", "Applied")
    after = versions(settled)
    group_uids = {body["metadata"]["uid"] for body in settled.all("CoderGroup")}
    assert {uid: version for uid, version in after.items() if uid in before and uid in group_uids} == {
        uid: version for uid, version in before.items() if uid in group_uids
    }
    assert audited(server) == changes + 1


def test_creating_an_object_costs_two_writes_updating_and_deleting_one(settled: Namespace) -> None:
    def writes(since: int) -> list[str]:
        own = [entry for entry in settled.writes()[since:] if entry["objectRef"]["resource"] == "codergroups"]
        return [f"{entry['verb']} {entry['objectRef'].get('subresource', 'object')}" for entry in own]

    start = len(settled.writes())
    settled.apply(group("counted", displayName="One"))
    settled.wait_for("CoderGroup", "counted", "Applied")
    assert writes(start) == ["patch object", "patch status"]
    start = len(settled.writes())
    settled.apply(group("counted", displayName="Two"))
    settled.wait_for("CoderGroup", "counted", "Applied")
    assert writes(start) == ["patch status"]
    start = len(settled.writes())
    settled.delete("CoderGroup", "counted")
    settled.wait_until_gone("CoderGroup", "counted")
    assert writes(start) == ["patch object"]


@fault(
    name="operator killed under load",
    injected="SIGKILL while twenty groups are made.",
    verdict="Each group is there once, and the id that its object has recorded is its own.",
)
def test_a_killed_operator_leaves_no_duplicate_and_nothing_undone(
    connected: Namespace, operator: OperatorProcess, coder: CoderAPI
) -> None:
    connected.apply(*(group(f"group-{number}") for number in range(COUNT)))
    wait_until(lambda: coder.find_group("group-3"), "some groups are made")
    operator.kill()
    operator.start(wait=False)
    for number in range(COUNT):
        connected.wait_for("CoderGroup", f"group-{number}", "Applied", timeout=60)
        recorded = connected.status("CoderGroup", f"group-{number}")["id"]
        assert coder.group(f"group-{number}")["id"] == recorded


@fault(
    name="API server killed",
    injected="SIGKILL of kube-apiserver, which is then started anew.",
    verdict="An object that is made afterwards is applied.",
)
def test_a_restart_of_the_api_server_is_survived(
    control_plane: ControlPlane, settled: Namespace, operator: OperatorProcess
) -> None:
    def applied() -> bool:
        if operator.process.exit_code is not None:  # nobody answered for longer than its Lease allows: as its pod would
            operator.start(wait=False)
        return bool(settled.status("CoderGroup", "after").get("id"))

    control_plane.stop_apiserver()
    control_plane.start_apiserver()
    settled.apply(group("after"))
    wait_until(applied, "the group is applied", timeout=60)


def test_no_secret_appears_anywhere(connected: Namespace, server: CoderServer, operator: OperatorProcess) -> None:
    connected.apply(group("platform"))
    connected.wait_for("CoderGroup", "platform", "Applied")
    shown = [connected.all("CoderDeployment"), connected.all("CoderGroup"), connected.all("Event")]
    for text in (str(shown), operator.text(), operator.metrics(), server.log.read_text()):
        assert server.token not in text
        assert server.token.partition("-")[2] not in text


def test_a_cluster_wide_operator_sees_every_namespace(
    control_plane: ControlPlane, namespace: Namespace, server: CoderServer, tmp_path: Path
) -> None:
    log = tmp_path / "operator.log"
    with OperatorProcess(control_plane.kubeconfig, log, "--lease-namespace", namespace.name):
        namespace.apply(secret(token=server.token), deployment(server.url), group("platform"))
        namespace.wait_for("CoderGroup", "platform", "Applied")


def test_an_operator_without_a_cluster_says_what_to_do(tmp_path: Path) -> None:
    missing = tmp_path / "kubeconfig"
    missing.write_text("{}")
    answer = subprocess.run(
        [sys.executable, "-m", "coder_enterprise", "operator", "--kubeconfig", str(missing)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert answer.returncode == 1
    assert "--kubeconfig" in answer.stderr
    assert "Traceback" not in answer.stderr

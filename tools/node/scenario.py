"""What a user does with the chart, from the first command of the page on installing to the last: called by `inside`.

Each step raises when it does not come true; what it returns is for the verdict.
"""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from tools.commands import StepFailed
from tools.examples import KINDS, TEMPLATES, examples
from tools.node import arbitrary_user, page, two_servers
from tools.node.cluster import NAME, OPERATOR, SERVER, Cluster
from tools.node.load import Load
from tools.node.steps import Step
from tools.server_process import public_keys

GROUP: Final = "contractors"
"""Of the examples; nobody else edits it."""
OURS: Final = "enterprise.coder.com"
LEAVABLE: Final = "namespaces,crds,clusterroles,clusterrolebindings,leases,secrets,persistentvolumeclaims"
"""The kinds of what an uninstall might leave."""


def install(cluster: Cluster) -> None:
    cluster.follow_page("Helm, with the server")


def apply_examples(cluster: Cluster) -> str:
    """All but that of a licence: a new server has one of its own."""
    with cluster.coder() as coder:
        for name in TEMPLATES:
            coder.create_template(name)
    return _apply(cluster, examples(licenses=False))


def apply_license(cluster: Cluster) -> str:
    """The example of one, once the server has keys for it, with which its own goes."""
    keys = json.dumps(public_keys())
    cluster.shell(
        f"helm upgrade {NAME} charts/coder-enterprise --namespace {NAME} --wait --reset-then-reuse-values"
        f" --set-json 'server.licenseKeys={keys}'"
    )
    return _apply(cluster, examples())


def upgrade_and_roll_back(cluster: Cluster) -> None:
    cluster.follow_page("Upgrade")
    cluster.follow_page("Roll back")


def restart_operator(cluster: Cluster) -> str:
    """While a group is edited, and the server asked."""
    with Load(f"{cluster.server_url()}/healthz") as load:
        cluster.kubectl("rollout", "restart", f"deployment/{OPERATOR}")
        edits = 0
        while cluster.is_rolling_out(OPERATOR):
            edits += 1
            _edit_group(cluster, quota=edits)
        cluster.wait_until(lambda: _quota(cluster) == edits, f"Coder has the last of {edits} edits")
    _expect_nothing_lost(load)
    return f"{edits} edits meanwhile, the last is in Coder; {load.report()} by the server"


def restart_server(cluster: Cluster) -> str:
    """With SQLite: a single server ends before the next begins, and what is asked in between is lost."""
    with Load(f"{cluster.server_url()}/healthz") as load:
        cluster.restart(SERVER)
    return f"one server, SQLite: {load.report()}"


def kill_containers(cluster: Cluster) -> str:
    pods = cluster.pods()
    for pod in pods:
        cluster.kill(pod)
    return f"{len(pods)} containers came back; {_wait_for_all(cluster)}"


def uninstall(cluster: Cluster) -> str:
    """With the objects still there."""
    cluster.follow_page("Uninstall")
    left = _what_is_left(cluster)
    if left:
        raise StepFailed(f"the uninstall left {', '.join(left)}")
    return "no namespace, CRD, right or Lease of it is left"


def _apply(cluster: Cluster, bodies: list[dict[str, Any]]) -> str:
    cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(bodies))
    return _wait_for_all(cluster)


def _wait_for_all(cluster: Cluster) -> str:
    cluster.kubectl("wait", "--for=condition=Ready", KINDS, "--all", "--timeout=120s")
    return f"{len(cluster.get(KINDS)['items'])} objects are Ready"


def _edit_group(cluster: Cluster, quota: int) -> None:
    patch = json.dumps({"spec": {"quotaAllowance": quota}})
    cluster.kubectl("patch", "codergroup", GROUP, "--type=merge", "--patch", patch)


def _quota(cluster: Cluster) -> int:
    with cluster.coder() as coder:
        return int(coder.group(GROUP)["quota_allowance"])


def _expect_nothing_lost(load: Load) -> None:
    if load.lost:
        raise StepFailed(f"requests were lost: {load.report()}")


def _what_is_left(cluster: Cluster) -> list[str]:
    found: list[dict[str, Any]] = cluster.node.plane.get(LEAVABLE, "--all-namespaces")["items"]
    names = [f"{body['kind']} {body['metadata']['name']}" for body in found]
    return [name for name in names if NAME in name or OURS in name]


STEPS: Final[list[Step[Cluster]]] = [
    ("Install, as the page says: helm install, helm test", install),
    ("Apply the examples, and all become Ready", apply_examples),
    ("Give the server keys, and apply the example of a licence", apply_license),
    ("Upgrade and roll back, as the page says", upgrade_and_roll_back),
    ("Restart the operator, while it works", restart_operator),
    ("Restart the server, while it is asked", restart_server),
    ("Look at the page, through a port that is forwarded", page.look),
    ("Kill each container", kill_containers),
    ("Run each command as an arbitrary user, on a read-only file system", arbitrary_user.run_commands),
    ("Uninstall, as the page says, and nothing stays", uninstall),
    ("Install with PostgreSQL and two servers", two_servers.install),
    ("Restart the servers, while they are asked, and no request is lost", two_servers.restart),
    ("Run both halves as an arbitrary user", arbitrary_user.run_pods),
    ("Uninstall again", uninstall),
]

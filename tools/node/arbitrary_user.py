"""The image as OpenShift runs it: under a user id that nobody chose, with group 0. Steps of the `scenario`."""

from __future__ import annotations

import json
from typing import Any, Final

import yaml
from typer.core import TyperGroup
from typer.main import get_command

from coder_enterprise.cli.main import app
from tools.commands import StepFailed
from tools.node.cluster import OPERATOR, SERVER, Cluster

USER: Final = 1000670000
IDENTITY: Final = {"runAsUser": USER, "runAsGroup": 0}
CONFINED: Final = {
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
POD: Final = "arbitrary-user"
Body = dict[str, Any]


def run_commands(cluster: Cluster) -> str:
    """Each in a container of its own, with nothing to write to."""
    image = cluster.pods(SERVER)[0]["spec"]["containers"][0]["image"]
    cluster.kubectl("create", "-f", "-", input=yaml.safe_dump(_pod(image)))
    cluster.wait_until(lambda: _phase(cluster) in ("Succeeded", "Failed"), "each command ends")
    if _phase(cluster) == "Failed":
        raise StepFailed(f"under user {USER}:\n{cluster.kubectl('logs', POD, '--all-containers', '--prefix')}")
    cluster.kubectl("delete", "pod", POD)
    return f"{len(commands())} commands as {USER}:0"


def run_pods(cluster: Cluster) -> str:
    """Operator and server, which must become ready."""
    patch = json.dumps({"spec": {"template": {"spec": {"securityContext": IDENTITY}}}})
    for deployment in (SERVER, OPERATOR):
        cluster.kubectl("patch", "deployment", deployment, "--patch", patch)
    for deployment in (SERVER, OPERATOR):
        cluster.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=2m")
    return f"operator and server as {USER}:0"


def commands() -> dict[str, list[str]]:
    """Each command of the image, by a name for its container: its help."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return {"version": ["--version"]} | {name: [name, "--help"] for name in group.commands}


def _phase(cluster: Cluster) -> str:
    return str(cluster.get("pod", POD)["status"]["phase"])


def _pod(image: str) -> Body:
    containers = [
        {"name": name, "image": image, "args": arguments, "securityContext": CONFINED}
        for name, arguments in commands().items()
    ]
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {**IDENTITY, "runAsNonRoot": True},
        "containers": containers,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}

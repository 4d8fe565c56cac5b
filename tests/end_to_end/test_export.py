"""The round trip: a live Coder becomes manifests, which the operator adopts without a write, or makes a Coder of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from coder_enterprise.cli.main import app
from tests.support.kubernetes import Namespace
from tests.support.manifests import secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

LICENSE = "CoderLicense"
"""Its text is in no export."""
PROXY = "CoderWorkspaceProxy"
"""Only observed, since Coder shows no token twice."""
DONE = {"Applied", "Connected", "Observed"}


@pytest.fixture
def used() -> Iterator[CoderServer]:
    """A Coder in which something has happened, in the shapes that real ones have."""
    with CoderServer(profile="codersdk") as server:
        api = CoderAPI(server.url, server.token)
        people = [api.create_user(f"user-{number}") for number in range(6)]
        api.suspend_user(people[5]["id"])
        api.set_roles(people[0]["id"], "auditor")
        for number in range(4):
            made = api.create_group(f"group-{number}", display_name=f"Group {number}", quota_allowance=number)
            api.patch_group(made["id"], add_users=[each["id"] for each in people[number : number + 2]])
        template = api.create_template("docker")
        group = api.group("group-1")["id"]
        api.patch_acl(template["id"], user_perms={people[0]["id"]: "admin"}, group_perms={group: "use"})
        api.create_proxy("eu", display_name="Europe", icon="/emojis/1f1ea.png")
        api.put_appearance(application_name="ACME", logo_url="/logo.png")
        api.close()
        yield server


def command(server: CoderServer, *arguments: object) -> Result:
    environment = {"CODER_URL": server.url, "CODER_SESSION_TOKEN": server.token}
    return CliRunner().invoke(app, [str(each) for each in arguments], env={**os.environ, **environment})


def exported(server: CoderServer, folder: Path) -> list[Any]:
    result = command(server, "export", "-o", folder)
    assert result.exit_code == 0, result.output
    bodies = [yaml.safe_load(path.read_text()) for path in sorted(folder.rglob("*.yaml"))]
    return [body for body in bodies if body["kind"] != "Kustomization"]


def settle(namespace: Namespace, bodies: list[Any]) -> None:
    """Until all are Ready whose Secrets are there, and nobody is waited for."""

    def waiting() -> list[str]:
        told = [(each["kind"], each["metadata"]["name"]) for each in bodies if each["kind"] != LICENSE]
        return [f"{kind} {name}" for kind, name in told if namespace.condition(kind, name).get("reason") not in DONE]

    wait_until(lambda: not waiting(), f"all are Ready but {waiting()}")


def test_the_operator_adopts_an_export_without_writing_to_coder(
    namespace: Namespace, operator: OperatorProcess, used: CoderServer, tmp_path: Path
) -> None:
    api = CoderAPI(used.url, used.token)
    before = api.audit_count()
    bodies = exported(used, tmp_path / "out")
    namespace.apply(secret(token=used.token), *bodies)
    settle(namespace, bodies)
    assert api.audit_count() == before
    api.close()
    live = ("--live", "--kubeconfig", namespace.plane.kubeconfig, "--namespace", namespace.name)
    planned = command(used, "plan", "-f", tmp_path / "out", "--exit-code", "--prune", *live)
    assert planned.exit_code == 0, planned.output
    same = command(used, "diff", "codergroup/group-1", "--exit-code", *live[1:])
    assert same.exit_code == 0, same.output
    group = tmp_path / "out" / "codergroups" / "group-1.yaml"
    group.write_text(group.read_text().replace("Group 1", "Renamed"))
    applied = command(used, "apply", "-f", group, "--yes", *live)
    assert "an operator works for it in the cluster" in applied.output


def test_an_export_makes_a_new_coder_like_the_old_one(
    namespace: Namespace, operator: OperatorProcess, used: CoderServer, tmp_path: Path
) -> None:
    bodies = exported(used, tmp_path / "old")
    with CoderServer(profile="codersdk") as new:
        api = CoderAPI(new.url, new.token)
        api.create_template("docker")  # templates are pushed by others
        api.close()
        for body in bodies:
            if body["kind"] == "CoderDeployment":
                body["spec"]["url"] = new.url
        applied = [body for body in bodies if body["kind"] not in (LICENSE, PROXY)]
        namespace.apply(secret(token=new.token), *applied)
        settle(namespace, applied)
        again = exported(new, tmp_path / "new")
    theirs = {(body["kind"], body["metadata"]["name"]): body for body in again}
    for body in applied:
        assert theirs[body["kind"], body["metadata"]["name"]]["spec"] == body["spec"]

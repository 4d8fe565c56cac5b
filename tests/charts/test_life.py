"""The operator of the chart next to a Coder of one's own: upgrade, rollback, uninstall, and what is left afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from coder_enterprise.kinds.machinery.resource import CLAIM, FINALIZER
from tests.support.helm import CHART, RELEASE, TIMEOUT, WAIT, Helm, HelmFailed, values
from tests.support.kubelet import Kubelet
from tests.support.kubernetes import Body, Namespace
from tests.support.manifests import group, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.server_process import CoderServer, new_token

pytestmark = pytest.mark.cluster

GROUPS = "codergroups.enterprise.coder.com"


def settings(space: Namespace, server: CoderServer) -> list[str]:
    return values(
        watchNamespaces=f"{{{space.name}}}",
        deployment__url=server.url,
        deployment__tokenSecretRef__name="coder-token",
    )


def next_version(folder: Path) -> Path:
    """The chart of a release to come, in which a group has one more field, and there is one more kind."""
    chart = Path(shutil.copytree(CHART, folder / "next"))
    path = chart / "crds" / "enterprise.coder.com_codergroups.yaml"
    crd = yaml.safe_load(path.read_text())
    spec_of(crd)["note"] = {"type": "string", "maxLength": 64}
    path.write_text(yaml.safe_dump(crd))
    text = yaml.safe_dump(crd).replace("codergroup", "codernew").replace("CoderGroup", "CoderNew")
    (chart / "crds" / "new.yaml").write_text(text.replace("codergrp", "codernew"))
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "0.2.0"}))
    return chart


def spec_of(crd: Body) -> Body:
    fields: Body = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return fields


@pytest.fixture
def installed(helmed: Helm, space: Namespace, kubelet: Kubelet, server: CoderServer) -> Namespace:
    """The operator for this namespace alone, and a group that is applied."""
    space.apply(secret(token=server.token))
    helmed("install", RELEASE, str(CHART), "-n", space.name, *WAIT, *settings(space, server))
    space.apply(group("platform", displayName="Platform"))
    space.wait_for("CoderGroup", "platform", "Applied")
    return space


def test_an_upgrade_brings_new_kinds_and_fields_and_a_rollback_keeps_what_was_written_into_them(
    installed: Namespace, helmed: Helm, server: CoderServer, tmp_path: Path
) -> None:
    options = ("-n", installed.name, *WAIT)
    helmed("upgrade", RELEASE, str(next_version(tmp_path)), *options, *settings(installed, server))
    installed.plane.kubectl(
        "patch", GROUPS, "platform", "-n", installed.name, "--type=merge", '-p={"spec": {"note": "kept"}}'
    )
    assert installed.plane.get("crd", "codernews.enterprise.coder.com")
    helmed("rollback", RELEASE, "1", *options)
    assert "note" in spec_of(installed.plane.get("crd", GROUPS))
    installed.apply(group("platform", quotaAllowance=3))
    assert installed.wait_for("CoderGroup", "platform", "Applied")
    assert installed.get("CoderGroup", "platform")["spec"]["note"] == "kept"
    helmed("upgrade", RELEASE, str(CHART), *options, *settings(installed, server))
    installed.wait_for("CoderGroup", "platform", "Applied")


def test_an_uninstall_finishes_and_lets_objects_go_while_coder_is_down(
    installed: Namespace, helmed: Helm, kubelet: Kubelet, server: CoderServer, coder: CoderAPI
) -> None:
    installed.apply(group("leaving"))
    installed.wait_for("CoderGroup", "leaving", "Applied")
    before = sorted(each["name"] for each in coder.groups())
    server.kill()
    installed.delete("CoderGroup", "leaving")
    helmed("uninstall", RELEASE, "-n", installed.name, *TIMEOUT)
    installed.wait_until_gone("CoderGroup", "leaving")
    metadata = installed.get("CoderGroup", "platform")["metadata"]
    assert FINALIZER not in metadata.get("finalizers", [])
    assert CLAIM not in metadata.get("annotations", {})
    first, leases, *released, last = kubelet.logs("uninstall").splitlines()
    assert first == f"Deployment {installed.name}/coder-enterprise-operator: gone"
    assert leases.endswith("removed")
    assert sorted(released) == [f"CoderGroup {installed.name}/{name}: released" for name in ("leaving", "platform")]
    assert last == "2 objects released"
    server.start()
    assert sorted(each["name"] for each in coder.groups()) == before


def test_objects_that_were_kept_are_taken_up_again(installed: Namespace, helmed: Helm, server: CoderServer) -> None:
    before = installed.status("CoderGroup", "platform")["id"]
    helmed("uninstall", RELEASE, "-n", installed.name, *TIMEOUT)
    wait_until(lambda: installed.all("Pod") == [], "the pods have ended")
    assert FINALIZER not in installed.get("CoderGroup", "platform")["metadata"].get("finalizers", [])
    helmed("install", RELEASE, str(CHART), "-n", installed.name, *WAIT, *settings(installed, server))
    installed.apply(group("platform", displayName="Again"))
    installed.wait_for("CoderGroup", "platform", "Applied")
    assert installed.status("CoderGroup", "platform")["id"] == before
    assert FINALIZER in installed.get("CoderGroup", "platform")["metadata"]["finalizers"]


def test_an_uninstall_finishes_when_a_watched_namespace_is_gone(
    helmed: Helm, space: Namespace, kubelet: Kubelet
) -> None:
    space.plane.kubectl("create", "namespace", f"{space.name}-gone")
    watched = values(watchNamespaces=f"{{{space.name}-gone,{space.name}}}")
    helmed("install", RELEASE, str(CHART), "-n", space.name, *WAIT, *watched)
    space.plane.kubectl("delete", "namespace", f"{space.name}-gone")
    helmed("uninstall", RELEASE, "-n", space.name, *TIMEOUT)
    operator, leases, *log = kubelet.logs("uninstall").splitlines()
    assert leases.endswith("removed")
    assert [line.split(":")[0] for line in (operator, *log)] == [
        f"Deployment {space.name}/coder-enterprise-operator",
        "skipped",
        "0 objects released",
    ]


def test_an_operator_for_one_namespace_may_do_nothing_elsewhere(helmed: Helm, space: Namespace) -> None:
    helmed("install", RELEASE, str(CHART), "-n", space.name, *values(watchNamespaces=f"{{{space.name}}}"))
    user = f"--as=system:serviceaccount:{space.name}:coder-enterprise-operator"
    for what in ("secrets", GROUPS, "deployments.apps"):
        answers = [
            space.plane.kubectl("auth", "can-i", "get", what, "-n", name, user, check=False).stdout.strip()
            for name in (space.name, "default")
        ]
        assert answers == ["yes", "no"]


def test_an_install_with_a_token_that_coder_refuses_fails_at_once_with_the_reason(
    helmed: Helm, space: Namespace, kubelet: Kubelet, server: CoderServer
) -> None:
    space.apply(secret(token=new_token()))
    with pytest.raises(
        HelmFailed, match=r"CoderDeployment/.*/coder not ready\. status: Failed, message: Coder answered 401"
    ):
        helmed("install", RELEASE, str(CHART), "-n", space.name, *WAIT, *settings(space, server))

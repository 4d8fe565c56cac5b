"""The CRDs of the chart where others were before: what an install and an upgrade make of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.helm import CHART, RELEASE, Body, Helm, HelmFailed, values
from tests.support.kubernetes import Namespace
from tools.kubernetes.control_plane import ControlPlane

pytestmark = pytest.mark.cluster

NAME = "codergroups.enterprise.coder.com"
FILE = CHART / "crds" / "enterprise.coder.com_codergroups.yaml"


def older() -> str:
    """The CRD of a release in which a group had no quota."""
    crd = yaml.safe_load(FILE.read_text())
    del fields(crd)["quotaAllowance"]
    return yaml.safe_dump(crd)


def fields(crd: Body) -> Body:
    properties: Body = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return properties


@pytest.fixture
def without_kinds(bare_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane with none of our kinds, before and after."""
    bare_plane.kubectl("delete", "-f", str(CHART / "crds"), "--ignore-not-found", "--timeout=60s")
    yield bare_plane
    bare_plane.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", str(CHART / "crds"))


def current(plane: ControlPlane) -> bool:
    return "quotaAllowance" in fields(plane.get("crd", NAME))


def test_an_install_updates_kinds_that_an_earlier_install_has_left(
    without_kinds: ControlPlane, helmed: Helm, space: Namespace
) -> None:
    without_kinds.kubectl("apply", "--server-side", "--field-manager=helm", "-f", "-", input=older())
    helmed("install", RELEASE, str(CHART), "-n", space.name, *values(watchNamespaces=f"{{{space.name}}}"))
    assert current(without_kinds)
    helmed("uninstall", RELEASE, "-n", space.name, "--no-hooks")
    assert current(without_kinds)


def test_kinds_that_somebody_else_has_applied_are_not_overwritten_until_they_are_handed_over(
    without_kinds: ControlPlane, helmed: Helm, space: Namespace
) -> None:
    without_kinds.kubectl("apply", "-f", "-", input=older())
    command = ("install", RELEASE, str(CHART), "-n", space.name, *values(watchNamespaces=f"{{{space.name}}}"))
    with pytest.raises(HelmFailed, match="conflict") as refused:
        helmed(*command)
    assert NAME in str(refused.value)
    hand_over(without_kinds)
    helmed(*command)
    assert current(without_kinds)


def test_an_upgrade_brings_kinds_up_to_date(without_kinds: ControlPlane, helmed: Helm, space: Namespace) -> None:
    options = ("-n", space.name, *values(watchNamespaces=f"{{{space.name}}}"))
    helmed("install", RELEASE, str(CHART), *options)
    without_kinds.kubectl("delete", "crd", "coderusers.enterprise.coder.com")
    without_kinds.kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", "-", input=older()
    )
    helmed("upgrade", RELEASE, str(CHART), *options)
    assert current(without_kinds)
    assert without_kinds.get("crd", "coderusers.enterprise.coder.com")


def test_kinds_can_be_left_to_somebody_else(without_kinds: ControlPlane, helmed: Helm, space: Namespace) -> None:
    options = ("-n", space.name, *values(watchNamespaces=f"{{{space.name}}}", crds__upgrade="false"))
    helmed("install", RELEASE, str(CHART), "--skip-crds", *options)
    helmed("upgrade", RELEASE, str(CHART), *options)
    assert NAME not in without_kinds.kubectl("get", "crd", "-o", "name").stdout


def hand_over(plane: ControlPlane) -> None:
    """As docs/how-to/install.md says."""
    crds = str(Path(CHART) / "crds")
    plane.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", crds)

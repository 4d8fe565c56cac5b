"""The CRDs of the chart where others were before: what an install and an upgrade make of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.support.helm import CHART, RELEASE, Body, Helm, HelmFailed, values
from tests.support.kubernetes import Namespace
from tools.kubernetes.control_plane import ControlPlane

pytestmark = pytest.mark.cluster

NAME = "codergroups.enterprise.coder.com"
FILE = CHART / "crds" / "enterprise.coder.com_codergroups.yaml"


def older() -> str:
    """The CRD of a release in which a group had no quota and was described in other words."""
    crd = yaml.safe_load(FILE.read_text())
    del fields(crd)["quotaAllowance"]
    fields(crd)["displayName"]["description"] = "As it was."
    return yaml.safe_dump(crd)


def fields(crd: Body) -> Body:
    properties: Body = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return properties


def apply(plane: ControlPlane, manager: str, *what: str, text: str | None = None) -> None:
    plane.kubectl("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", *what, input=text)


def current(plane: ControlPlane) -> bool:
    known = fields(plane.get("crd", NAME))
    return "quotaAllowance" in known and known["displayName"]["description"] != "As it was."


@pytest.fixture
def options(bare_plane: ControlPlane, space: Namespace) -> Iterator[list[str]]:
    """Of an install in this namespace, while the kinds are there as an earlier install has left them."""
    apply(bare_plane, "helm", "-f", str(CHART / "crds"))
    apply(bare_plane, "helm", "-f", "-", text=older())
    assert not current(bare_plane)
    yield ["-n", space.name, *values(watchNamespaces=f"{{{space.name}}}")]
    apply(bare_plane, "helm", "-f", str(CHART / "crds"))


def test_an_install_updates_kinds_that_an_earlier_install_has_left(
    options: list[str], bare_plane: ControlPlane, helmed: Helm, space: Namespace
) -> None:
    helmed("install", RELEASE, str(CHART), *options)
    assert current(bare_plane)
    helmed("uninstall", RELEASE, "-n", space.name, "--no-hooks")
    assert current(bare_plane)


def test_an_upgrade_updates_kinds(options: list[str], bare_plane: ControlPlane, helmed: Helm) -> None:
    helmed("install", RELEASE, str(CHART), "--skip-crds", *options)
    assert not current(bare_plane)
    helmed("upgrade", RELEASE, str(CHART), *options)
    assert current(bare_plane)


def test_kinds_can_be_left_to_somebody_else(options: list[str], bare_plane: ControlPlane, helmed: Helm) -> None:
    helmed("install", RELEASE, str(CHART), "--skip-crds", *options)
    helmed("upgrade", RELEASE, str(CHART), *options, *values(crds__upgrade="false"))
    assert not current(bare_plane)


def test_kinds_that_somebody_else_has_applied_are_not_overwritten_until_they_are_handed_over(
    options: list[str], bare_plane: ControlPlane, helmed: Helm
) -> None:
    apply(bare_plane, "somebody", "-f", "-", text=older())
    apply(bare_plane, "somebody", "-f", "-", text=older().replace("As it was.", "As somebody wants it."))
    with pytest.raises(HelmFailed, match='conflict with "somebody"') as refused:
        helmed("install", RELEASE, str(CHART), *options)
    assert NAME in str(refused.value)
    apply(bare_plane, "helm", "-f", str(CHART / "crds"))  # as docs/how-to/install.md says
    helmed("install", RELEASE, str(CHART), *options)
    assert current(bare_plane)

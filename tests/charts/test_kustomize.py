"""The overlays in deploy/: they build, Kubernetes accepts them, and they say what the chart says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.helm import Body, Helm, values
from tools.kubernetes.control_plane import ControlPlane

OVERLAYS: Final = Path(__file__).parents[2] / "deploy" / "overlays"
NAMESPACE: Final = "coder-enterprise"
CHART_VALUES: Final = {
    "cluster-wide": [],
    "namespaced": values(watchNamespaces=f"{{{NAMESPACE}}}"),
    "page": values(page__mode="kubernetes"),
    "with-server": values(server__enabled="true"),
}
LABELS: Final = ("app.kubernetes.io/name", "app.kubernetes.io/component")


@pytest.fixture(params=sorted(CHART_VALUES))
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build(plane: ControlPlane, overlay: str) -> list[Body]:
    text = plane.kubectl("kustomize", str(OVERLAYS / overlay)).stdout
    return list(yaml.safe_load_all(text))


def essence(body: Body) -> Any:
    """What an object says, without what is Helm's own or differs by name."""
    kind = body["kind"]
    if kind in ("Role", "ClusterRole"):
        return body["rules"]
    if kind == "ServiceAccount":
        return body["metadata"]["name"]
    return _without_instance(body.get("spec"))


def _without_instance(value: Any) -> Any:
    """Without the label by which the chart tells releases apart, and the annotations of its pods."""
    if isinstance(value, dict):
        dropped = {"app.kubernetes.io/instance", "annotations"}
        return {key: _without_instance(inner) for key, inner in value.items() if key not in dropped}
    return [_without_instance(inner) for inner in value] if isinstance(value, list) else value


def comparable(objects: list[Body]) -> list[tuple[str, str]]:
    left_out = {"PodDisruptionBudget", "RoleBinding", "ClusterRoleBinding", "Namespace"}
    return sorted(
        (body["kind"], yaml.safe_dump(essence(body)))
        for body in objects
        if body["kind"] not in left_out and "helm.sh/hook" not in body["metadata"].get("annotations", {})
    )


def test_an_overlay_says_what_the_chart_says(control_plane: ControlPlane, offline: Helm, overlay: str) -> None:
    assert comparable(build(control_plane, overlay)) == comparable(offline.template(*CHART_VALUES[overlay]))


def test_an_overlay_is_accepted(control_plane: ControlPlane, overlay: str) -> None:
    if not control_plane.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found").stdout:
        control_plane.kubectl("create", "namespace", NAMESPACE)
    control_plane.kubectl("apply", "-k", str(OVERLAYS / overlay), "--dry-run=server", "--validate=strict")

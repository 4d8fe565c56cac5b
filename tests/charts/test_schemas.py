"""kubeconform reads what the chart makes, with the schemas that the API server publishes of itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.charts.test_admission import OPTIONS
from tests.support.helm import CHART, RELEASE, Helm
from tools.kubernetes.control_plane import ControlPlane

LOCATION = "{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json"  # the group of the core is v1 here
GROUPS = (
    "api/v1",
    "apis/apps/v1",
    "apis/batch/v1",
    "apis/networking.k8s.io/v1",
    "apis/policy/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/enterprise.coder.com/v1alpha1",
)


@pytest.fixture(scope="module")
def schemas(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a schema for each kind, in which nothing may be that the API does not know."""
    folder = tmp_path_factory.mktemp("schemas")
    for group in GROUPS:
        published = json.loads(control_plane.kubectl("get", "--raw", f"/openapi/v3/{group}").stdout)
        known = strict(published["components"]["schemas"])
        for name, schema in known.items():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                path = folder / (kind["group"] or kind["version"]) / f"{kind['kind'].lower()}_{kind['version']}.json"
                path.parent.mkdir(exist_ok=True)
                whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": known}}
                path.write_text(json.dumps(whole))
    return folder


def strict(schema: Any) -> Any:
    """The same, without room for properties that it does not name."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: strict(value) for key, value in schema.items()}
    closed = isinstance(inner.get("properties"), dict) and inner.get("type") == "object"
    return {"additionalProperties": False, **inner} if closed else inner


def conform(kubeconform: Path, schemas: Path, text: str) -> str:
    """What is wrong, as kubeconform says it; "" when nothing is."""
    command = [str(kubeconform), "-strict", "-schema-location", f"{schemas}/{LOCATION}"]
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr if result.returncode else ""


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_kubeconform_finds_nothing_wrong(offline: Helm, kubeconform: Path, schemas: Path, options: list[str]) -> None:
    text = offline("template", RELEASE, str(CHART), "--namespace", RELEASE, *options)
    assert conform(kubeconform, schemas, text) == ""


def test_kubeconform_would_find_a_field_that_does_not_exist(offline: Helm, kubeconform: Path, schemas: Path) -> None:
    text = offline("template", RELEASE, str(CHART), "--namespace", RELEASE)
    broken = text.replace("terminationGracePeriodSeconds:", "terminationGraceSeconds:")
    assert "terminationGraceSeconds" in conform(kubeconform, schemas, broken)

"""The API server accepts what the chart makes, field by field."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.support.helm import CHART, RELEASE, Helm, values
from tests.support.kubernetes import Namespace

VARIABLES = [
    {"name": "CODER_WIRE_PROFILE", "value": "codersdk"},
    {"name": "CODER_SCIM_AUTH_HEADER", "valueFrom": {"secretKeyRef": {"name": "scim", "key": "scim"}}},
]
OPTIONS = {
    "defaults": [],
    "some namespaces": values(watchNamespaces="{default}"),
    "everything": [
        *values(
            server__enabled="true",
            networkPolicy__enabled="true",
            server__service__type="LoadBalancer",
            server__sqlite__storageClassName="fast",
            operator__nodeSelector__disk="ssd",
            operator__priorityClassName="system-cluster-critical",
            deployment__allowedNamespaces="{*}",
        ),
        '--set-json=imagePullSecrets=[{"name": "pull"}]',
        '--set-json=operator.tolerations=[{"key": "gpu", "operator": "Exists"}]',
        f"--set-json=server.env={json.dumps(VARIABLES)}",
        '--set-json=server.licenseKeys={"acme": "' + "A" * 43 + '="}',
        '--set-json=server.affinity={"nodeAffinity": {}}',
    ],
    "PostgreSQL": values(server__enabled="true", server__replicas="3", server__postgresql__secretName="db"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_api_server_accepts_everything(offline: Helm, namespace: Namespace, options: list[str]) -> None:
    text = offline("template", RELEASE, str(CHART), "--namespace", namespace.name, *options)
    namespace.plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text)


def test_the_examples_of_artifact_hub_are_accepted(namespace: Namespace) -> None:
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    for example in yaml.safe_load(annotations["artifacthub.io/crdsExamples"]):
        namespace.plane.kubectl(
            "create", "--dry-run=server", "-n", namespace.name, "-f", "-", input=yaml.safe_dump(example)
        )

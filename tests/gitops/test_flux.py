"""Flux reconciles the examples: it reads our status as we mean it, and takes manual edits back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.gitops.artifacts import Artifacts
from tests.support import examples
from tests.support.examples import not_ready
from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, deployment, group, license_, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.kubernetes.control_plane import ControlPlane
from tools.server_process import CoderServer, license_for_tests

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy" / "gitops" / "flux"
NAME: Final = "coder"
PATIENCE: Final = "30m"
"""Of Flux, and more than this test has."""
MOMENT: Final = "2026-01-01T00:00:00Z"

Deliver = Callable[..., None]

pytestmark = pytest.mark.usefixtures("flux")


@pytest.fixture
def publish(namespace: Namespace, artifacts: Artifacts) -> Callable[[Mapping[str, str]], Body]:
    """Lets Flux have files; the reference to them."""

    def publish(files: Mapping[str, str]) -> Body:
        source = {"kind": "ExternalArtifact", "name": NAME}
        api = "source.toolkit.fluxcd.io/v1"
        namespace.apply({"apiVersion": api, "kind": source["kind"], "metadata": {"name": NAME}, "spec": {}})
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "published"}
        status = {"artifact": artifacts.publish(files), "conditions": [ready | {"lastTransitionTime": MOMENT}]}
        namespace.patch("ExternalArtifact", NAME, {"status": status}, "status")
        return source

    return publish


@pytest.fixture
def deliver(namespace: Namespace, publish: Callable[[Mapping[str, str]], Body]) -> Iterator[Deliver]:
    """Lets Flux have files, with the Kustomization of the example but for `spec`; it rests when the test ends."""

    def deliver(files: Mapping[str, str], **spec: Any) -> None:
        _, body = yaml.safe_load_all((DEPLOY / "objects.yaml").read_text())
        body["metadata"].pop("namespace")
        body["spec"] |= {"targetNamespace": namespace.name, "path": "./", "timeout": PATIENCE}
        body["spec"] |= {"sourceRef": publish(files), **spec}
        del body["spec"]["dependsOn"]
        namespace.apply(body)

    yield deliver
    namespace.patch("Kustomization", NAME, {"spec": {"suspend": True}})


@pytest.fixture
def installed(namespace: Namespace, publish: Callable[[Mapping[str, str]], Body]) -> Iterator[list[str]]:
    """The Kustomizations of the example that install the operator from this repository; their names."""
    folders = (ROOT / "crds", ROOT / "deploy")
    files = [path for folder in folders for path in folder.rglob("*.yaml")]
    source = publish({str(path.relative_to(ROOT)): path.read_text() for path in files})
    space, _, *bodies = yaml.safe_load_all((DEPLOY / "operator.yaml").read_text())
    namespace.plane.kubectl("apply", "-f", "-", input=yaml.safe_dump(space))
    for body in bodies:
        body["metadata"].pop("namespace")
        body["spec"]["sourceRef"] = source
    namespace.apply(*bodies)
    names = [body["metadata"]["name"] for body in bodies]
    yield names
    for name in reversed(names):
        namespace.delete("Kustomization", name)
        namespace.wait_until_gone("Kustomization", name)
    namespace.plane.kubectl("delete", "namespace", space["metadata"]["name"])


def manifests(*bodies: Body) -> dict[str, str]:
    return {"objects.yaml": yaml.safe_dump_all(bodies)}


def connection(server: CoderServer) -> tuple[Body, Body]:
    return secret(token=server.token), deployment(server.url, resyncInterval="5s")


@pytest.mark.usefixtures("nodes")
def test_the_kinds_and_the_operator_are_installed_one_after_the_other(
    namespace: Namespace, installed: list[str]
) -> None:
    for name in installed:
        namespace.wait_for("Kustomization", name, "ReconciliationSucceeded", timeout=60)
    deployments = namespace.plane.get(
        "deployments", "-A", "-l", f"kustomize.toolkit.fluxcd.io/namespace={namespace.name}"
    )
    assert [body["status"]["availableReplicas"] for body in deployments["items"]] == [1]
    crds = namespace.plane.get("crds", "-l", f"kustomize.toolkit.fluxcd.io/namespace={namespace.name}")
    assert len(crds["items"]) == len(examples.KINDS)


def test_flux_accepts_the_examples_as_they_are(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "flux-system")
    control_plane.kubectl("apply", "--dry-run=server", "-f", str(DEPLOY))


@pytest.mark.usefixtures("nodes", "operator")
def test_the_examples_are_ready_for_flux_when_all_of_them_are(
    namespace: Namespace, server: CoderServer, coder: CoderAPI, deliver: Deliver, tmp_path: Path
) -> None:
    examples.prepare(coder)
    texts, _ = examples.files(server)
    deliver(texts)
    with examples.proxies(namespace, server, tmp_path):
        namespace.wait_for("Kustomization", NAME, "ReconciliationSucceeded", timeout=120)
        assert not_ready(namespace) == {}
    applied = {(body["kind"], body["metadata"]["name"]) for body in examples.bodies(texts)}
    assert len(namespace.status("Kustomization", NAME)["inventory"]["entries"]) == len(applied)


@pytest.mark.usefixtures("operator")
def test_an_object_that_waits_lets_flux_wait(namespace: Namespace, server: CoderServer, deliver: Deliver) -> None:
    _, connected = connection(server)
    deliver(manifests(connected, group("platform")))
    wait_until(lambda: namespace.find("CoderGroup", "platform"), "Flux applies the group")
    namespace.wait_for("CoderGroup", "platform", "WaitingForDeployment")
    namespace.wait_for("Kustomization", NAME, "Progressing")


def exists_already(coder: CoderAPI) -> tuple[Body, ...]:
    coder.add_license(license_for_tests())
    coder.create_group("platform")
    return (group("platform", adoptionPolicy="Fail"),)


def no_licence(_: CoderAPI) -> tuple[Body, ...]:
    return secret("licence", license="garbage"), license_()


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    ("objects", "said"), [(exists_already, "CoderGroup/{}/platform"), (no_licence, "CoderLicense/{}/licence")]
)
def test_a_stalled_object_fails_at_once(
    namespace: Namespace,
    server: CoderServer,
    coder: CoderAPI,
    deliver: Deliver,
    objects: Callable[[CoderAPI], tuple[Body, ...]],
    said: str,
) -> None:
    deliver(manifests(*connection(server), *objects(coder)))
    ready = namespace.wait_for("Kustomization", NAME, "HealthCheckFailed")
    assert f"{said.format(namespace.name)} status: 'Failed'" in ready["message"]


@pytest.mark.usefixtures("operator")
def test_a_manual_edit_is_taken_back(
    namespace: Namespace, server: CoderServer, coder: CoderAPI, deliver: Deliver
) -> None:
    coder.add_license(license_for_tests())
    deliver(manifests(*connection(server), group("platform", displayName="Platform")), interval="3s")
    namespace.wait_for("Kustomization", NAME, "ReconciliationSucceeded")
    before = namespace.get("CoderGroup", "platform")["metadata"]["generation"]
    namespace.patch("CoderGroup", "platform", {"spec": {"displayName": "By hand"}})
    wait_until(lambda: taken_back(namespace, before), "Flux takes the edit back")
    namespace.wait_for("CoderGroup", "platform", "Applied")
    assert coder.group("platform")["display_name"] == "Platform"


def taken_back(namespace: Namespace, generation: int) -> bool:
    """After an edit and its undoing the generation is higher by two."""
    body = namespace.get("CoderGroup", "platform")
    return (body["spec"]["displayName"], body["metadata"]["generation"]) == ("Platform", generation + 2)


@pytest.mark.usefixtures("operator")
def test_what_leaves_git_leaves_coder(
    namespace: Namespace, server: CoderServer, coder: CoderAPI, deliver: Deliver
) -> None:
    coder.add_license(license_for_tests())
    deliver(manifests(*connection(server), group("platform")))
    wait_until(lambda: coder.find_group("platform"), "the group is there")
    deliver(manifests(*connection(server)))
    wait_until(lambda: coder.find_group("platform") is None, "the group is gone")
    namespace.wait_until_gone("CoderGroup", "platform")

"""Argo CD syncs the examples from Git: it reads our status as we mean it, and takes manual edits back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
import yaml

from coder_enterprise.kinds.machinery.resource import GROUP
from tests.gitops.argocd import NAMESPACE, ArgoCD, git_daemon
from tests.gitops.programs import install_crds
from tests.gitops.resource_overrides import DEPLOY, PATCH
from tests.support import examples
from tests.support.examples import not_ready
from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, deployment, group, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.kubernetes.control_plane import ControlPlane
from tools.server_process import CoderServer, license_for_tests

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "charts" / "coder-enterprise"
SLOW: Final = 120.0

Deliver = Callable[[Mapping[str, str]], None]

pytestmark = [
    pytest.mark.usefixtures("argocd"),
    pytest.mark.skipif(git_daemon() is None, reason="Argo CD needs git, and these tests git's daemon"),
]


@pytest.fixture(scope="module")
def running(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD, which was told of our kinds while it ran."""
    install_crds(control_plane, "argocd")
    with ArgoCD(control_plane, tmp_path_factory.mktemp("argocd")) as process:
        control_plane.kubectl("patch", "configmap", "argocd-cm", "-n", NAMESPACE, "--patch-file", str(PATCH))
        yield process
        print(process.log())


@pytest.fixture
def applications(running: ArgoCD, control_plane: ControlPlane) -> Iterator[Namespace]:
    """The namespace of Argo CD."""
    space = Namespace(control_plane)
    space.name = NAMESPACE
    yield space
    space.close()


@pytest.fixture
def deliver(running: ArgoCD, applications: Namespace, namespace: Namespace) -> Iterator[Deliver]:
    """Lets Argo CD have files, with the Application of the example; it rests when the test ends."""

    def deliver(files: Mapping[str, str]) -> None:
        body = yaml.safe_load((DEPLOY / "application.yaml").read_text())
        body["metadata"]["name"] = namespace.name
        body["spec"]["source"] |= {"repoURL": running.push(namespace.name, files), "path": "."}
        body["spec"]["destination"]["namespace"] = namespace.name
        applications.apply(body)

    yield deliver
    applications.delete("Application", namespace.name)


@pytest.fixture
def installed(running: ArgoCD, applications: Namespace) -> Iterator[str]:
    """The Application of the example that installs the chart; its name, which is also the namespace and the release."""
    body = yaml.safe_load((DEPLOY / "operator.yaml").read_text())
    name = str(body["metadata"]["name"])
    files = {str(path.relative_to(ROOT)): path.read_text() for path in CHART.rglob("*") if path.is_file()}
    body["spec"]["source"]["repoURL"] = running.push(name, files)
    applications.apply(body)
    yield name
    applications.delete("Application", name)
    plane = applications.plane
    plane.kubectl("delete", "namespace", name)
    plane.kubectl("delete", "clusterroles,clusterrolebindings", "-l", f"app.kubernetes.io/instance={name}")


def manifests(*bodies: Body) -> dict[str, str]:
    return {"objects.yaml": yaml.safe_dump_all(bodies)}


def wait_for(applications: Namespace, name: str, sync: str, health: str) -> Body:
    def probe() -> Body | None:
        status = applications.status("Application", name)
        seen = (status.get("sync", {}).get("status"), status.get("health", {}).get("status"))
        return status if seen == (sync, health) else None

    try:
        return wait_until(probe, f"{name} is {sync} and {health}", SLOW) or {}
    except AssertionError as error:
        raise AssertionError(f"{error}: {applications.status('Application', name)}") from None


@pytest.mark.usefixtures("nodes")
def test_the_chart_is_synced_and_healthy(applications: Namespace, installed: str) -> None:
    wait_for(applications, installed, "Synced", "Healthy")
    assert applications.plane.get("deployments", "-n", installed)["items"] != []


@pytest.mark.usefixtures("nodes", "operator")
def test_the_examples_are_synced_and_healthy_when_all_of_them_are(
    applications: Namespace,
    namespace: Namespace,
    server: CoderServer,
    coder: CoderAPI,
    deliver: Deliver,
    tmp_path: Path,
) -> None:
    examples.prepare(coder)
    texts, _ = examples.files(server)
    deliver(texts)
    with examples.proxies(namespace, server, tmp_path):
        wait_for(applications, namespace.name, "Synced", "Healthy")
        assert not_ready(namespace) == {}


@pytest.mark.usefixtures("operator")
def test_a_stalled_object_degrades_the_application(
    applications: Namespace, namespace: Namespace, server: CoderServer, coder: CoderAPI, deliver: Deliver
) -> None:
    coder.add_license(license_for_tests())
    coder.create_group("platform")
    deliver(manifests(secret(token=server.token), deployment(server.url), group("platform", adoptionPolicy="Fail")))
    status = wait_for(applications, namespace.name, "Synced", "Degraded")
    assert f"{GROUP}/CoderGroup:{namespace.name}/platform" in status["health"]["message"]


@pytest.mark.usefixtures("operator")
def test_a_manual_edit_is_taken_back(
    applications: Namespace, namespace: Namespace, server: CoderServer, coder: CoderAPI, deliver: Deliver
) -> None:
    coder.add_license(license_for_tests())
    deliver(manifests(secret(token=server.token), deployment(server.url), group("platform", displayName="Platform")))
    wait_for(applications, namespace.name, "Synced", "Healthy")
    namespace.patch("CoderGroup", "platform", {"spec": {"displayName": "By hand"}})
    wait_until(lambda: namespace.get("CoderGroup", "platform")["metadata"]["generation"] == 3, "two edits", SLOW)
    wait_for(applications, namespace.name, "Synced", "Healthy")
    assert coder.group("platform")["display_name"] == "Platform"

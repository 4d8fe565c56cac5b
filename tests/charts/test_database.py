"""The server's database: a Secret that is missing is said in words, and several servers share one PostgreSQL."""

from __future__ import annotations

import pytest

from tests.support.helm import CHART, RELEASE, Helm, HelmFailed, values
from tests.support.kubelet import Kubelet
from tests.support.kubernetes import Body, Namespace
from tests.support.manifests import secret
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster


def settings(space: Namespace) -> list[str]:
    return values(
        watchNamespaces=f"{{{space.name}}}",
        server__enabled="true",
        server__replicas="2",
        server__postgresql__secretName="database",
    )


def servers(space: Namespace) -> list[Body]:
    return [pod for pod in space.all("Pod") if "-server-" in pod["metadata"]["name"]]


def test_a_missing_secret_is_refused_with_the_command_that_makes_it(helmed: Helm, space: Namespace) -> None:
    with pytest.raises(HelmFailed) as refused:
        helmed("install", RELEASE, str(CHART), "-n", space.name, *settings(space))
    message = str(refused.value)
    assert f"server.postgresql.secretName: there is no Secret database in the namespace {space.name}" in message
    assert f"kubectl create secret generic database -n {space.name} --from-literal=url=postgres://" in message


def test_a_secret_without_the_key_is_refused_with_the_keys_that_it_has(helmed: Helm, space: Namespace) -> None:
    space.apply(secret("database", dsn="postgres://nowhere"))
    with pytest.raises(HelmFailed) as refused:
        helmed("install", RELEASE, str(CHART), "-n", space.name, *settings(space))
    assert "the Secret database has no key url; it has dsn" in str(refused.value)
    assert "postgres://nowhere" not in str(refused.value)


def test_a_secret_that_goes_later_is_named_by_the_pods_that_wait_for_it(
    helmed: Helm, space: Namespace, kubelet: Kubelet
) -> None:
    space.apply(secret("database", url="postgres://nowhere"))
    helmed("install", RELEASE, str(CHART), "-n", space.name, *settings(space), "--set=server.replicas=0")
    space.delete("Secret", "database")
    space.plane.kubectl("scale", "deployment/coder-enterprise-server", "--replicas=1", "-n", space.name)

    def waiting() -> str:
        states = [status["state"] for pod in servers(space) for status in pod["status"].get("containerStatuses", ())]
        return "".join(state.get("waiting", {}).get("message", "") for state in states)

    assert wait_until(waiting, "the pod says what it waits for") == 'secret "database" not found'


def test_two_servers_share_a_postgresql_database(
    helmed: Helm, space: Namespace, kubelet: Kubelet, empty_url: str
) -> None:
    space.apply(secret("database", url=empty_url))
    helmed("install", RELEASE, str(CHART), "-n", space.name, "--wait", *settings(space))
    assert len(servers(space)) == 2
    space.wait_for("CoderDeployment", "coder", "Connected")

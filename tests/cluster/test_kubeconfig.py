"""Which cluster is meant: by a kubeconfig, or by the pod."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from coder_enterprise.cluster import kubeconfig
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.kubeconfig import access


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a process in a pod, with a service account of the namespace `inside`."""
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "namespace").write_text("inside\n")
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", account)
    monkeypatch.setattr(
        "kubernetes.aio.config.incluster_config.load_incluster_config",
        lambda client_configuration: setattr(client_configuration, "host", "https://in-pod"),
    )
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def kubeconfig_at(path: Path, *contexts: tuple[str, str]) -> Path:
    """With these contexts and the namespaces of each; the first is the current one."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts[0][0],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "me"} | ({"namespace": space} if space else {})}
            for name, space in contexts
        ],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}"}} for name, _ in contexts],
        "users": [{"name": "me", "user": {"token": "secret"}}],
    }
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(yaml.safe_dump(body))
    return path


async def test_a_pod_is_in_its_own_cluster_and_namespace(pod: Path) -> None:
    found = await access()
    assert (found.settings.host, found.namespace) == ("https://in-pod", "inside")


async def test_a_kubeconfig_in_a_pod_goes_before_its_service_account(pod: Path) -> None:
    found = await access(kubeconfig_at(pod / "config", ("outside", "team")))
    assert (found.settings.host, found.namespace) == ("https://outside", "team")


async def test_so_does_one_at_its_usual_place(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kubeconfig_at(pod / ".kube" / "config", ("outside", ""))
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    found = await access()
    assert (found.settings.host, found.namespace) == ("https://outside", "default")


async def test_a_context_is_chosen_by_name_with_its_namespace(pod: Path) -> None:
    file = kubeconfig_at(pod / "config", ("one", "first"), ("two", "second"))
    found = await access(file, "two")
    assert (found.settings.host, found.namespace) == ("https://two", "second")


async def test_a_context_that_is_not_there_is_said_in_one_line(pod: Path) -> None:
    with pytest.raises(KubernetesError, match=r"^no cluster to connect to: .*nowhere.*--kubeconfig$"):
        await access(kubeconfig_at(pod / "config", ("one", "")), "nowhere")


def with_plugin(path: Path, script: str) -> Path:
    """A kubeconfig whose credentials come from that shell script."""
    body = yaml.safe_load(kubeconfig_at(path, ("one", "")).read_text())
    api = "client.authentication.k8s.io/v1"
    body["users"][0]["user"] = {"exec": {"apiVersion": api, "command": "sh", "args": ["-c", script]}}
    path.write_text(yaml.safe_dump(body))
    return path


async def test_credentials_come_from_a_plugin(pod: Path) -> None:
    answer = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin"}}'
    found = await access(with_plugin(pod / "config", f"echo '{answer}'"))
    assert await found.settings.get_api_key_with_prefix("BearerToken") == "Bearer from-plugin"


async def test_a_plugin_that_fails_is_said_with_its_own_words(pod: Path) -> None:
    with pytest.raises(KubernetesError, match=r"gives no credentials: exec: process returned 7. .*log in first"):
        await access(with_plugin(pod / "config", "echo log in first >&2; exit 7"))

"""Which cluster is meant: by a kubeconfig, or by the pod."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from coder_enterprise.cluster import kubeconfig
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.kubeconfig import access

Body = dict[str, Any]


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
    with pytest.raises(
        KubernetesError,
        match=r"/config has no context nowhere; choose with --context: one$",
    ):
        await access(kubeconfig_at(pod / "config", ("one", "")), "nowhere")


def with_plugin(path: Path, script: str) -> Path:
    """A kubeconfig whose credentials come from that shell script."""
    body = yaml.safe_load(kubeconfig_at(path, ("one", "")).read_text())
    api = "client.authentication.k8s.io/v1"
    body["users"][0]["user"] = {"exec": {"apiVersion": api, "command": "sh", "args": ["-c", script]}}
    path.write_text(yaml.safe_dump(body))
    return path


NO_FILES: Final = {
    b"root:x:0:0:root:/root:/bin/bash\n": "is no kubeconfig: it holds text, and no fields; mend it",
    b"": "is no kubeconfig: it holds nothing, and no fields; mend it",
    b"- one\n- two\n": "is no kubeconfig: it holds a list, and no fields; mend it",
    b"42\n": "is no kubeconfig: it holds a value, and no fields; mend it",
    b"\xff\xfe\x00\x9c": "is no kubeconfig: it is no text; mend it",
    b"kind: Config\nusers: [\n": "is no kubeconfig: line 3 is no YAML; mend it",
    b"clusters: 7\n": "is no kubeconfig: clusters: Input should be a valid list; mend it",
    b"users: [{name: me, user: secret}]\n": "is no kubeconfig: users.0.user: Input should be",
    b"kind: Config\n": "names no current-context; it has none at all: name another with --kubeconfig",
}


@pytest.mark.parametrize("content", NO_FILES)
async def test_what_is_no_kubeconfig_is_said_with_its_name_and_the_next_step(pod: Path, content: bytes) -> None:
    (pod / "config").write_bytes(content)
    with pytest.raises(KubernetesError) as caught:
        await access(pod / "config")
    said = str(caught.value)
    assert said.startswith(f"no cluster to connect to: {pod / 'config'} {NO_FILES[content]}")
    assert "secret" not in said
    assert "\n" not in said


async def test_a_folder_is_no_kubeconfig(pod: Path) -> None:
    said = rf"^no cluster to connect to: {pod} cannot be read: Is a directory; name another with --kubeconfig$"
    with pytest.raises(KubernetesError, match=said):
        await access(pod)


def without_certificate(body: Body) -> None:
    body["clusters"][0]["cluster"]["certificate-authority-data"] = "bm9uZQ=="


def without_plugin(body: Body) -> None:
    program = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "no-such",
        "installHint": "brew\n install it",
    }
    body["users"][0]["user"] = {"exec": program}


CONTENT: Final[list[tuple[Callable[[Body], object], str]]] = [
    (lambda body: body.pop("current-context"), r" names no current-context; choose with --context: one, two$"),
    (lambda body: body.update({"current-context": "x"}), r" has no context x; choose with --context: one, two$"),
    (lambda body: body.update(clusters=None), r": the context one names the cluster 'one', which is not there; name"),
    (
        lambda body: body["clusters"][0].update(cluster={}),
        r": .* names the cluster one, whose server is no URL; write",
    ),
    (lambda body: body.update(users=[]), r": the context one names the user 'me', who is not there; name"),
    (
        without_plugin,
        r": the context one needs the program 'no-such', which is not there; install it \(brew install it\),",
    ),
    (without_certificate, r" has a certificate-authority that cannot be used; write PEM"),
    (lambda body: body["users"][0]["user"].update({"client-certificate": "/no"}), r": .*/no; mend it, or name another"),
    (lambda body: body["users"][0].update(user={"tokenFile": "/no"}), r" names /no: No such file or directory; name"),
]


@pytest.mark.parametrize(("spoil", "said"), CONTENT)
async def test_what_is_wrong_in_a_kubeconfig_is_said_with_its_name_and_the_next_step(
    pod: Path, spoil: Callable[[Body], object], said: str
) -> None:
    path = kubeconfig_at(pod / "config", ("one", ""), ("two", ""))
    body = yaml.safe_load(path.read_text())
    spoil(body)
    path.write_text(yaml.safe_dump(body))
    with pytest.raises(KubernetesError, match=f"^no cluster to connect to: {path}{said}"):
        await access(path)


async def test_nobody_is_needed_where_nothing_is_encrypted(pod: Path) -> None:
    """As `kubectl proxy` listens."""
    path = kubeconfig_at(pod / "config", ("one", ""))
    body = yaml.safe_load(path.read_text().replace("https://one", "http://one"))
    body["users"], body["contexts"][0]["context"] = [], {"cluster": "one"}
    path.write_text(yaml.safe_dump(body))
    assert (await access(path)).settings.host == "http://one"


async def test_of_several_files_the_first_names_the_context(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl has it."""
    files = [kubeconfig_at(pod / name, (name, "")) for name in ("first", "second")]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, [*files, pod / "nowhere"])))
    assert (await access()).settings.host == "https://first"


async def test_a_kubeconfig_may_be_a_pipe(pod: Path) -> None:
    content = kubeconfig_at(pod / "config", ("one", "")).read_bytes()
    os.mkfifo(pod / "pipe")
    writing = asyncio.create_task(asyncio.to_thread((pod / "pipe").write_bytes, content))
    assert (await asyncio.to_thread(asyncio.run, access(pod / "pipe"))).settings.host == "https://one"
    await writing


async def test_credentials_come_from_a_plugin(pod: Path) -> None:
    answer = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin"}}'
    found = await access(with_plugin(pod / "config", f"echo '{answer}'"))
    assert await found.settings.get_api_key_with_prefix("BearerToken") == "Bearer from-plugin"


async def test_a_plugin_that_fails_is_said_with_its_own_words(pod: Path) -> None:
    with pytest.raises(KubernetesError, match=r"gives no credentials: exec: process returned 7. .*log in first"):
        await access(with_plugin(pod / "config", "echo log in first >&2; exit 7"))

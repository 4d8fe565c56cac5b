"""The way to the Kubernetes API: proxies and names in certificates reach lists and watches alike."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.cluster.errors import KubernetesError
from coder_enterprise.cluster.kubeconfig import configuration
from coder_enterprise.cluster.paths import custom
from coder_enterprise.controller.kopf_source import KopfSource
from coder_enterprise.controller.watch import Watch, WatchTimes
from tests.support.api_server import APIServer
from tests.support.forward_proxy import ForwardProxy
from tests.support.front import Certificate
from tests.support.waiting import wait_for

NAME = "kubernetes.test"
GROUPS = "codergroups"


def kubeconfig(folder: Path, certificate: Certificate, server: str, **cluster: str) -> Path:
    trusted = base64.b64encode(certificate.pem.encode()).decode()
    named = {name.replace("_", "-"): value for name, value in cluster.items()}
    body: dict[str, Any] = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": trusted, **named}}],
        "users": [{"name": "test", "user": {"token": "kube-token"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(body))
    return file


async def lists_and_watches(file: Path) -> None:
    async with KubernetesClient(await configuration(file)) as client:
        watch = Watch(custom(GROUPS), None)
        await client.look(watch.collection)
        source = KopfSource(watch, client, lambda *_: None, "test", lambda: None, WatchTimes())
        task = asyncio.create_task(source.run())
        await wait_for(lambda: task.done() or not watch.trouble, "it is watched")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not watch.trouble


@pytest.mark.parametrize("where", ["the environment", "the kubeconfig"])
async def test_lists_and_watches_go_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    certificate = Certificate(tmp_path, NAME)
    async with APIServer([GROUPS], certificate) as api, ForwardProxy(api.port, "user:secret") as proxy:
        url = proxy.url.replace("//", "//user:secret@")
        in_file = {"proxy_url": url} if where == "the kubeconfig" else {}
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1" if in_file else url)
        await lists_and_watches(kubeconfig(tmp_path, certificate, f"https://{NAME}:6443", **in_file))
        assert set(proxy.asked) == {f"CONNECT {NAME}:6443"}
        assert {verb for verb, _ in api.requests} == {"list", "watch"}
        assert set(api.tokens) == {"Bearer kube-token"}


async def test_lists_and_watches_expect_the_name_that_the_kubeconfig_says(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path, NAME)
    async with APIServer([GROUPS], certificate) as api:
        server = f"https://localhost:{api.port}"
        await lists_and_watches(kubeconfig(tmp_path, certificate, server, tls_server_name=NAME))
        with pytest.raises(KubernetesError, match="does not answer"):
            await lists_and_watches(kubeconfig(tmp_path, certificate, server))


async def test_the_service_range_is_exempt_as_kubernetes_users_write_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "10.96.0.0/12,.svc,fd00::/8")
    settings = await configuration(kubeconfig(tmp_path, Certificate(tmp_path), "https://10.96.0.1:443"))
    async with KubernetesClient(settings) as client, client.session() as session:
        assert session._default_proxy is None


async def test_a_proxy_that_is_not_there_is_named_without_its_credentials(tmp_path: Path) -> None:
    url = "http://user:secret@127.0.0.1:1"
    file = kubeconfig(tmp_path, Certificate(tmp_path), f"https://{NAME}", proxy_url=url)
    async with KubernetesClient(await configuration(file)) as client:
        with pytest.raises(KubernetesError, match=r"127\.0\.0\.1:1 of proxy-url in the kubeconfig cannot be") as caught:
            await client.look(custom(GROUPS))
    assert "secret" not in str(caught.value)


async def test_a_socks_proxy_is_refused_at_the_start(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, Certificate(tmp_path), f"https://{NAME}", proxy_url="socks5://proxy:1080")
    with pytest.raises(KubernetesError, match="proxy-url in the kubeconfig names a SOCKS proxy"):
        await configuration(file)

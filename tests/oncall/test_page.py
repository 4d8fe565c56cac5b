"""Where the operator's page is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from kubernetes.aio.client import Configuration

from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.oncall.errors import CannotDo
from coder_enterprise.oncall.page import Page, find
from tests.support.pods import Pods, operator_pod


@pytest_asyncio.fixture
async def pods() -> AsyncIterator[Pods]:
    async with Pods(0) as running:
        yield running


@pytest_asyncio.fixture
async def client(pods: Pods) -> AsyncIterator[KubernetesClient]:
    settings = Configuration()
    settings.host = pods.url
    async with KubernetesClient(settings) as connected:
        yield connected


async def test_it_is_found_as_the_chart_has_it(pods: Pods, client: KubernetesClient) -> None:
    pods.pods = [operator_pod("operator-1")]
    assert await find(client, "coder", elsewhere=False) == Page("coder", "operator-1", 8082, "http", "local")


async def test_what_the_operator_was_told_is_read(pods: Pods, client: KubernetesClient) -> None:
    told = ["--page-address=[::]:9443", "--page-mode=kubernetes", "--page-tls-cert=/etc/tls.crt"]
    pods.pods = [operator_pod("operator-1", *told)]
    assert await find(client, "coder", elsewhere=False) == Page("coder", "operator-1", 9443, "https", "kubernetes")


async def test_a_pod_that_is_ready_is_taken(pods: Pods, client: KubernetesClient) -> None:
    pods.pods = [operator_pod("operator-1", ready=False), operator_pod("operator-2"), operator_pod("operator-3")]
    pods.pods[1]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert (await find(client, "coder", elsewhere=False)).pod == "operator-3"


async def test_it_is_looked_for_elsewhere_where_no_namespace_is_named(pods: Pods, client: KubernetesClient) -> None:
    pods.pods = [operator_pod("operator-1", namespace="system")]
    assert (await find(client, "default", elsewhere=True)).namespace == "system"
    with pytest.raises(CannotDo, match="no operator runs in default"):
        await find(client, "default", elsewhere=False)


async def test_who_may_not_look_everywhere_is_asked_for_a_namespace(pods: Pods, client: KubernetesClient) -> None:
    pods.forbidden = True
    with pytest.raises(CannotDo, match="no operator runs in default"):
        await find(client, "default", elsewhere=True)


async def test_of_several_operators_one_has_to_be_named(pods: Pods, client: KubernetesClient) -> None:
    pods.pods = [operator_pod("operator-1", namespace="a"), operator_pod("operator-2", namespace="b")]
    with pytest.raises(CannotDo, match="operators run in a, b"):
        await find(client, "default", elsewhere=True)


@pytest.mark.parametrize(
    ("options", "ready", "said"), [(["--page-address="], True, "serves no page"), ([], False, "is not ready")]
)
async def test_a_page_that_cannot_be_reached_is_said(
    pods: Pods, client: KubernetesClient, options: list[str], ready: bool, said: str
) -> None:
    pods.pods = [operator_pod("operator-1", *options, ready=ready)]
    with pytest.raises(CannotDo, match=said):
        await find(client, "coder", elsewhere=False)


async def test_another_operator_of_that_label_is_none_of_ours(pods: Pods, client: KubernetesClient) -> None:
    pods.pods = [operator_pod("theirs")]
    pods.pods[0]["spec"]["containers"][0]["args"] = ["operator"]
    with pytest.raises(CannotDo, match="no operator runs"):
        await find(client, "coder", elsewhere=False)

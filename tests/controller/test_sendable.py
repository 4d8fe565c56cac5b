"""What of a Secret leaves the cluster, and where to."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.cluster.secrets import Secret
from coder_enterprise.cluster.sendable import TYPE, is_sendable
from coder_enterprise.controller.hosts import AllowedHosts
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import GROUP, VERSION, WATCH_LABEL
from tests.support.engine import Cluster
from tests.support.things import World

WATCHED = {WATCH_LABEL: "true"}


@pytest.mark.parametrize(
    ("secret", "sendable"),
    [
        (Secret({}), False),
        (Secret({}, labels={WATCH_LABEL: "false"}), False),
        (Secret({}, type="kubernetes.io/tls"), False),
        (Secret({}, labels=WATCHED), True),
        (Secret({}, type=TYPE), True),
        (Secret({}, labels=WATCHED, owners=("external-secrets.io/v1",)), True),
        (Secret({}, labels=WATCHED, owners=(f"{GROUP}/{VERSION}",)), False),
    ],
    ids=["unmarked", "marked otherwise", "another type", "label", "type", "owned by others", "made by the operator"],
)
def test_only_what_somebody_has_marked_is_sent(secret: Secret, sendable: bool) -> None:
    assert is_sendable(secret) is sendable


@pytest.mark.looptime
async def test_a_secret_that_nobody_has_marked_is_named_and_its_label_noticed(cluster: Cluster) -> None:
    cluster.kubernetes.secret_labels = {}
    await cluster.start()
    cluster.connect()
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "SecretNotMarked")
    message = cluster.condition("Ready", "coder", "coderdeployments")["message"]
    assert f"kubectl label secret token -n team {WATCH_LABEL}=true" in message
    assert cluster.condition("Stalled", "coder", "coderdeployments")["status"] == "True"
    assert cluster.clients == []
    cluster.kubernetes.secret_labels = WATCHED
    cluster.kubernetes.put_secret("token", token="good")
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "Connected", within=1)


@pytest.mark.looptime
async def test_another_address_is_not_used_before_it_was_asked(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    other = World("http://other.test", latency=1.0)
    other.go_down()
    cluster.connect("coder", "team", other)
    await asyncio.sleep(0.1)
    cluster.thing("one", color="red")
    await asyncio.sleep(10)
    assert set(other.calls) == {"ping"}


@pytest.mark.looptime
async def test_a_link_local_address_is_refused_before_a_secret_is_read(cluster: Cluster) -> None:
    await cluster.start()
    cluster.connect("coder", "team", World("http://169.254.169.254"))
    await cluster.until(lambda: cluster.reason("coder", "coderdeployments") == "HostNotAllowed")
    assert cluster.clients == []
    await asyncio.sleep(100)
    assert cluster.clients == []


@pytest.mark.parametrize(
    ("patterns", "url", "allowed"),
    [
        ((), "https://coder.example.com", True),
        ((), "http://127.0.0.1:3000", True),
        ((), "http://169.254.169.254/latest", False),
        ((), "http://[fe80::1]", False),
        (("*.example.com",), "https://Coder.Example.com:8443", True),
        (("*.example.com",), "https://coder.example.com.", True),
        (("*.example.com",), "https://coder.example.com.evil.test", False),
        (("*.example.com",), "https://example.com", False),
        (("coder.coder.svc", "10.0.0.*"), "http://10.0.0.7", True),
        (("*",), "http://169.254.169.254", False),
        (("169.254.169.254",), "http://169.254.169.254", True),
    ],
)
def test_a_deployment_may_name_the_hosts_that_the_operator_was_started_with(
    patterns: tuple[str, ...], url: str, allowed: bool
) -> None:
    hosts = AllowedHosts(patterns)
    if allowed:
        hosts.require(url)
        return
    with pytest.raises(KindError) as caught:
        hosts.require(url)
    assert caught.value.reason == Reason.HOST_NOT_ALLOWED

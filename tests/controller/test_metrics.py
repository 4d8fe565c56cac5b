"""The metrics contract: what is documented is exposed, and what is exposed documented and true."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, generate_latest

from coder_enterprise.controller import metrics
from coder_enterprise.kinds.deployment import FIGURES
from coder_enterprise.kinds.machinery.base import Progress, Verdict
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.machinery.resource import Key
from tests.support.engine import Cluster

pytestmark = pytest.mark.looptime

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
ROW = re.compile(r"^\| `(coder_enterprise_\w+)` \| (\w+) \|([^|]*)\|")


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Type and labels by name, as the page says."""
    rows = [match for line in PAGE.read_text().splitlines() if (match := ROW.match(line))]
    return {
        name: (type_, tuple(re.findall(r"`(\w+)`", labels)))
        for name, type_, labels in (row.groups() for row in rows)
        if not name.startswith(f"{metrics.NAMESPACE}_server_")
    }


def exposed() -> dict[str, str]:
    """Type by name, as /metrics says."""
    lines = generate_latest().decode().splitlines()
    types = [line.split()[2:] for line in lines if line.startswith(f"# TYPE {metrics.NAMESPACE}_")]
    return {name: type_ for name, type_ in types if not name.endswith("_created") and "_test_" not in name}


def labels_of(name: str) -> tuple[str, ...]:
    collectors = [item for item in vars(metrics).values() if hasattr(item, "_labelnames")]
    collectors += metrics._figures.values()
    (found,) = [item for item in collectors if item._name == name.removesuffix("_total")]
    return tuple(found._labelnames)


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"{metrics.NAMESPACE}_{name}", labels)


def test_the_page_lists_what_is_exposed_with_type_and_labels() -> None:
    page = documented()
    metrics.deployment_figures(Key("CoderDeployment", "team", "coder"), dict.fromkeys(FIGURES, 0.0))
    assert {name: type_ for name, (type_, _) in page.items()} == exposed()
    for name, (_, labels) in page.items():
        assert labels == labels_of(name), name


def test_no_label_names_an_object() -> None:
    allowed = {"kind", "result", "ready", "reason", "deployment", "operation", "code", "what", "plural"}
    assert {label for _, labels in documented().values() for label in labels} <= allowed


async def test_objects_are_counted_by_how_they_are(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one")
    cluster.thing("two")
    cluster.thing("three", suspend=True)
    await cluster.until(lambda: cluster.is_applied("one") and cluster.is_applied("two"))
    await cluster.until(lambda: cluster.reason("three") == "Suspended")
    cluster.engine.measure()
    assert value("objects", kind="Thing", ready="True", reason="Applied") == 2
    assert value("objects", kind="Thing", ready="Unknown", reason="Suspended") == 1
    assert value("objects", kind="CoderDeployment", ready="True", reason="Connected") == 1
    cluster.kubernetes.delete("things", "three")
    await asyncio.sleep(1)
    cluster.engine.measure()
    assert value("objects", kind="Thing", ready="Unknown", reason="Suspended") is None


async def test_what_other_replicas_work_for_is_not_counted(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    for deployment in cluster.engine.deployments:
        cluster.engine.leave(deployment)
        await cluster.engine.forget(deployment)
    cluster.engine.measure()
    assert value("objects", kind="Thing", ready="True", reason="Applied") is None
    assert value("circuit_open", deployment="team/coder") is None
    assert value("last_success_timestamp_seconds", deployment="team/coder") is None


async def test_the_longest_reconcile_and_what_there_is_to_work_for_are_measured(cluster: Cluster) -> None:
    await cluster.begin()
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    cluster.engine.measure()
    assert (value("shards"), value("reconcile_oldest_seconds")) == (1, 0)
    cluster.coder.latency = 1e6
    cluster.thing("one", color="blue")
    await asyncio.sleep(30)
    cluster.engine.measure()
    assert value("reconcile_oldest_seconds") == pytest.approx(30, abs=1)


async def test_requests_and_writes_are_counted_for_their_server(cluster: Cluster) -> None:
    def count(name: str, **labels: str) -> float:
        return value(name, deployment="team/coder", **labels) or 0.0

    await cluster.begin()
    before = {
        "requests": count("external_requests_total", operation="things.create", code="2xx"),
        "seconds": count("external_request_seconds_count", operation="things.create"),
        "writes": count("external_writes_total", operation="things.create"),
    }
    cluster.thing("one")
    await cluster.until(lambda: cluster.is_applied("one"))
    assert count("external_requests_total", operation="things.create", code="2xx") == before["requests"] + 1
    assert count("external_request_seconds_count", operation="things.create") == before["seconds"] + 1
    assert count("external_writes_total", operation="things.create") == before["writes"] + 1
    assert value("external_writes_total", deployment="team/coder", operation="things.list") is None
    assert count("last_success_timestamp_seconds") > 1.7e9


async def test_the_time_to_ready_is_observed_once_per_object(cluster: Cluster) -> None:
    def observed() -> float:
        return value("time_to_ready_seconds_count", kind="Thing") or 0.0

    cluster.kind.stands = Verdict(Progress.WORKING, reason=Reason.UNREACHABLE, message="not yet", revisit=5)
    await cluster.begin()
    before = observed()
    cluster.thing("one")
    await cluster.until(lambda: cluster.reason("one") == "Unreachable")
    assert observed() == before
    cluster.kind.stands = Verdict()
    await cluster.until(lambda: cluster.is_applied("one"), within=8)
    assert observed() == before + 1
    cluster.thing("one", color="blue")
    await cluster.until(lambda: cluster.is_applied("one"))
    await asyncio.sleep(400)
    assert observed() == before + 1


async def test_a_deployment_that_is_gone_leaves_no_series(cluster: Cluster) -> None:
    def series() -> list[str]:
        return [line for line in generate_latest().decode().splitlines() if 'deployment="team/gone"' in line]

    await cluster.start()
    cluster.connect("gone")
    cluster.thing("one", deploymentRef={"name": "gone"})
    await cluster.until(lambda: cluster.is_applied("one"))
    cluster.engine.measure()
    assert series()
    cluster.kubernetes.delete("things", "one")
    await cluster.until(lambda: cluster.body("things", "one") is None)
    cluster.kubernetes.delete("coderdeployments", "gone")
    await asyncio.sleep(1)
    await cluster.engine.sweep_once()
    cluster.engine.measure()
    assert series() == []

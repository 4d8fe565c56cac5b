"""What the operator counts, as Prometheus metrics; docs/reference/metrics.md says what each means.

Written by the engine and the leases, served by `controller.health`. No names of objects are labels, but for that of
the deployment, which is the server that is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from coder_enterprise.client import errors
from coder_enterprise.client.http import Call
from coder_enterprise.kinds.machinery.connection import Figure
from coder_enterprise.kinds.machinery.resource import Key

NAMESPACE: Final = "coder_enterprise"

start_time_seconds = Gauge("start_time_seconds", "Unix time at which the operator started.", namespace=NAMESPACE)
reconciles = Counter("reconciles", "Reconciles by kind and result.", ("kind", "result"), namespace=NAMESPACE)
reconcile_seconds = Histogram("reconcile_seconds", "Duration of a reconcile.", ("kind",), namespace=NAMESPACE)
time_to_ready_seconds = Histogram(
    "time_to_ready_seconds",
    "From the creation of an object to its first Ready.",
    ("kind",),
    namespace=NAMESPACE,
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
objects = Gauge(
    "objects", "Objects that this replica works for, by their Ready condition.", ("kind", "ready", "reason"),
    namespace=NAMESPACE,
)  # fmt: skip
drift_found = Counter(
    "drift_found", "Differences that appeared behind the operator's back.", ("kind",), namespace=NAMESPACE
)

external_requests = Counter(
    "external_requests",
    "Requests to Coder by deployment, operation and outcome.",
    ("deployment", "operation", "code"),
    namespace=NAMESPACE,
)
external_request_seconds = Histogram(
    "external_request_seconds",
    "Duration of a request to Coder, without the time that it waited for its turn.",
    ("deployment", "operation"),
    namespace=NAMESPACE,
)
external_writes = Counter(
    "external_writes",
    "Requests that changed something in Coder.",
    ("deployment", "operation"),
    namespace=NAMESPACE,
)
circuit_open = Gauge(
    "circuit_open", "1 while a deployment is not usable, and its objects wait.", ("deployment",), namespace=NAMESPACE
)
last_success = Gauge(
    "last_success_timestamp_seconds", "When a deployment last answered well.", ("deployment",), namespace=NAMESPACE
)

kubernetes_writes = Counter("kubernetes_writes", "Writes to Kubernetes by what.", ("what",), namespace=NAMESPACE)
queue_depth = Gauge("queue_depth", "Keys that are ready or in work.", namespace=NAMESPACE)
queue_oldest_seconds = Gauge(
    "queue_oldest_seconds", "For how long the key has waited that nothing but a worker is missing to.",
    namespace=NAMESPACE,
)  # fmt: skip
reconcile_oldest_seconds = Gauge(
    "reconcile_oldest_seconds", "For how long the reconcile has run that began first.", namespace=NAMESPACE
)
watch_age_seconds = Gauge(
    "watch_age_seconds",
    "Since the watch of a kind gave its last sign of life: an event, a bookmark, or a page of a list.",
    ("plural",),
    namespace=NAMESPACE,
)
watch_blind = Gauge("watch_blind", "1 while a kind is not watched.", ("plural",), namespace=NAMESPACE)
watch_replacements = Counter(
    "watch_replacements", "Watches that were begun anew, by why.", ("plural", "reason"), namespace=NAMESPACE
)
watch_missed = Counter(
    "watch_missed", "Changes that the sweep found and the watch had not told of.", ("plural",), namespace=NAMESPACE
)
shards = Gauge("shards", "Deployments that somebody must work for.", namespace=NAMESPACE)
shards_held = Gauge("shards_held", "Deployments that this replica works for.", namespace=NAMESPACE)
replicas = Gauge("replicas", "Replicas of the operator that live, as this one sees it.", namespace=NAMESPACE)


def reconciled(kind: str, result: str, seconds: float) -> None:
    """Count one visit."""
    _reconciles(kind, result).inc()
    _reconcile_seconds(kind).observe(seconds)


@cache
def _reconciles(kind: str, result: str) -> Counter:
    """Found once: to look for labels takes as long as to count."""
    return reconciles.labels(kind, result)


@cache
def _reconcile_seconds(kind: str) -> Histogram:
    return reconcile_seconds.labels(kind)


def external_request(deployment: str, call: Call, error: errors.CoderError | None, seconds: float) -> None:
    """Count one request; the code is an HTTP status, or the reason without one."""
    code = "2xx" if error is None else str(getattr(error, "status", error.reason))
    external_requests.labels(deployment, call.operation, code).inc()
    external_request_seconds.labels(deployment, call.operation).observe(seconds)
    if error is None:
        last_success.labels(deployment).set_to_current_time()
        if call.writes:
            external_writes.labels(deployment, call.operation).inc()


def forget(deployment: Key) -> None:
    """This replica works for it no more: what it knew last is not so for ever."""
    for metric in (circuit_open, last_success, external_requests, external_request_seconds, external_writes):
        metric.remove_by_labels({"deployment": deployment.namespaced_name})
    deployment_figures(deployment, {})


_counted: set[tuple[str, str, str]] = set()


def count_objects(counts: Mapping[tuple[str, str, str], int]) -> None:
    """By kind, readiness and reason; what is not counted is not there any more."""
    for labels in _counted - counts.keys():
        objects.remove(*labels)
    for labels, count in counts.items():
        objects.labels(*labels).set(count)
    _counted.clear()
    _counted.update(counts)


_figures: Final[dict[Figure, Gauge]] = {}


def deployment_figures(deployment: Key, figures: Mapping[Figure, float]) -> None:
    """Show these numbers of a deployment and no others: one that is not known any more is not shown."""
    for figure in figures.keys() - _figures.keys():
        _figures[figure] = Gauge(figure.name, figure.description, ("deployment",), namespace=NAMESPACE)
    for figure, gauge in _figures.items():
        if figure in figures:
            gauge.labels(deployment.namespaced_name).set(figures[figure])
        else:
            gauge.remove(deployment.namespaced_name)

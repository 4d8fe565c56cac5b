"""What the operator counts, as Prometheus metrics; no object names as labels but those of deployments.

Written by the engine, served by `controller.health`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from coder_enterprise.client import errors
from coder_enterprise.kinds.base import Figure
from coder_enterprise.kinds.resource import Key

NAMESPACE: Final = "coder_enterprise"

reconciles = Counter("reconciles", "Reconciles by kind and result.", ("kind", "result"), namespace=NAMESPACE)
reconcile_seconds = Histogram("reconcile_seconds", "Duration of a reconcile.", ("kind",), namespace=NAMESPACE)
external_requests = Counter(
    "external_requests",
    "Requests to Coder by operation and outcome.",
    ("operation", "code"),
    namespace=NAMESPACE,
)
kubernetes_writes = Counter("kubernetes_writes", "Writes to Kubernetes by what.", ("what",), namespace=NAMESPACE)
drift_found = Counter(
    "drift_found", "Differences that appeared behind the operator's back.", ("kind",), namespace=NAMESPACE
)
queue_depth = Gauge("queue_depth", "Keys that are ready or in work.", namespace=NAMESPACE)
circuits_open = Gauge("circuits_open", "Deployments that are not usable now.", namespace=NAMESPACE)
leader = Gauge("leader", "1 while this process leads.", namespace=NAMESPACE)


def external_request(operation: str, error: errors.CoderError | None) -> None:
    """Count one request; the code is an HTTP status, or the reason without one."""
    code = "2xx" if error is None else str(getattr(error, "status", error.reason))
    external_requests.labels(operation, code).inc()


_figures: Final[dict[Figure, Gauge]] = {}


def deployment_figures(deployment: Key, figures: Mapping[Figure, float]) -> None:
    """Show these numbers of a deployment and no others: one that is not known any more is not shown."""
    label = f"{deployment.namespace}/{deployment.name}"
    for figure in figures.keys() - _figures.keys():
        _figures[figure] = Gauge(figure.name, figure.description, ("deployment",), namespace=NAMESPACE)
    for figure, gauge in _figures.items():
        if figure in figures:
            gauge.labels(label).set(figures[figure])
        else:
            gauge.remove_by_labels({"deployment": label})

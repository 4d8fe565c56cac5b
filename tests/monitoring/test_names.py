"""Alerts, dashboard and runbooks ask for metrics, labels and values that there are."""

from __future__ import annotations

import re
from typing import Final

import httpx2
import pytest
from prometheus_client import Counter, Gauge, Histogram

from coder_enterprise.controller import metrics
from coder_enterprise.kinds.deployment import FIGURES
from coder_enterprise.kinds.machinery.reasons import Reason
from coder_enterprise.kinds.registry import KINDS
from coder_enterprise.server.routes.metrics import RequestMetrics
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, secret
from tests.support.monitoring import Expression, expressions, groupings, selectors
from tools.operator_process import OperatorProcess
from tools.server_process import OWNER_EMAIL, CoderServer

SCRAPE: Final = {"namespace", "job", "pod", "instance"}
"""Labels that Prometheus adds to all."""
OTHERS: Final = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Metrics that every program has."""
VALUES: Final[dict[str, set[str]]] = {
    "kind": {kind.names.kind for kind in KINDS},
    "ready": {"True", "False", "Unknown"},
    "reason": set(Reason),
    "result": {"done", "waiting", "transient", "stalled", "fault", "lost"},
}
EXPRESSIONS: Final = list(expressions())


def sample(collector: Counter | Gauge | Histogram) -> tuple[str, set[str]]:
    """The name under which a collector is asked for, and its labels."""
    name, labels = collector._name, set(collector._labelnames)
    match collector:
        case Counter():
            return f"{name}_total", labels
        case Gauge():
            return name, labels
        case Histogram():
            return f"{name}_bucket", labels | {"le"}


def exposed() -> dict[str, set[str]]:
    known = [*vars(metrics).values(), *vars(RequestMetrics()).values()]
    found = dict(sample(item) for item in known if isinstance(item, Counter | Gauge | Histogram))
    found |= {f"{metrics.NAMESPACE}_{figure.name}": {"deployment"} for figure in FIGURES}
    return found | {name: set() for name in OTHERS}


EXPOSED: Final = exposed()


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda expression: expression.where)
def test_each_query_asks_for_metrics_and_labels_that_there_are(expression: Expression) -> None:
    asked = selectors(expression.text)
    assert asked
    known = set(SCRAPE)
    for selector in asked:
        labels = EXPOSED[selector.metric] | SCRAPE
        assert {label for label, _ in selector.matchers} <= labels, selector.metric
        known |= labels
    assert groupings(expression.text) <= known


def test_each_value_that_is_asked_for_can_occur() -> None:
    asked = [pair for expression in EXPRESSIONS for item in selectors(expression.text) for pair in item.matchers]
    assert [(label, value) for label, value in asked if label in VALUES and value not in VALUES[label]] == []


@pytest.fixture
def session(server: CoderServer) -> str:
    """The token of a login, which ends some day; that of the server's first owner does not."""
    credentials = {"email": OWNER_EMAIL, "password": server.password}
    return str(httpx2.post(f"{server.url}/api/v2/users/login", json=credentials).json()["session_token"])


def test_a_real_operator_exposes_all_that_is_asked_for(
    namespace: Namespace, server: CoderServer, operator: OperatorProcess, session: str
) -> None:
    namespace.apply(secret(token=session), deployment(server.url))
    namespace.wait_for("CoderDeployment", "coder", "Connected")
    found = set(re.findall(r"^# TYPE (\w+) ", operator.metrics(), re.MULTILINE))
    asked = {selector.metric for expression in EXPRESSIONS for selector in selectors(expression.text)}
    ours = {name for name in asked if name.startswith(metrics.NAMESPACE)}
    assert {name for name in ours if name not in found and name.removesuffix("_bucket") not in found} == set()

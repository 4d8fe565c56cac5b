"""All examples together, in any order: they converge by themselves, show no secret, and then are quiet."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import examples
from tests.support.examples import KINDS, not_ready
from tests.support.kubernetes import Namespace
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer


@pytest.fixture(params=["documented", "codersdk"])
def server(request: pytest.FixtureRequest) -> Iterator[CoderServer]:
    with CoderServer(licensed=False, profile=request.param, **examples.SETTINGS) as process:
        yield process


def versions(namespace: Namespace) -> dict[str, str]:
    bodies = [body for kind in KINDS for body in namespace.all(kind)]
    return {body["metadata"]["uid"]: body["metadata"]["resourceVersion"] for body in bodies}


def reads(operator: OperatorProcess) -> float:
    """How often the groups were listed."""
    lines = (line for line in operator.metrics().splitlines() if "external_requests_total" in line)
    return sum(float(line.rpartition(" ")[2]) for line in lines if "groups.list" in line)


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize("seed", [1, 2])
def test_all_examples_converge_in_any_order_show_no_secret_and_are_quiet(
    namespace: Namespace,
    server: CoderServer,
    coder: CoderAPI,
    operator: OperatorProcess,
    tmp_path: Path,
    seed: int,
) -> None:
    examples.prepare(coder)
    texts, secrets = examples.files(server)
    bodies = examples.bodies(texts)
    random.Random(seed).shuffle(bodies)
    for body in bodies:
        namespace.apply(body)
    with examples.proxies(namespace, server, tmp_path) as tokens:
        wait_until(lambda: not not_ready(namespace), "everything is Ready", timeout=90)
        shown = str([namespace.all(kind) for kind in (*KINDS, "Event")]) + operator.text() + operator.metrics()
        for secret in (*secrets.values(), *tokens, *(token.partition(":")[2] for token in tokens)):
            assert secret not in shown
        start = reads(operator)
        wait_until(lambda: reads(operator) > start, "what was still moving has settled", timeout=30)
        before, changes = versions(namespace), coder.audit_count()
        start = reads(operator)
        wait_until(lambda: reads(operator) >= start + 2, "two more resyncs", timeout=60)
        assert versions(namespace) == before
        assert coder.audit_count() == changes

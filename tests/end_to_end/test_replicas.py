"""Two operators: each works for its share of the deployments, and for all when the other is gone."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_enterprise.cluster.marks import DEPLOYMENT
from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

TAKEOVER = 20.0
COUNT = 5


class Pair:
    """Two operators, and a deployment for each."""

    def __init__(self, namespace: Namespace, server: CoderServer, folder: Path) -> None:
        self.namespace = namespace
        self.server = server
        options = ("--namespace", namespace.name, "--lease-namespace", namespace.name)
        plane = namespace.plane
        self.operators = [OperatorProcess(plane.kubeconfig, folder / f"{name}.log", *options) for name in ("a", "b")]

    def start(self) -> None:
        self.namespace.apply(secret(token=self.server.token))
        self.namespace.apply(*(deployment(self.server.url, name) for name in ("first", "second")))
        for operator in self.operators:
            operator.start()
        wait_until(lambda: len(set(self.holders().values())) == 2, "each has one")

    def holders(self) -> dict[str, str]:
        """Who works for which deployment, by its name."""
        shown = {}
        for body in self.namespace.all("Lease"):
            about = body["metadata"]["annotations"].get(DEPLOYMENT)
            if about:
                shown[about.partition("/")[2]] = body["spec"]["holderIdentity"]
        return shown

    def works_for(self, name: str) -> OperatorProcess:
        holder = self.holders()[name]
        (found,) = [operator for operator in self.operators if f'"identity": "{holder}"' in operator.text()]
        return found

    def groups(self, prefix: str) -> list[str]:
        """Declare groups in both deployments; their names."""
        names = [f"{prefix}-{name}-{number}" for name in ("first", "second") for number in range(COUNT)]
        self.namespace.apply(*(group(name, deploymentRef={"name": name.split("-")[1]}) for name in names))
        return names

    def versions(self) -> dict[str, str]:
        found = self.namespace.all("CoderGroup")
        return {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in found}

    def wait_for(self, names: list[str], timeout: float = 30.0) -> None:
        for name in names:
            self.namespace.wait_for("CoderGroup", name, "Applied", timeout=timeout)

    def resume(self, operator: OperatorProcess) -> int:
        """After SIGSTOP; the exit code."""
        operator.process.signal(signal.SIGCONT)
        return operator.process.wait(60)


@pytest.fixture
def pair(namespace: Namespace, server: CoderServer, tmp_path: Path) -> Iterator[Pair]:
    two = Pair(namespace, server, tmp_path)
    try:
        two.start()
        yield two
    finally:
        for operator in two.operators:
            operator.close()
            print(operator.text()[-4000:])


def shown(coder: CoderAPI, names: list[str]) -> list[str]:
    """These groups, as often as they are in Coder."""
    return sorted(body["name"] for body in coder.groups() if body["name"] in names)


def test_each_works_for_its_own_deployment_and_for_no_other(pair: Pair, coder: CoderAPI) -> None:
    names = pair.groups("one")
    pair.wait_for(names)
    assert shown(coder, names) == sorted(names)
    assert pair.works_for("first") is not pair.works_for("second")
    for operator in pair.operators:
        assert "coder_enterprise_shards_held 1.0" in operator.metrics()
        assert "coder_enterprise_replicas 2.0" in operator.metrics()
        counted = f'coder_enterprise_objects{{kind="CoderGroup",ready="True",reason="Applied"}} {COUNT}.0'
        assert counted in operator.metrics()


@fault(
    name="replica of the operator killed",
    injected="SIGKILL of one of two operators.",
    verdict="The other one works for everything within twenty seconds, and nothing is made twice.",
)
def test_the_other_has_everything_soon_after_one_is_killed(pair: Pair, coder: CoderAPI) -> None:
    pair.works_for("first").kill()
    killed = time.monotonic()
    names = pair.groups("two")
    pair.wait_for(names, timeout=TAKEOVER + 10)
    assert time.monotonic() - killed < TAKEOVER
    assert shown(coder, names) == sorted(names)
    assert len(set(pair.holders().values())) == 1


def test_the_other_has_everything_at_once_when_one_ends(pair: Pair, coder: CoderAPI) -> None:
    assert pair.works_for("first").stop() == 0
    ended = time.monotonic()
    names = pair.groups("three")
    pair.wait_for(names)
    assert time.monotonic() - ended < TAKEOVER / 2
    assert shown(coder, names) == sorted(names)


@fault(
    name="replica of the operator paused",
    injected="SIGSTOP of one of two operators until the other has taken over, then SIGCONT.",
    verdict="It ends without a write.",
)
def test_one_that_slept_writes_nothing_when_it_wakes_up(pair: Pair, coder: CoderAPI) -> None:
    sleeper = pair.works_for("first")
    sleeper.process.signal(signal.SIGSTOP)
    names = pair.groups("four")
    pair.wait_for(names, timeout=TAKEOVER + 10)
    before = pair.versions()
    assert pair.resume(sleeper) == 1
    assert shown(coder, names) == sorted(names)
    assert pair.versions() == before

"""Of two operators the one that works is stopped until the other has taken over: when it goes on, it writes nothing.

Who wrote is seen from outside: each has a service account of its own, which the API server's audit log names, and a
proxy of its own in front of Coder.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, secret
from tests.support.waiting import wait_until
from tests.support.witness import Witness
from tools.coder_api import CoderAPI
from tools.processes import Process
from tools.server_process import CoderServer

COUNT = 12
CODER = "http://coder.test:3000"
"""A name that only the proxies know."""


class Operator:
    """One of the two, and what it did."""

    def __init__(self, namespace: Namespace, name: str, witness: Witness, folder: Path) -> None:
        self.witness = witness
        self._namespace = namespace
        self._user = f"system:serviceaccount:{namespace.name}:{name}"
        namespace.plane.kubectl("create", "serviceaccount", name, "-n", namespace.name)
        kubeconfig = namespace.plane.service_account_kubeconfig(namespace.name, name)
        command = [sys.executable, "-m", "tests.support.brisk", str(kubeconfig), namespace.name]
        environment = {"HTTP_PROXY": witness.url, "NO_PROXY": "127.0.0.1"}
        self.process = Process(name, command, folder / f"{name}.log", environment)

    def works(self) -> bool:
        return '"event": "taken"' in self.process.log.read_text()

    def pause(self) -> None:
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> int:
        """Its exit code."""
        self.process.signal(signal.SIGCONT)
        return self.process.wait(60)

    def wrote_to_kubernetes_since(self, moment: datetime) -> list[str]:
        entries = map(json.loads, self._namespace.plane.audit_log.read_text().splitlines())
        return [
            f"{entry['verb']} {entry['requestURI']}"
            for entry in entries
            if entry["user"].get("username") == self._user
            and entry["verb"] not in {"get", "list", "watch"}
            and datetime.fromisoformat(entry["requestReceivedTimestamp"]) > moment
        ]


@pytest.fixture
def operators(namespace: Namespace, server: CoderServer, tmp_path: Path) -> Iterator[list[Operator]]:
    """The one that works first."""
    role = ["--clusterrole=cluster-admin", f"--group=system:serviceaccounts:{namespace.name}"]
    namespace.plane.kubectl("create", "clusterrolebinding", namespace.name, *role)
    namespace.apply(secret(token=server.token), deployment(CODER))
    with ExitStack() as stack:
        both = []
        for name in ("a", "b"):
            witness = stack.enter_context(Witness(server.url))
            both.append(Operator(namespace, name, witness, tmp_path))
            stack.callback(both[-1].process.kill)
        wait_until(lambda: any(operator.works() for operator in both), "one has it")
        namespace.wait_for("CoderDeployment", "coder", "Connected")
        yield sorted(both, key=Operator.works, reverse=True)
        print(*(operator.process.tail() for operator in both), sep="\n")
    namespace.plane.kubectl("delete", "clusterrolebinding", namespace.name)


@fault(
    name="leader paused",
    injected=(
        "SIGSTOP of the operator that works, at rest and at its fifth write to Coder, until the other one has taken "
        "over; then SIGCONT."
    ),
    verdict=(
        "From then on neither the API server's audit log nor its own proxy in front of Coder has a write of it; it "
        "ends, and everything is there once."
    ),
)
@pytest.mark.parametrize("paused_at", [0, 5], ids=["at rest", "fifth write"])
def test_a_leader_that_was_paused_writes_nothing_when_it_goes_on(
    operators: list[Operator], namespace: Namespace, coder: CoderAPI, paused_at: int
) -> None:
    sleeper, successor = operators

    def pause(written: int) -> None:
        if written == paused_at:
            sleeper.pause()

    sleeper.witness.on_write = pause
    pause(0)
    names = [f"group-{number}" for number in range(COUNT)]
    namespace.apply(*map(group, names))
    for name in names:
        namespace.wait_for("CoderGroup", name, "Applied")
    assert successor.witness.written, "the other one has made what was left"
    before, moment = len(sleeper.witness.written), datetime.now(UTC)
    assert sleeper.resume() == 1
    assert sleeper.witness.written[before:] == []
    assert sleeper.wrote_to_kubernetes_since(moment) == []
    made = sorted(body["name"] for body in coder.groups() if body["name"] != "Everyone")
    assert made == sorted(names)
    for name in names:
        assert namespace.status("CoderGroup", name)["id"] == coder.group(name)["id"]

"""Somebody sets the clock of a machine by hours, forward and back, while our programs run.

What is shifted is what `tests/support/shifted.py` says: the time of day as Python code of that one process reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from typing_extensions import override

from tests.support.faults import fault
from tests.support.kubernetes import Namespace
from tests.support.manifests import deployment, group, proxy, secret
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.operator_process import OperatorProcess
from tools.processes import READY_TIMEOUT, Process, Restartable
from tools.server_process import CoderServer

HOUR: Final = 3600
PROXY: Final = "CoderWorkspaceProxy"


class ByAnotherClock(Restartable):
    """A program whose clock is set by `set_clock`."""

    clock: Path

    def set_clock(self, seconds: int) -> None:
        """That far from the real one."""
        new = self.clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self.clock)

    @override
    def _launch(
        self, log: Path, environment: Mapping[str, str], *options: str, ready: Callable[[], bool] | None
    ) -> None:
        command = [sys.executable, "-m", "tests.support.shifted", str(self.clock), self.program, *options]
        self._process = process = Process(f"{self.program} by another clock", command, log, environment)
        if ready is not None:
            process.wait_until(ready, READY_TIMEOUT)


class Server(ByAnotherClock, CoderServer): ...


class Operator(ByAnotherClock, OperatorProcess): ...


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    process = Server()
    process.clock = tmp_path / "clock-of-server"
    process.set_clock(0)
    with process:
        yield process
        print(process.log.read_text()[-4000:])


@pytest.fixture
def operator(namespace: Namespace, tmp_path: Path) -> Iterator[Operator]:
    options = ("--namespace", namespace.name, "--lease-namespace", namespace.name)
    process = Operator(namespace.plane.kubeconfig, tmp_path / "operator.log", *options)
    process.clock = tmp_path / "clock-of-operator"
    process.set_clock(0)
    with process:
        yield process
        print(process.text()[-8000:])


def hours_ahead(coder: CoderAPI, number: int) -> int:
    """Of the server, by what it says of somebody who has just been made."""
    made = datetime.fromisoformat(coder.create_user(f"ann-{number}")["created_at"])
    return round((made - datetime.now(UTC)).total_seconds() / HOUR)


@fault(
    name="clocks set by hours",
    injected="The clock of the operator, of Coder, or of both is set five hours forward, and then ten hours back.",
    verdict=(
        "Edits are applied by each clock, the Lease stays, the licence counts, and a token that is to be replaced each "
        "hour is replaced once."
    ),
)
@pytest.mark.parametrize("whose", ["operator", "server", "both"])
def test_a_clock_that_jumps_disturbs_nothing(
    namespace: Namespace, server: Server, operator: Operator, coder: CoderAPI, whose: str
) -> None:
    namespace.apply(secret(token=server.token), deployment(server.url), group("platform"))
    namespace.apply(proxy("eu", tokenSecret={"rotateEvery": "1h"}))
    namespace.wait_for("CoderGroup", "platform", "Applied")
    namespace.wait_for(PROXY, "eu", "NotRegistered")
    tokens = [namespace.secret("eu-token")["CODER_PROXY_SESSION_TOKEN"]]
    shifted = [process for process in (operator, server) if whose in {process.program, "both"}]
    for step, offset in enumerate((5 * HOUR, -5 * HOUR)):
        for process in shifted:
            process.set_clock(offset)
        namespace.apply(group("platform", quotaAllowance=step + 1))
        namespace.annotate(PROXY, "eu", reconcile_requested_at=str(step))
        namespace.wait_for("CoderGroup", "platform", "Applied")
        wait_until(lambda: namespace.status(PROXY, "eu").get("lastHandledReconcileAt") == str(step), "it was looked at")  # noqa: B023
        assert coder.group("platform")["quota_allowance"] == step + 1
        tokens.append(namespace.secret("eu-token")["CODER_PROXY_SESSION_TOKEN"])
        assert coder.accepts_proxy_token(tokens[-1])
        assert hours_ahead(coder, step) == (offset // HOUR if server in shifted else 0)
    assert len(set(tokens)) == (1 if whose == "server" else 2)
    assert (operator.process.exit_code, server.process.exit_code) == (None, None)
    assert namespace.condition("CoderDeployment", "coder")["reason"] == "Connected"

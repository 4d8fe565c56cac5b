"""Where the bench takes place: a control plane, one Coder or several, and the operator for them, as processes.

Made by each scenario anew. The operator is not started yet, so that a scenario can see it idle.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from coder_enterprise.kinds.machinery.resource import GROUP, VERSION
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.processes import LOG_TAIL, free_ports
from tools.server_process import CoderServer, new_token

ROOT: Final = Path(__file__).parents[2]
FLOOR: Final = "bench-floor"
"""The namespace of the bare script."""
OPERATED: Final = "bench"
API_VERSION: Final = f"{GROUP}/{VERSION}"


class MeasuredCoder(CoderServer):
    """A server that tells what it was asked."""

    def __init__(self, database_url: str = "", token: str = "") -> None:
        self.metrics_address = f"127.0.0.1:{free_ports(1)[0]}"
        super().__init__(
            database_url,
            token,
            CODER_PROMETHEUS_ENABLE="true",
            CODER_PROMETHEUS_ADDRESS=self.metrics_address,
        )


class Stage:
    def __init__(
        self,
        plane: ControlPlane,
        coders: Sequence[CoderServer],
        operator: OperatorProcess,
        namespace: str = OPERATED,
    ) -> None:
        self.plane = plane
        self.coders = coders
        self.operator = operator
        self.namespace = namespace

    @property
    def coder(self) -> CoderServer:
        """The first one, or the only one."""
        return self.coders[0]

    def another_operator(self, number: int = 2) -> OperatorProcess:
        """A replica, which the caller starts and closes."""
        return _operator(self.plane, f"operator-{number}.log")

    def connect(self) -> None:
        """Wait until all CoderDeployments are Ready; the operator runs."""
        self.plane.kubectl(
            "wait", "-n", OPERATED, "--for=condition=Ready", "coderdeployments", "--all", "--timeout=60s"
        )


@contextlib.contextmanager
def stage(coders: int = 1, program: type[OperatorProcess] = OperatorProcess) -> Iterator[Stage]:
    """With so many servers, and for each a CoderDeployment of its name."""
    with contextlib.ExitStack() as stack:
        plane = stack.enter_context(ControlPlane(audit_reads=True))
        token = new_token()
        servers = [stack.enter_context(MeasuredCoder(token=token)) for _ in range(coders)]
        plane.kubectl("apply", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        for namespace in (FLOOR, OPERATED):
            plane.kubectl("create", "namespace", namespace)
        connections = [_secret(token), *(_deployment(number, server.url) for number, server in enumerate(servers))]
        body = json.dumps({"apiVersion": "v1", "kind": "List", "items": connections})
        plane.kubectl("apply", "-n", OPERATED, "-f", "-", input=body)
        operator = _operator(plane, "operator.log", program)
        stack.callback(operator.close)
        try:
            yield Stage(plane, servers, operator)
        except Exception:
            print(operator.text()[-LOG_TAIL:] if operator.log.exists() else "", file=sys.stderr)
            raise


def deployment_name(number: int) -> str:
    """The first one has the name that objects need not give."""
    return f"coder-{number}" if number else "coder"


def _operator(plane: ControlPlane, log: str, program: type[OperatorProcess] = OperatorProcess) -> OperatorProcess:
    return program(plane.kubeconfig, plane.folder / log, "--namespace", OPERATED)


def _secret(token: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": f"{GROUP}/token",
        "metadata": {"name": "coder-token"},
        "stringData": {"token": token},
    }


def _deployment(number: int, url: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "CoderDeployment",
        "metadata": {"name": deployment_name(number)},
        "spec": {"url": url, "tokenSecretRef": {"name": "coder-token"}},
    }

"""A namespace with an operator for all tests of a module, each with people, groups and templates of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.kubernetes import Namespace
from tests.support.manifests import Body, deployment, secret
from tests.support.waiting import wait_until
from tools.kubernetes.control_plane import ControlPlane
from tools.operator_process import OperatorProcess
from tools.server_process import CoderServer

_requests: Final = itertools.count(1)


class Operated(NamedTuple):
    space: Namespace
    operator: OperatorProcess

    def settle(self, *objects: Body, reason: str = "Applied") -> None:
        """Apply, and wait until it is so: one after the other, so that none finds that another is not there yet."""
        for body in objects:
            self.space.apply(body)
            self.space.wait_for(body["kind"], body["metadata"]["name"], reason)

    def visit(self, kind: str, name: str) -> None:
        """Once more, from now on."""
        number = str(next(_requests))
        self.space.annotate(kind, name, reconcile_requested_at=number)
        wait_until(lambda: self.space.status(kind, name).get("lastHandledReconcileAt") == number, f"{name} is visited")

    def remove(self, kind: str, name: str) -> None:
        self.space.delete(kind, name)
        self.space.wait_until_gone(kind, name)


@contextmanager
def operated(plane: ControlPlane, server: CoderServer, directory: Path) -> Iterator[Operated]:
    """Connected to that Coder."""
    space = Namespace(plane)
    space.create()
    space.apply(secret(token=server.token), deployment(server.url))
    options = ("--namespace", space.name, "--lease-namespace", space.name)
    with OperatorProcess(plane.kubeconfig, directory / "operator.log", *options) as process:
        space.wait_for("CoderDeployment", "coder", "Connected")
        yield Operated(space, process)
        print(process.text()[-8000:])
    space.close()

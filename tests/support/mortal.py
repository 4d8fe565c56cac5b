"""`python -m tests.support.mortal KUBECONFIG NAMESPACE PASSED KIND`: the operator, which dies at each new point.

The points are before and after each request to Coder, and before and after each write to Kubernetes. Those that it has
passed are the lines of the file PASSED: at any other it adds a line, and SIGKILLs itself; the next one starts at once.
While the first line is `spare`, it only adds lines. It knows no other kind than KIND: most of a start are its watches.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from coder_enterprise.cli.logs import configure
from coder_enterprise.client import errors
from coder_enterprise.client.http import Call
from coder_enterprise.cluster.client import KubernetesClient
from coder_enterprise.controller import connections, manager
from coder_enterprise.controller.manager import Manager, ManagerSettings
from coder_enterprise.kinds.machinery.base import ManagedKind
from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
from coder_enterprise.process.loop import run

SPARE: Final = "spare"
NOBODYS: Final = {"leases", "events"}
"""What is written to these is not part of what an object goes through."""


class Points:
    def __init__(self, passed: Path) -> None:
        self._passed = passed

    def reach(self, point: str) -> None:
        known = self._passed.read_text().splitlines()
        if point in known:
            return
        with self._passed.open("a") as file:
            file.write(f"{point}\n")
        if known[:1] != [SPARE]:
            os.kill(os.getpid(), signal.SIGKILL)


def instrument(points: Points) -> None:
    """Have the operator of this process reach the points."""

    class Hooks(connections.Hooks):
        @override
        async def before(self, call: Call) -> None:
            await super().before(call)
            points.reach(f"before {call.operation}")

        @override
        async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
            points.reach(f"after {call.operation}")
            await super().after(call, error, seconds)

    class Client(KubernetesClient):
        @override
        async def _request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
            plural, subresource = _resource(path)
            if method == "GET" or plural in NOBODYS:
                return await super()._request(method, path, **arguments)
            what = f"{method} {plural}{subresource}"
            points.reach(f"before {what}")
            answer = await super()._request(method, path, **arguments)
            points.reach(f"after {what}")
            return answer

    connections.Hooks = Hooks  # type: ignore[misc]
    manager.KubernetesClient = Client  # type: ignore[attr-defined]


def _resource(path: str) -> tuple[str, str]:
    """What kind of object is meant, and "/status" if only that of it."""
    plural, _, rest = path.partition("/namespaces/")[2].partition("/")[2].partition("/")
    return plural, "/status" if rest.endswith("/status") else ""


def live(kubeconfig: Path, namespace: str, points: Points, life: int, kinds: Sequence[ManagedKind[Any, Any]]) -> None:
    """In a process of its own. Each has its Leases: a dead one's would be waited for, which has tests of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    instrument(points)
    configure()
    settings = ManagerSettings(
        kubeconfig=kubeconfig,
        namespaces=(namespace,),
        lease_namespace=namespace,
        lease_name=f"life-{life}",
    )
    run(Manager(settings, CONNECTION_KIND, kinds).run())


def main() -> None:
    kubeconfig, namespace, passed, only = sys.argv[1:]
    kinds = [kind for kind in MANAGED_KINDS if kind.names.kind == only]
    for life in itertools.count():
        child = os.fork()
        if child == 0:
            live(Path(kubeconfig), namespace, Points(Path(passed)), life, kinds)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit("it ended by itself, which it must not")


if __name__ == "__main__":
    main()

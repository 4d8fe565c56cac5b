"""`python -m tools.bench.hurried`: the operator with a clock that runs thirty times as fast.

The bench starts it, for an hour in two minutes. It is the same code with the same intervals; only the clock of its
event loop is another one, so that every interval, timeout and pause of the process is a thirtieth. What does not hurry
is what others do: the watches of an API server tell of themselves once a minute, however fast our clock is, so the
operator's patience with them is thirty times as long; and answers seem to take thirty times as long as they do.
Requests can be counted so; CPU, memory and durations cannot be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import selectors
import sys
import time
from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from coder_enterprise.cli.logs import configure
from coder_enterprise.controller.manager import Manager, ManagerSettings
from coder_enterprise.controller.watch import WatchTimes
from coder_enterprise.kinds.registry import CONNECTION_KIND, MANAGED_KINDS
from coder_enterprise.process.addresses import listen, parse_address
from tools.operator_process import OperatorProcess

FACTOR: Final = 30


class HurriedOperator(OperatorProcess):
    """A context manager, as the usual one."""

    module: ClassVar[str] = "tools.bench.hurried"

    def __init__(self, kubeconfig: Path, log: Path, namespace: str) -> None:
        super().__init__(kubeconfig, log, "--namespace", namespace)


class HurriedLoop(asyncio.SelectorEventLoop):
    """Waits a thirtieth of what it is asked to."""

    def __init__(self) -> None:
        super().__init__(_HurriedSelector())

    @override
    def time(self) -> float:
        return time.monotonic() * FACTOR


class _HurriedSelector(selectors.DefaultSelector):
    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / FACTOR)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.hurried", description=__doc__)
    parser.add_argument("program", choices=["operator"])
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--health-address", required=True)
    parser.add_argument("--namespace", required=True)
    arguments, _ = parser.parse_known_args(sys.argv[1:])
    configure()
    patience = WatchTimes()
    names = ("inactivity", "silence", "blind", "stuck")
    settings = ManagerSettings(
        kubeconfig=arguments.kubeconfig,
        namespaces=(arguments.namespace,),
        watch_times=dataclasses.replace(patience, **{name: getattr(patience, name) * FACTOR for name in names}),
        health=listen("--health-address", parse_address("--health-address", arguments.health_address)),
    )
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        runner.run(Manager(settings, CONNECTION_KIND, MANAGED_KINDS).run())


if __name__ == "__main__":
    main()

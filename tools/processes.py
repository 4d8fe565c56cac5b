"""Child processes that never outlive us: used by the local Kubernetes, by the demo, the tests and the bench.

On Linux the kernel ends a child when its parent dies, however that happens, and also when the thread ends that started
it; elsewhere `stop` and `atexit` must do.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, ClassVar, Final, Protocol, Self

TERMINATE_TIMEOUT: Final = 10.0
READY_TIMEOUT: Final = 90.0
LOG_TAIL: Final = 4000
INTERRUPTED: Final = 130
"""The exit code after Ctrl-C, as shells have it."""

# Runs in the child before the program: asks for SIGKILL when the parent ends, and notices if it has ended already.
# The user changes first: the kernel forgets that wish when it does.
_LAUNCHER: Final = """
import ctypes, os, signal, sys
parent, user = int(sys.argv[1]), int(sys.argv[2])
if user != os.geteuid():
    import pwd
    os.setgroups([])
    os.setgid(pwd.getpwuid(user).pw_gid)
    os.setuid(user)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def launcher(command: Sequence[str], user: int | None = None) -> list[str]:
    """A command that becomes that one, as `user`, and that the kernel ends with the process that asks for it here."""
    runs_as = os.geteuid() if user is None else user
    return [sys.executable, "-S", "-c", _LAUNCHER, str(os.getpid()), str(runs_as), *command]


class ProcessFailed(RuntimeError):
    """A child ended, or was not ready in time; the message ends with its log."""


def run(main: Callable[[], int]) -> int:
    """The exit code of a program that starts others. SIGTERM ends it as Ctrl-C does: what it has started is ended in
    order, and no folder is left."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return main()
    except ProcessFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything that was started is ended.", file=sys.stderr)
        return INTERRUPTED


class Child(Protocol):
    """What `subprocess.Popen` is of a process: the leader of a session, and ended with us."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...


def start_anew(command: Sequence[str], output: IO[bytes], env: Mapping[str, str], user: int | None = None) -> Child:
    """As a shell would start it; `env` is all that it has."""
    return subprocess.Popen(
        launcher(command, user),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
    )


Start = Callable[[Sequence[str], IO[bytes], Mapping[str, str], int | None], Child]
"""Of a command, its output, its environment, and the user, if it is another."""


class Process:
    """One running program, its log, and its end."""

    starter: ClassVar[Start] = staticmethod(start_anew)
    """The tests have another, which is faster."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
    ) -> None:
        """`env` are variables beside our own. `user` is the id of another user to run as, which only root can."""
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._child = type(self).starter(command, output, {**os.environ, **(env or {})}, user)
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def wait(self, timeout: float) -> int:
        """The exit code; raises `subprocess.TimeoutExpired`."""
        return self._child.wait(timeout)

    def stop(self) -> int:
        """SIGTERM, and SIGKILL when that does not end it within ten seconds."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(TERMINATE_TIMEOUT)
        return self.kill()

    def kill(self) -> int:
        """SIGKILL, also for what it started itself."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)
        atexit.unregister(self.kill)
        return self._child.wait()

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:]

    def wait_until(self, ready: Callable[[], bool], timeout: float) -> None:
        """Until `ready`. Raises `ProcessFailed` when the process ends first, or does not get ready in `timeout` s."""
        deadline = time.monotonic() + timeout
        while not ready():
            if self._child.poll() is not None:
                raise ProcessFailed(f"{self.name} ended with {self._child.poll()}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} was not ready within {timeout:.0f} s:\n{self.tail()}")
            time.sleep(0.02)


class Restartable(ABC):
    """One of our programs, which may be ended and started again; a context manager."""

    module: ClassVar[str] = "coder_enterprise"
    program: ClassVar[str]
    """The subcommand of coder-enterprise."""

    def __init__(self) -> None:
        self._process: Process | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def runs(self) -> bool:
        """It was started, and not ended by us."""
        return self._process is not None

    @property
    def process(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"coder-enterprise {self.program} is not running")
        return self._process

    @abstractmethod
    def start(self) -> None:
        """Raises `ProcessFailed` with its log when it does not get ready."""

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        code = self.process.stop()
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL: what a crash is."""
        self.process.kill()
        self._process = None

    def close(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self.kill()

    def _launch(
        self, log: Path, environment: Mapping[str, str], *options: str, ready: Callable[[], bool] | None
    ) -> None:
        """With no `ready` it is not waited for."""
        command = [sys.executable, "-m", self.module, self.program, *options]
        process = Process(f"coder-enterprise {self.program}", command, log, environment)
        try:
            if ready is not None:
                process.wait_until(ready, READY_TIMEOUT)
        except BaseException:
            process.kill()
            raise
        self._process = process


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody used a moment ago."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            ports.append(listener.getsockname()[1])
        return ports

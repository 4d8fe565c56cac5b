"""Starts our own programs as forks of a process that has imported all of them: the imports take longer than most tests.

Set up by `tests/conftest.py` for each process that runs tests, in place of `start_anew` of `tools.processes`. A program
begins with its `__main__`, has a session, an environment and a log of its own, and ends with us, as one that was
started anew. How a start looks from outside, with the imports in it, is tested with `start_anew`: in `tests/process`,
in `tests/server/test_process.py`, and in the containers of `tests/charts`. Two things are otherwise here: hashes of
passwords are cheap, and SQLite waits for no disk.

`python -m tests.support.forkserver FD` is that process; it answers requests on that socket.
"""

from __future__ import annotations

import array
import ctypes
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import coder_enterprise
from tools.processes import Child, launcher, start_anew

PROGRAMS: Final = {"coder_enterprise", "tests.support.brisk", "tests.support.keeping", "tests.support.mortal"}
LAZY: Final = (
    "aiosqlite",
    "asyncpg",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uvloop",
)
"""Of others, what is imported when it is first used."""
WHOLE: Final = 1 << 20
"""Bytes that no request exceeds."""


class ForkServer:
    """The process, from its first use on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def start(
        self, command: Sequence[str], output: IO[bytes], env: Mapping[str, str], user: int | None = None
    ) -> Child:
        """As `start_anew`, which starts what is none of our programs, and everything where there is no pidfd."""
        program = list(command[2:]) if list(command[:2]) == [sys.executable, "-m"] else []
        if sys.platform != "linux" or user is not None or not PROGRAMS.intersection(program[:1]):
            return start_anew(command, output, env, user)
        return _Fork(self, self.ask({"start": program, "env": dict(env), "in": str(Path.cwd())}, output.fileno()))

    def ask(self, request: Mapping[str, Any], *files: int) -> int:
        with self._lock:
            if self._socket is None:
                self._socket = self._launch()
            self._socket.sendmsg(
                [json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
            )
            answer = self._socket.recv(WHOLE)
        if not answer:
            raise ConnectionResetError("the process that forks has ended, and all that it forked with it")
        return int(answer)

    def close(self) -> None:
        """All that it started ends."""
        if self._process is not None and self._socket is not None:
            self._socket.close()
            self._process.kill()
            self._process.wait()

    def _launch(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = launcher([sys.executable, "-m", __name__, str(theirs.fileno())])
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        return ours


class _Fork:
    """One program, from outside. Its id stays its own until its end was asked for here."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._file = os.pidfd_open(pid)
        self._code: int | None = None

    def poll(self) -> int | None:
        return self._code if self._code is not None or not self._ended_within(0) else self.wait()

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            if not self._ended_within(timeout):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            try:
                self._code = self._server.ask({"reap": self.pid})
            except OSError:  # it has ended, and this one with it
                self._code = -signal.SIGKILL
            os.close(self._file)
        return self._code

    def send_signal(self, number: int, /) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _ended_within(self, timeout: float | None) -> bool:
        return bool(select.select([self._file], [], [], timeout)[0])


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    _import_everything()
    _make_what_all_share()
    gc.freeze()
    with control:
        program = _serve(control)
    if program:
        sys.argv[1:] = program[1:]
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)


def _import_everything() -> None:
    for name in LAZY:
        importlib.import_module(name)
    for found in pkgutil.walk_packages(coder_enterprise.__path__, f"{coder_enterprise.__name__}."):
        if not found.name.endswith(("__main__", ".env")) and ".versions." not in found.name:
            importlib.import_module(found.name)


def _make_what_all_share() -> None:
    """What each would make once, whatever its settings are, or what most tests do without."""
    # Here, for whoever runs one test of something else: with the server all of it is imported.
    import typer.main

    from coder_enterprise.cli.main import app as commands
    from coder_enterprise.kinds.registry import KINDS
    from coder_enterprise.page import rendering
    from coder_enterprise.server.routes import app
    from coder_enterprise.server.services import passwords
    from coder_enterprise.server.storage import migrate, sqlite
    from tests.support.passwords import CHEAP_HASHER

    typer.main.get_command = functools.cache(typer.main.get_command)
    typer.main.get_command(commands)
    for kind in KINDS:
        _ = kind.crd
    rendering.environment(tuple(kind.names for kind in KINDS), "")
    migrate._newest()
    for with_scim in (False, True):
        app._table(with_scim=with_scim)
    passwords.HASHER = CHEAP_HASHER  # type: ignore[misc]
    sqlite.PRAGMAS = (*sqlite.PRAGMAS, "synchronous=OFF")  # type: ignore[misc, assignment]


def _serve(control: socket.socket) -> Sequence[str]:
    """Until nobody asks any more; in a fork, what it is to run."""
    while True:
        text, files, *_ = socket.recv_fds(control, WHOLE, 1)
        if not text:
            return ()
        request = json.loads(text)
        if "reap" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["reap"], 0)[1])
        else:
            answer = _fork(files[0], request)
            if answer == 0:
                program: list[str] = request["start"]
                return program
        control.send(str(answer).encode())


def _fork(output: int, request: Mapping[str, Any]) -> int:
    """Its id, when it is on its own; 0 in the fork."""
    parent = os.getpid()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _settle(parent, output, request)
        os.close(reader)
        os.close(writer)
        return 0
    os.close(writer)
    os.close(output)
    os.read(reader, 1)
    os.close(reader)
    return child


def _settle(parent: int, output: int, request: Mapping[str, Any]) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir(request["in"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()


if __name__ == "__main__":
    main()

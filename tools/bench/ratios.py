"""What a request costs the server: CPU of its process, as a ratio to the bare route of `bare` in the same run.

Both answer the same requests in turns, on copies of one database, so that whatever else the machine does weighs on
both. A figure is the median of the rounds; only the ratios mean anything on another machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import httpx2

from tools.bench.usage import cpu_seconds
from tools.processes import READY_TIMEOUT, Process
from tools.server_process import LISTENING, CoderServer

GROUPS: Final = "/api/v2/organizations/default/groups"
CONNECTIONS: Final = 32
MEMBERS: Final = 500
FEW: Final = 5
"""Members of the group that is read."""
MICROSECONDS: Final = 1e6
BARE: Final = "bare.db"


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int = 7
    scale: int = 4
    """Times the requests of the quick one in a round."""
    listed: int = 20_000
    """Groups in the list."""


QUICK: Final = Effort(rounds=3, scale=1, listed=2_000)


@dataclass(frozen=True)
class Ratio:
    what: str
    server: float
    """Microseconds of CPU for each request, median."""
    bare: float
    ratio: float
    """Median of those of the rounds."""


@dataclass(frozen=True)
class Peer:
    """The server, or the bare route."""

    pid: int
    url: str
    headers: dict[str, str]


Request = tuple[str, str, Any]
"""Method, path, body."""


@dataclass(frozen=True)
class Case:
    what: str
    make: Callable[[int], list[Request]]
    count: int
    """In a round."""
    at_once: int = 1


def measure(effort: Effort) -> list[Ratio]:
    with CoderServer() as server:
        group, members = _prepare(server)
        requests = _Requests(group, members)
        with _bare(server) as bare:
            ours = Peer(server.process.pid, server.url, {"Coder-Session-Token": server.token})
            cases = [
                Case("GET of a group", requests.read, 400 * effort.scale, CONNECTIONS),
                Case("POST of a group", requests.create, 200 * effort.scale, CONNECTIONS),
                Case(f"PATCH of {MEMBERS} members", requests.patch, 16 * effort.scale),
            ]
            ratios = [_compared(case, effort.rounds, ours, bare) for case in cases]
            for database in (server.database, server.folder / BARE):
                fill(database, effort.listed)
            lists = Case(f"GET of {effort.listed:,} groups", requests.list, 2)
            return [*ratios, _compared(lists, effort.rounds, ours, bare)]


class _Requests:
    """What is sent; each call makes the next ones, so many that all of them succeed."""

    def __init__(self, group: str, members: list[str]) -> None:
        self._group = group
        self._members = members
        self._numbers = itertools.count()

    def read(self, count: int) -> list[Request]:
        return [("GET", f"/api/v2/groups/{self._group}", None)] * count

    def create(self, count: int) -> list[Request]:
        return [("POST", GROUPS, {"name": f"made-{next(self._numbers)}"}) for _ in range(count)]

    def patch(self, count: int) -> list[Request]:
        """One after the other adds all and removes all again."""
        path = f"/api/v2/groups/{self._group}"
        fields = itertools.islice(itertools.cycle(("add_users", "remove_users")), count)
        return [("PATCH", path, {field: self._members}) for field in fields]

    def list(self, count: int) -> list[Request]:
        return [("GET", GROUPS, None)] * count


def _compared(case: Case, rounds: int, ours: Peer, bare: Peer) -> Ratio:
    costs = []
    for _ in range(1 + rounds):
        requests = case.make(case.count)
        costs.append([asyncio.run(_cost(peer, requests, case.at_once)) for peer in (ours, bare)])
    del costs[0]  # it warmed up
    return Ratio(
        case.what,
        statistics.median(cost for cost, _ in costs) * MICROSECONDS,
        statistics.median(cost for _, cost in costs) * MICROSECONDS,
        statistics.median(cost / floor for cost, floor in costs),
    )


async def _cost(peer: Peer, requests: list[Request], at_once: int) -> float:
    """Seconds of CPU for each request."""
    waiting = iter(requests)

    async def send(http: aiohttp.ClientSession) -> None:
        for method, path, body in waiting:
            async with http.request(method, peer.url + path, json=body) as answer:
                await answer.read()
                answer.raise_for_status()

    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(headers=peer.headers, connector=connector) as http:
        before = cpu_seconds(peer.pid)
        await asyncio.gather(*(send(http) for _ in range(at_once)))
        return (cpu_seconds(peer.pid) - before) / len(requests)


def _prepare(server: CoderServer) -> tuple[str, list[str]]:
    """A group with few members, and people who are in no group."""
    headers = {"Coder-Session-Token": server.token}
    with httpx2.Client(base_url=f"{server.url}/api/v2", headers=headers, timeout=READY_TIMEOUT) as http:

        def made(path: str, **body: Any) -> str:
            return str(http.post(path, json=body).raise_for_status().json()["id"])

        home = http.get("/organizations/default").raise_for_status().json()["id"]
        people = [
            made("/users", username=name, email=f"{name}@example.com", login_type="none", organization_id=home)
            for name in (f"user-{number}" for number in range(MEMBERS + FEW))
        ]
        group = made("/organizations/default/groups", name="measured")
        http.patch(f"/groups/{group}", json={"add_users": people[:FEW]}).raise_for_status()
        return group, people[FEW:]


@contextlib.contextmanager
def _bare(server: CoderServer) -> Iterator[Peer]:
    """The bare route, on a copy of the server's database."""
    path, log = server.folder / BARE, server.folder / "bare.log"
    with contextlib.closing(sqlite3.connect(server.database)) as original:
        original.execute("VACUUM INTO ?", (str(path),))
    process = Process("the bare route", [sys.executable, "-m", "tools.bench.bare", str(path)], log)
    try:
        process.wait_until(lambda: LISTENING in log.read_text(), READY_TIMEOUT)
        yield Peer(process.pid, log.read_text().partition(LISTENING)[2].strip(), {})
    finally:
        process.stop()


def fill(database: Path, count: int) -> None:
    """Groups without members, until there are so many."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        (home,) = connection.execute("SELECT id FROM organizations").fetchone()
        (present,) = connection.execute("SELECT count(*) FROM groups").fetchone()
        rows = [(uuid4().hex, home, f"listed-{number}") for number in range(count - present)]
        connection.executemany("INSERT INTO groups VALUES (?, ?, ?, '', '', 0, 'user')", rows)

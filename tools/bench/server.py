"""The scenario `server`: how fast the API server is, on SQLite and PostgreSQL, as one process and as two.

Closed loops of 32 connections say how much it can do, and a steady 300 requests a second how long one takes. What a
request costs beside a bare route, `ratios` measures. The client and PostgreSQL are on the same cores.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx2
import uvloop

from tools import postgresql
from tools.bench.load import Load, drive, request
from tools.bench.ratios import fill
from tools.bench.stage import MeasuredCoder
from tools.bench.usage import usage
from tools.postgresql import PostgreSQL
from tools.processes import ProcessFailed
from tools.server_process import new_token

GROUPS: Final = "/api/v2/organizations/default/groups"
CONNECTIONS: Final = 32
STEADY: Final = 300.0
"""Requests a second."""
LISTED: Final = 10_000
LISTS: Final = 5
SEED: Final = 7
PEOPLE: Final = 20


def measure(seconds: float) -> dict[str, Any]:
    """Each load lasts that long."""
    with _sqlite() as servers:
        figures: dict[str, Any] = {"sqlite": _measured(servers, seconds), "lists": _lists(servers[0])}
    if (programs := postgresql.find()) is None:
        return figures
    for count in (1, 2):
        with _on_postgresql(programs, count) as servers:
            figures[f"postgresql_{count}"] = _measured(servers, seconds)
    return figures


def _measured(servers: Sequence[MeasuredCoder], seconds: float) -> dict[str, Any]:
    work = _Work(servers)
    urls = [server.url for server in servers]

    def run(requests: Iterator[bytes], per_second: float = 0) -> dict[str, float]:
        before = [usage(server.process.pid).cpu for server in servers]
        load = uvloop.run(drive(urls, requests, seconds, CONNECTIONS, per_second))
        if load.failed:
            raise ProcessFailed(f"{load.failed} of {load.answered} requests failed")
        used = sum(usage(server.process.pid).cpu - cpu for server, cpu in zip(servers, before, strict=True))
        return _told(load, used)

    return {
        "healthz": run(work.healthz()),
        "read": run(work.reads()),
        "create": run(work.creations()),
        "mixed": run(work.mixed()),
        "steady": run(work.mixed(), STEADY),
        "memory_mib": max(usage(server.process.pid).memory for server in servers),
    }


def _told(load: Load, used: float) -> dict[str, float]:
    return {
        "per_second": load.rate,
        "p50_ms": load.percentile(0.5),
        "p99_ms": load.percentile(0.99),
        "cpu_us": used / load.answered * 1e6,
    }


class _Work:
    """What is asked: the same requests in the same order each time."""

    def __init__(self, servers: Sequence[MeasuredCoder]) -> None:
        self._url, self._token = servers[0].url, servers[0].token
        with self._client() as http:
            self._home = http.get("/api/v2/organizations/default").raise_for_status().json()["id"]
            people = [self._user(http, number) for number in range(PEOPLE)]
            group = http.post(GROUPS, json={"name": "read"}).raise_for_status().json()["id"]
            http.patch(f"/api/v2/groups/{group}", json={"add_users": people[:5]}).raise_for_status()
        self._group = f"/api/v2/groups/{group}"
        self._numbers = itertools.count()

    def healthz(self) -> Iterator[bytes]:
        return itertools.repeat(self._request("GET", "/healthz"))

    def reads(self) -> Iterator[bytes]:
        return itertools.repeat(self._request("GET", self._group))

    def creations(self) -> Iterator[bytes]:
        return (self._request("POST", GROUPS, name=f"made-{number}") for number in self._numbers)

    def mixed(self) -> Iterator[bytes]:
        """Of a hundred, 70 read a group, ten a user, five list users, ten change a group and five make one."""
        chance = random.Random(SEED)  # noqa: S311
        fixed = [
            self._request("GET", self._group),
            self._request("GET", "/api/v2/users/user-1"),
            self._request("GET", "/api/v2/users"),
        ]
        creations = self.creations()
        for number in itertools.count():
            (kind,) = chance.choices(range(5), (70, 10, 5, 10, 5))
            if kind < len(fixed):
                yield fixed[kind]
            elif kind == 3:
                yield self._request("PATCH", self._group, quota_allowance=number % 100)
            else:
                yield next(creations)

    def _request(self, method: str, path: str, **body: Any) -> bytes:
        return request(method, self._url + path, self._token, json.dumps(body).encode() if body else b"")

    def _client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self._url, headers={"Coder-Session-Token": self._token}, timeout=60)

    def _user(self, http: httpx2.Client, number: int) -> str:
        name = f"user-{number}"
        body = {"username": name, "email": f"{name}@example.com", "login_type": "none", "organization_id": self._home}
        return str(http.post("/api/v2/users", json=body).raise_for_status().json()["id"])


def _lists(server: MeasuredCoder) -> dict[str, float]:
    fill(server.database, LISTED)
    headers = {"Coder-Session-Token": server.token}
    with httpx2.Client(base_url=server.url, headers=headers, timeout=60) as http:
        taken = []
        for _ in range(LISTS):
            started = time.perf_counter()
            answer = http.get(GROUPS).raise_for_status()
            taken.append(time.perf_counter() - started)
    return {"groups": len(answer.json()), "seconds": statistics.median(taken)}


@contextlib.contextmanager
def _sqlite() -> Iterator[list[MeasuredCoder]]:
    with MeasuredCoder() as server:
        yield [server]


@contextlib.contextmanager
def _on_postgresql(programs: Any, count: int) -> Iterator[list[MeasuredCoder]]:
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(PostgreSQL(programs))
        url, token = database.url(database.create_database()), new_token()
        yield [stack.enter_context(MeasuredCoder(url, token)) for _ in range(count)]


def rows(figures: Mapping[str, Any]) -> dict[str, str]:
    """In words, of one place where the server was measured."""
    lines = {what: _line(load) for what, load in figures.items() if isinstance(load, dict)}
    return lines | {what: f"{value:,.2f}" for what, value in figures.items() if not isinstance(value, dict)}


def _line(load: Mapping[str, float]) -> str:
    return (
        f"{load['per_second']:,.0f} /s, p50 {load['p50_ms']:.1f} ms, p99 {load['p99_ms']:.1f} ms, "
        f"{load['cpu_us']:,.0f} µs of CPU"
    )

"""How fast the API server is by itself: one process, SQLite, 32 connections of wrk."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx2

from tools.processes import ProcessFailed
from tools.server_process import CoderServer

SECONDS: Final = 5
LISTED: Final = 10_000
LISTS: Final = 5
SCRIPT: Final = "tools/bench/create_group.lua"
GROUPS: Final = "/api/v2/organizations/default/groups"


@dataclass
class ServerFigures:
    reads_per_second: float
    creations_per_second: float
    list_of_10000: float
    """Seconds, median of five."""
    bare_reads_per_second: float
    """GET /healthz: what the web framework itself allows."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure() -> ServerFigures | None:
    """None where wrk is not installed."""
    if shutil.which("wrk") is None:
        return None
    with CoderServer() as server, httpx2.Client(base_url=server.url, headers=_token(server), timeout=60) as http:
        group = http.post(GROUPS, json={"name": "one"}).raise_for_status().json()
        bare = _wrk(server, "/healthz")
        reads = _wrk(server, f"/api/v2/groups/{group['id']}")
        creations = _wrk(server, GROUPS, "--script", SCRIPT)
        return ServerFigures(reads, creations, _list(http), bare)


def _list(http: httpx2.Client) -> float:
    for number in range(len(http.get(GROUPS).json()), LISTED):
        http.post(GROUPS, json={"name": f"listed-{number}"}).raise_for_status()
    taken = []
    for _ in range(LISTS):
        started = time.perf_counter()
        http.get(GROUPS).raise_for_status()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _wrk(server: CoderServer, path: str, *options: str) -> float:
    """Requests per second; raises `ProcessFailed` when not all of them succeed."""
    headers = [f"--header={name}: {value}" for name, value in _token(server).items()]
    command = ["wrk", "--threads=1", "--connections=32", f"--duration={SECONDS}s", *headers, *options]
    done = subprocess.run(
        [*command, server.url + path],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "RUN": f"run{time.time_ns()}"},
    )
    if "Non-2xx" in done.stdout:
        raise ProcessFailed(f"wrk {path}: {done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if rate is None:
        raise ProcessFailed(f"wrk {path}: {done.stdout}{done.stderr}")
    return float(rate[1])


def _token(server: CoderServer) -> dict[str, str]:
    return {"Coder-Session-Token": server.token}

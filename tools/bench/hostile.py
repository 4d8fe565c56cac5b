"""`python -m tools.bench.hostile`: what hostile clients do to the server's memory and disk, in a table.

Each attack is short, bounded, and against a server of its own on loopback. The figures are the server's resident memory
before and at its peak, and what the attack achieved; `--only NAME` runs one of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

from coder_enterprise.server.rpc.session import Session, SessionClosed, Stream, StreamReset
from coder_enterprise.wire.provisioning.drpc import encode_varint
from coder_enterprise.wire.provisioning.yamux import Role
from tools.server_process import CoderServer, new_token

LIMIT: Final = 256
"""MiB that the server may have after any attack."""
PATHS: Final = 10_000
PATH_BYTES: Final = 60_000
ENDLESS_BYTES: Final = 256 * 1024 * 1024
HALF_SENT: Final = 400
HALF_BODY_BYTES: Final = 900 * 1024
STREAMS: Final = 128
PACKET_BYTES: Final = 4 * 1024 * 1024 - 64
UPLOADS: Final = 60
UPLOAD_BYTES: Final = 3 * 1024 * 1024
PATIENCE: Final = 20.0
"""Seconds that any one attack lasts, at most."""
PASSWORD: Final = "correct-Horse-7-battery"  # noqa: S105 - of a person who lives for seconds


@dataclass(frozen=True)
class Outcome:
    name: str
    before: float
    peak: float
    achieved: str

    @property
    def held(self) -> bool:
        return self.peak < LIMIT


def long_paths(server: CoderServer) -> str:
    """Anonymous requests, each to a long path of its own."""
    answered = 0
    with contextlib.suppress(OSError, StopIteration), _connection(server) as connection:
        for number in range(PATHS):
            path = f"/api/v2/{number:08d}" + "x" * PATH_BYTES
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            if not _read_answer(connection):
                break
            answered += 1
    return f"{answered} of {PATHS} were answered"


def endless_head(server: CoderServer) -> str:
    return _endless(server, b"GET / HTTP/1.1\r\n", b"x-header: " + b"v" * 1000 + b"\r\n")


def endless_header(server: CoderServer) -> str:
    return _endless(server, b"GET / HTTP/1.1\r\nx-header: ", b"v" * 1012)


def endless_trailer(server: CoderServer) -> str:
    head = b"POST /api/v2/users/login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-trailer: "
    return _endless(server, head, b"v" * 1012)


def half_sent(server: CoderServer) -> str:
    """Requests that are never finished: half of them in their head, half in their body."""
    size = 1024 * 1024
    head = f"POST /api/v2/users/login HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
    body = b"{" + b" " * HALF_BODY_BYTES
    connections = []
    for number in range(HALF_SENT):
        with contextlib.suppress(OSError):
            connection = _connection(server)
            connection.settimeout(1)
            connections.append(connection)
            connection.sendall(head + body if number % 2 else head[:40])
    deadline = time.monotonic() + PATIENCE
    while (still := sum(not _is_closed(connection) for connection in connections)) and time.monotonic() < deadline:
        time.sleep(0.5)
    for connection in connections:
        connection.close()
    return f"{still} of {HALF_SENT} connections open after {PATIENCE:.0f} s"


def half_packets(server: CoderServer) -> str:
    """A member's websocket with many streams, each with a packet that never ends."""
    return asyncio.run(_half_packets(server, _member(server)))


def uploads(server: CoderServer) -> str:
    """A member's files, each different."""
    token, stored = _member(server), 0
    with httpx2.Client(base_url=f"{server.url}/api/v2", headers={"Coder-Session-Token": token}, timeout=30) as http:
        for _ in range(UPLOADS):
            data = os.urandom(UPLOAD_BYTES)
            stored += http.post("/files", content=data, headers={"Content-Type": "application/x-tar"}).is_success
    kept = sum(file.stat().st_size for file in server.folder.glob("coder-enterprise.db*"))
    return f"{stored} of {UPLOADS} files stored; {kept / 2**20:.0f} MiB on disk"


ATTACKS: Final[dict[str, Callable[[CoderServer], str]]] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (long_paths, endless_head, endless_header, endless_trailer, half_sent, half_packets, uploads)
}


def run(name: str) -> Outcome:
    with CoderServer(CODER_API_RATE_LIMIT="512") as server:
        before = _memory(server, "VmRSS")
        achieved = ATTACKS[name](server)
        return Outcome(name, before, _memory(server, "VmHWM"), achieved)


def _memory(server: CoderServer, field: str) -> float:
    """MiB."""
    with open(f"/proc/{server.process.pid}/status") as status:  # noqa: PTH123 - no file
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) / 1024


def _connection(server: CoderServer) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _read_answer(connection: socket.socket) -> bytes:
    """One answer with a Content-Length; b"" when there is none."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = connection.recv(65_536)
        if not data:
            return b""
        answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65_536)
    return head


def _endless(server: CoderServer, start: bytes, piece: bytes) -> str:
    block, sent = piece * 64, 0
    deadline = time.monotonic() + PATIENCE
    with _connection(server) as connection, contextlib.suppress(OSError):
        connection.sendall(start)
        while sent < ENDLESS_BYTES and time.monotonic() < deadline:
            connection.sendall(block)
            sent += len(block)
    return f"{sent / 2**20:.1f} MiB were taken"


def _is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _member(server: CoderServer) -> str:
    """A session token of somebody without any role."""
    name = f"m{new_token()[:6].lower()}"
    person = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    with httpx2.Client(base_url=f"{server.url}/api/v2") as http:
        http.post("/users", json=person, headers={"Coder-Session-Token": server.token}).raise_for_status()
        login = http.post("/users/login", json={"email": person["email"], "password": PASSWORD})
        return str(login.raise_for_status().json()["session_token"])


async def _half_packets(server: CoderServer, token: str) -> str:
    query = urlencode({"provisioner": "echo", "name": "hostile", "tag": "scope=user"})
    url = f"{server.url.replace('http', 'ws', 1)}/api/v2/organizations/default/provisionerdaemons/serve?{query}"
    taken = 0

    async def send_most(stream: Stream) -> None:
        nonlocal taken
        frame = bytes([1 << 1]) + b"".join(map(encode_varint, (1, 1, PACKET_BYTES))) + bytes(PACKET_BYTES - 1)
        for start in range(0, len(frame), 64 * 1024):
            await stream.write(frame[start : start + 64 * 1024])
            taken += len(frame[start : start + 64 * 1024])

    async with connect(url, additional_headers={"Coder-Session-Token": token}, compression=None) as websocket:

        async def receive() -> bytes:
            return bytes(await websocket.recv(decode=False))

        async with Session(Role.CLIENT, receive, websocket.send) as session:
            await _until(PATIENCE, [send_most(await session.open()) for _ in range(STREAMS)])
    return f"{taken / 2**20:.0f} MiB were taken"


async def _until(seconds: float, work: list[Awaitable[Any]]) -> None:
    """All of it, for that long at most; streams and sessions that the server ends are no error."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for outcome in await asyncio.gather(*work, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, StreamReset | SessionClosed):
                    raise outcome


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.hostile", description=__doc__)
    parser.add_argument("--only", choices=sorted(ATTACKS), action="append")
    outcomes = [run(name) for name in parser.parse_args().only or ATTACKS]
    table = Table("attack", "MiB before", "MiB at peak", f"under {LIMIT}", "what it achieved")
    for outcome in outcomes:
        table.add_row(
            outcome.name,
            f"{outcome.before:.0f}",
            f"{outcome.peak:.0f}",
            "yes" if outcome.held else "NO",
            outcome.achieved,
        )
    Console().print(table)
    raise SystemExit(0 if all(outcome.held for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()

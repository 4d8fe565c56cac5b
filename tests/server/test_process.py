"""The server as a process: how it starts, how it ends, and what a crash leaves."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.faults import fault
from tests.support.waiting import wait_until
from tools.coder_api import CoderAPI
from tools.processes import Process
from tools.server_process import CoderServer

pytestmark = pytest.mark.usefixtures("started_anew")


@pytest.fixture(scope="module")
def shared() -> Iterator[CoderServer]:
    """For tests that leave it as it is."""
    with CoderServer() as process:
        yield process


def test_it_says_where_it_listens_and_answers_there(shared: CoderServer) -> None:
    assert f"listening on {shared.url}" in shared.log.read_text()
    answer = httpx2.get(f"{shared.url}/api/v2/buildinfo")
    assert answer.json()["external_url"] == shared.url
    assert "server" not in answer.headers


def test_no_secret_is_in_its_arguments_or_its_log(shared: CoderServer) -> None:
    arguments = Path(f"/proc/{shared.process.pid}/cmdline")
    shown = shared.log.read_text() + (arguments.read_text() if arguments.exists() else "")
    for secret in (shared.password, shared.token):
        assert secret not in shown


def logged(server: CoderServer, request_id: str) -> list[dict[str, Any]]:
    """It is written after the answer."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("request_id") == request_id]


def test_its_log_is_a_line_of_json_for_each_write(shared: CoderServer) -> None:
    url = f"{shared.url}/api/v2/organizations/default/groups?coder_session_token={shared.token}"
    answer = httpx2.post(url, json={"name": "logged"})
    assert answer.status_code == 201
    (line,) = wait_until(lambda: logged(shared, answer.headers["x-coder-request-id"]), "the request is logged")
    assert (line["level"], line["method"], line["status"], line["user"]) == ("info", "POST", 201, "admin")
    assert shared.token not in shared.log.read_text()


def test_its_password_opens_a_session(shared: CoderServer) -> None:
    body = {"email": "admin@example.com", "password": shared.password}
    assert httpx2.post(f"{shared.url}/api/v2/users/login", json=body).status_code == 201


def connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def listens(url: str) -> bool:
    try:
        connect(url).close()
    except ConnectionRefusedError:
        return False
    return True


def exchange(url: str, request: bytes) -> bytes:
    """What a server answers to these bytes before it closes the connection."""
    with connect(url) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65_536):
            answer += data
        return answer


@pytest.mark.parametrize(
    "request_line", [b"GET /api/v2/users/\xff HTTP/1.1", b"GET /a\x00b HTTP/1.1", b"nonsense", b"GET  HTTP/9.9"]
)
def test_bytes_that_are_no_request_are_refused_and_disturb_nobody(shared: CoderServer, request_line: bytes) -> None:
    answer = exchange(shared.url, request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404"))
    assert httpx2.get(f"{shared.url}/healthz").status_code == 200
    assert "Traceback" not in shared.log.read_text()


def test_a_body_that_is_too_large_is_refused_before_it_is_all_read(shared: CoderServer) -> None:
    head = b"POST /api/v2/users/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000000\r\n\r\n"
    assert exchange(shared.url, head + b" " * 17_000).startswith(b"HTTP/1.1 413")


def test_sigterm_lets_a_request_finish_that_has_begun(server: CoderServer) -> None:
    body = json.dumps({"email": "admin@example.com", "password": server.password}).encode()
    head = (
        f"POST /api/v2/users/login HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with connect(server.url) as connection:
        connection.sendall(head.encode() + body[:5])
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        server.process.signal(signal.SIGTERM)
        wait_until(lambda: not listens(server.url), "the server listens no more")
        connection.sendall(body[5:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 201")
    assert server.stop() == 0


def test_sigterm_ends_it_with_0_and_a_restart_keeps_everything(server: CoderServer, coder: CoderAPI) -> None:
    ann = coder.create_user("ann")
    made = coder.create_group("platform", display_name="Platform", quota_allowance=3)
    before = coder.patch_group(made["id"], add_users=[ann["id"]])
    assert server.stop() == 0
    server.start()
    assert coder.group("platform") == before


@pytest.mark.parametrize(
    ("variable", "cause"),
    [("CODER_SQLITE_PATH", "in use by another server"), ("CODER_HTTP_ADDRESS", "Address already in use")],
)
def test_a_second_server_on_the_same_file_or_port_ends_with_1_and_one_line_that_names_the_cause(
    shared: CoderServer, tmp_path: Path, variable: str, cause: str
) -> None:
    free = {"CODER_HTTP_ADDRESS": "127.0.0.1:0", "CODER_SQLITE_PATH": str(tmp_path / "coder.db")}
    taken = {"CODER_HTTP_ADDRESS": shared.url.removeprefix("http://"), "CODER_SQLITE_PATH": str(shared.database)}
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "coder_enterprise", "server"]
    second = Process("second server", command, log, free | {variable: taken[variable]})
    try:
        assert second.wait(30) == 1
    finally:
        second.kill()
    (line,) = log.read_text().splitlines()
    assert cause in line


@fault(
    name="server on SQLite killed",
    injected="SIGKILL while eight clients create groups.",
    verdict="Every group that a client was told of is there after the start.",
)
def test_a_crash_under_load_loses_no_write_that_was_acknowledged(server: CoderServer, coder: CoderAPI) -> None:
    acknowledged: dict[str, str] = {}
    enough = threading.Event()

    def write(worker: int) -> None:
        with httpx2.Client(base_url=f"{server.url}/api/v2", headers={"Coder-Session-Token": server.token}) as client:
            for number in range(10_000):
                name = f"g-{worker}-{number}"
                try:
                    answer = client.post("/organizations/default/groups", json={"name": name})
                except httpx2.TransportError:
                    return
                assert answer.status_code == 201
                acknowledged[name] = answer.json()["id"]
                if len(acknowledged) >= 300:
                    enough.set()

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, worker) for worker in range(8)]
        assert enough.wait(30)
        server.kill()
        for writer in writers:
            writer.result()
    server.start()
    headers = {"Coder-Session-Token": server.token}
    groups = httpx2.get(f"{server.url}/api/v2/organizations/default/groups", headers=headers).json()
    kept = {group["name"]: group["id"] for group in groups}
    assert acknowledged.items() <= kept.items()
    assert len(kept) - 1 - len(acknowledged) <= 8  # written, and not yet told
    coder.create_group("after-the-crash")

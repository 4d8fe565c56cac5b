"""How the scenario speaks, and what the load has seen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typing_extensions import override

from tests.support.waiting import wait_until
from tools.commands import StepFailed
from tools.node.arbitrary_user import commands
from tools.node.load import Load
from tools.node.steps import follow


def test_each_step_has_a_line_when_it_begins_and_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    follow([("Count", lambda number: f"{number + 1} is next"), ("Rest", lambda _: None)], 41)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[1/2] Count ..."
    assert lines[1].startswith("[1/2] ok, ")
    assert lines[1].endswith(" s: 42 is next")
    assert lines[2] == "[2/2] Rest ..."


def test_no_step_follows_one_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: int) -> str:
        raise StepFailed("it did not")

    with pytest.raises(StepFailed, match="it did not"):
        follow([("Try", fail), ("Go on", lambda _: pytest.fail("a step failed before"))], 0)
    assert "[1/2] FAILED after" in capsys.readouterr().out


class Server(ThreadingHTTPServer):
    """Answers every request; with 503 once told so."""

    status = 200

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(Server.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.daemon_threads = True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(Server, "status", 200)
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def test_what_the_server_fails_to_answer_is_lost(server: Server) -> None:
    with Load(server.url) as load:
        Server.status = 503
        wait_until(lambda: load.lost > 0, "a request is lost")
        Server.status = 200
    assert load.report() == f"{load.answered + load.lost} requests, {load.lost} lost ({load.lost} 503)"


def test_nothing_is_lost_where_everything_is_answered(server: Server) -> None:
    with Load(server.url) as load:
        pass
    assert load.lost == 0
    assert load.answered >= 16  # each client was answered before the block and after it
    assert load.report() == f"{load.answered} requests, 0 lost"


def test_each_command_of_the_image_is_run_as_an_arbitrary_user() -> None:
    assert {"version", "operator", "server", "license", "wsproxy"} <= set(commands())

"""What the server logs of requests."""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage.failures import Outage
from tests.support.api import OWNER, PASSWORD, Client, create_group, refused

Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines(owner: Client) -> Iterator[Lines]:
    """From INFO on, as the command line sets it; the owner is there already."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with capture_logs() as found:
        yield found


async def test_a_write_is_one_line(owner: Client, lines: Lines) -> None:
    answer = await owner.post("/organizations/default/groups", json={"name": "platform"})
    (line,) = lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "a write",
        "log_level": "info",
        "request_id": answer.headers["x-coder-request-id"],
        "method": "POST",
        "route": "/api/v2/organizations/{organization}/groups",
        "status": 201,
        "user": OWNER,
        "client": "127.0.0.1",
    }


async def test_a_refused_write_is_a_line_too(nobody: Client, lines: Lines) -> None:
    refused(await nobody.post("/organizations/default/groups", json={}), 401)
    refused(await nobody.delete("/nothing"), 404)
    assert [(line["status"], line["route"], line["user"]) for line in lines] == [
        (401, "/api/v2/organizations/{organization}/groups", None),
        (404, None, None),
    ]


async def test_a_read_is_none(owner: Client, lines: Lines) -> None:
    await owner.get("/users/me")
    await owner.get("/nothing")
    assert lines == []


async def test_a_read_that_cannot_be_served_is_one_with_its_path(
    owner: Client, services: Services, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> Any:
        raise Outage("The database does not answer.")

    monkeypatch.setattr(services.organizations, "list", fail)
    answer = await owner.get("/organizations?q=secret")
    (line,) = lines
    assert (line["log_level"], line["status"], line["path"]) == ("error", 503, "/api/v2/organizations")
    assert line["request_id"] == answer.headers["x-coder-request-id"]


async def test_a_fault_is_one_line_with_its_cause(
    owner: Client, services: Services, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = RuntimeError("the cause")

    async def fail() -> Any:
        raise cause

    monkeypatch.setattr(services.organizations, "list", fail)
    refused(await owner.get("/organizations"), 500)
    (line,) = lines
    assert (line["log_level"], line["status"], line["method"]) == ("error", 500, "GET")
    assert line["exc_info"] is cause


async def test_no_token_no_password_and_no_query_is_in_a_line(owner: Client, nobody: Client, lines: Lines) -> None:
    await nobody.post("/users/login", json={"email": f"{OWNER}@example.com", "password": PASSWORD})
    await nobody.post(f"/users/logout?coder_session_token={owner.token}")
    await create_group(owner, "platform")
    assert len(lines) == 3
    shown = str(lines)
    assert not any(secret in shown for secret in (PASSWORD, owner.token, "coder_session_token"))


async def test_a_line_names_the_trace_that_the_request_belongs_to(owner: Client, lines: Lines) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await owner.post("/organizations/default/groups", json={"name": "a"}, headers={"traceparent": traceparent})
    (line,) = lines
    assert (line["trace_id"], line["span_id"]) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


@pytest.mark.parametrize("sent", ["", "00-0-0-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"])
async def test_what_names_no_trace_is_left_out(owner: Client, lines: Lines, sent: str) -> None:
    await owner.post("/organizations/default/groups", json={"name": "a"}, headers={"traceparent": sent})
    (line,) = lines
    assert "trace_id" not in line

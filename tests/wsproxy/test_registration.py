"""What the workspace proxy reports of its server, and when it gives up, with real HTTP servers in its place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from coder_enterprise.wire.buildinfo import VERSION
from coder_enterprise.wsproxy import run
from coder_enterprise.wsproxy.primary import Primary, PrimaryRefused, PrimaryUnreachable
from coder_enterprise.wsproxy.run import MAX_FAILURES, Registration, report
from coder_enterprise.wsproxy.settings import Settings
from tests.support.endpoint import Endpoint

TOKEN = "0f:secret"
URL = "http://127.0.0.1:1"
INFO: dict[str, Any] = {"external_url": URL, "version": VERSION, "dashboard_url": URL, "workspace_proxy": False}
REGISTERED = {
    "app_security_key": "",
    "derp_mesh_key": "",
    "derp_region_id": 10001,
    "derp_map": None,
    "sibling_replicas": None,
}


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with Endpoint() as made:
        made.says(INFO)
        yield made


@pytest.fixture
async def primary(endpoint: Endpoint) -> AsyncIterator[Primary]:
    async with Primary(endpoint.url, TOKEN) as made:
        yield made


@pytest.fixture
def registration(primary: Primary, monkeypatch: pytest.MonkeyPatch) -> Registration:
    monkeypatch.setattr(run, "INTERVAL", 0.001)
    return Registration(primary, Settings(primary.url, TOKEN, "", ""), "http://127.0.0.1:2")


async def test_a_server_of_the_same_release_is_well(primary: Primary) -> None:
    found = await report(primary)
    assert (found.errors, found.warnings) == ([], [])


async def test_a_server_of_another_release_is_a_warning(primary: Primary, endpoint: Endpoint) -> None:
    endpoint.says(INFO | {"version": "v2.3.1"})
    found = await report(primary)
    assert found.errors == []
    assert "v2.3.1" in found.warnings[0]


async def test_another_proxy_in_the_servers_place_is_an_error(primary: Primary, endpoint: Endpoint) -> None:
    endpoint.says(INFO | {"workspace_proxy": True})
    assert "is a workspace proxy itself" in (await report(primary)).errors[0]


@pytest.mark.parametrize(("status", "body"), [(200, "<html>"), (200, "{}"), (500, ""), (404, "no"), (302, "")])
async def test_an_answer_that_is_no_build_info_is_an_error(
    primary: Primary, endpoint: Endpoint, status: int, body: str
) -> None:
    endpoint.status, endpoint.body = status, body
    assert len((await report(primary)).errors) == 1


async def test_a_server_that_stays_away_is_given_up(registration: Registration, endpoint: Endpoint) -> None:
    endpoint.status = 503
    with pytest.raises(PrimaryUnreachable, match="503"):
        await registration.keep()
    assert len(endpoint.asked) == MAX_FAILURES + 1


async def test_a_refused_renewal_is_not_tried_again(registration: Registration, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.body = 401, json.dumps({"message": "Refused.", "detail": f"{TOKEN} is old"})
    with pytest.raises(PrimaryRefused, match="Refused") as caught:
        await registration.keep()
    assert TOKEN not in str(caught.value)
    assert len(endpoint.asked) == 1


async def test_leaving_a_server_that_is_away_is_no_error(registration: Registration, endpoint: Endpoint) -> None:
    endpoint.status = 503
    await registration.end()
    assert endpoint.asked == ["/api/v2/workspaceproxies/me/deregister"]


async def test_a_real_coders_answer_is_read(registration: Registration, endpoint: Endpoint) -> None:
    """It may have null for what is empty."""
    endpoint.says(REGISTERED)
    await registration.renew()

"""/scim/v2 as a service: its key, its errors, what it says of itself, and what scim2-tester says of it."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import pytest
import uvicorn
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import CheckResult, Status, check_server

from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.scim import Scim
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from tests.server.routes.scim.conftest import KEY, person, scim_refused
from tests.support.api import SITE, Client, altered, refused


@pytest.mark.parametrize("value", [KEY, f"Bearer {KEY}", f"bearer {KEY}", f"BEARER  {KEY}"])
async def test_the_key_opens_with_and_without_bearer(scim: httpx2.AsyncClient, value: str) -> None:
    assert (await scim.get("/Users", headers={"Authorization": value})).status_code == 200


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", f"Basic {KEY}", f"{KEY}x", KEY[:-1], KEY.upper(), f"Bearer Bearer {KEY}", "\xff"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/Users"),
        ("POST", "/Users"),
        ("PUT", "/Users/x"),
        ("PATCH", "/Users/x"),
        ("DELETE", "/Users/x"),
        ("POST", "/.search"),
        ("GET", "/Schemas"),
        ("GET", "/ResourceTypes/User"),
    ],
)
async def test_any_other_key_is_refused(scim: httpx2.AsyncClient, method: str, path: str, value: str) -> None:
    headers = {b"Authorization": value.encode("latin-1")}
    detail = scim_refused(await scim.request(method, path, json=person(), headers=headers), 401)
    assert KEY not in detail


async def test_a_session_token_does_not_open_it(owner: Client) -> None:
    scim_refused(await owner.get(f"{SITE}/scim/v2/Users"), 401)


@pytest.mark.parametrize("path", ["/scim/v2", "/scim/v2/Users", "/scim/v2/ServiceProviderConfig"])
async def test_without_a_key_there_is_nothing(services: Services, database: Database, path: str) -> None:
    scim = Scim(database, services.sessions, services.entitlements, SITE, "")
    app = create_app(altered(services, scim=scim))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=SITE) as client:
        for method in ("GET", "POST", "DELETE"):
            body = refused(await client.request(method, path, headers={"Authorization": ""}), 404)
            assert body["message"] == "Route not found."


@pytest.mark.parametrize("license_claims", [None, {"all_features": False, "features": {"template_rbac": 1}}])
@pytest.mark.parametrize("path", ["/scim/v2/Users", "/scim/v2/ServiceProviderConfig", "/api/v2/scim/v2/Users"])
async def test_without_a_licence_it_is_refused_by_the_name_of_the_feature(scim: httpx2.AsyncClient, path: str) -> None:
    assert "scim" in scim_refused(await scim.get(SITE + path), 403)


async def test_how_to_authenticate_is_told_to_everybody(nobody: Client) -> None:
    answer = await nobody.get(f"{SITE}/scim/v2/ServiceProviderConfig")
    body = answer.json()
    assert answer.status_code == 200
    assert (body["patch"], body["sort"], body["filter"]) == (
        {"supported": True},
        {"supported": False},
        {"supported": True, "maxResults": 1000},
    )
    assert KEY not in answer.text


async def test_only_users_are_announced(scim: httpx2.AsyncClient) -> None:
    types = (await scim.get("/ResourceTypes")).json()["Resources"]
    assert [(each["name"], each["endpoint"]) for each in types] == [("User", "/Users")]
    scim_refused(await scim.get("/Groups"), 404)


@pytest.mark.parametrize("path", ["/ResourceTypes", "/Schemas"])
async def test_what_describes_the_service_is_not_filtered(scim: httpx2.AsyncClient, path: str) -> None:
    scim_refused(await scim.get(path, params={"filter": 'name eq "User"'}), 403)


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/Users/x/y", "/Bulk", "/Me"])
async def test_a_path_that_is_not_there_is_refused_as_scim_does(scim: httpx2.AsyncClient, path: str) -> None:
    scim_refused(await scim.get(f"{SITE}/scim/v2{path}"), 404)


async def test_a_method_that_a_path_does_not_take_is_refused_with_those_it_takes(scim: httpx2.AsyncClient) -> None:
    answer = await scim.delete("/Users")
    scim_refused(answer, 405)
    assert answer.headers["Allow"] == "GET, POST"


async def test_other_paths_keep_their_own_errors(nobody: Client) -> None:
    for path in ("/scim/v2x", "/scim", "/api/v2/scim/v2x"):
        refused(await nobody.get(SITE + path), 404)


def test_the_key_is_in_no_text_of_the_settings() -> None:
    assert KEY not in repr(Settings(scim_auth_header=KEY))


async def test_scim2_tester_finds_nothing(services: Services, owner: Client) -> None:
    """Over a real socket. All of its checks are run, and each must succeed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/scim/v2"
        services.scim.url = url
        server = uvicorn.Server(uvicorn.Config(create_app(services), lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))

        def check() -> list[CheckResult]:
            with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as client:
                return check_server(SyncSCIMClient(client))

        try:
            results = await asyncio.to_thread(check)
        finally:
            server.should_exit = True
            await serving
    bad = [(result.title, result.status.name, result.reason) for result in results if result.status != Status.SUCCESS]
    assert bad == []
    assert len(results) > 40

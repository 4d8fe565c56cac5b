"""/workspaceproxies/me: what proxies themselves ask for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.services.registrations import Registrations
from coder_enterprise.server.storage.database import Database
from coder_enterprise.wire.buildinfo import VERSION
from coder_enterprise.wire.proxies import RegisterWorkspaceProxyRequest
from tests.support.api import UNKNOWN_ID, Body, Client, checked, refused
from tests.support.proxies import create_proxy, deregister, register
from tests.support.storage import audit_rows


@pytest.fixture
async def token(owner: Client) -> str:
    """Of a proxy named `eu`."""
    _, made = await create_proxy(owner, "eu")
    return made


async def test_a_registration_tells_the_proxy_what_it_needs(nobody: Client, token: str) -> None:
    answer = await register(nobody, token)
    assert answer.status_code == 201
    body = answer.json()
    assert len(bytes.fromhex(body["app_security_key"])) == 96
    assert len(bytes.fromhex(body["derp_mesh_key"])) == 32
    assert body["derp_region_id"] == 10001
    assert (body["derp_map"], body["derp_force_websockets"], body["sibling_replicas"]) == ({}, False, [])


async def test_the_keys_are_the_deployments_and_the_region_is_the_proxys(
    owner: Client, nobody: Client, token: str
) -> None:
    _, other = await create_proxy(owner, "us")
    first, again, second = [checked(await register(nobody, used)) for used in (token, token, other)]
    assert first["app_security_key"] == again["app_security_key"] == second["app_security_key"]
    assert first["derp_mesh_key"] == second["derp_mesh_key"]
    assert [item["derp_region_id"] for item in (first, again, second)] == [10001, 10001, 10002]


async def test_the_number_of_a_deleted_proxy_is_not_given_again(owner: Client, nobody: Client, token: str) -> None:
    await owner.delete("/workspaceproxies/eu")
    _, other = await create_proxy(owner, "us")
    assert checked(await register(nobody, other))["derp_region_id"] == 10002


async def test_a_registered_proxy_shows_what_it_said_of_itself(owner: Client, nobody: Client, token: str) -> None:
    said = {"access_url": "https://eu.example.com:8443/", "wildcard_hostname": "*--x.eu.example.com"}
    checked(await register(nobody, token, derp_enabled=True, **said))
    proxy = checked(await owner.get("/workspaceproxies/eu"))
    assert proxy["path_app_url"] == "https://eu.example.com:8443"
    assert proxy["wildcard_hostname"] == "*--x.eu.example.com"
    assert (proxy["derp_enabled"], proxy["derp_only"]) == (True, False)


async def test_registering_again_changes_nothing_that_people_see(
    owner: Client, nobody: Client, token: str, database: Database
) -> None:
    replica_id = str(uuid4())
    checked(await register(nobody, token, replica_id=replica_id))
    before, audited = checked(await owner.get("/workspaceproxies/eu")), len(await audit_rows(database))
    checked(await register(nobody, token, replica_id=replica_id))
    assert checked(await owner.get("/workspaceproxies/eu")) == before
    assert len(await audit_rows(database)) == audited


async def test_a_registration_that_changes_the_proxy_is_audited_without_secrets(
    nobody: Client, token: str, database: Database
) -> None:
    answer = checked(await register(nobody, token))
    row = (await audit_rows(database))[-1]
    assert (row["action"], row["resource_type"], row["resource_name"]) == ("register", "workspace_proxy", "eu")
    assert row["user_id"] is None
    assert row["after"]["url"] == "https://eu.example.com"
    for secret in (token.partition(":")[2], answer["app_security_key"], answer["derp_mesh_key"]):
        assert secret not in str(row)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda token: "", "missing"),
        (lambda token: "x", "malformed"),
        (lambda token: token[:-1], "malformed"),
        (lambda token: token.upper(), "malformed"),
        (lambda token: f"{token}\xe9", "malformed"),
        (lambda token: "' OR 1=1 --:" + "0" * 64, "malformed"),
        (lambda token: f"{uuid4()}:{'0' * 64}", "names no workspace proxy"),
        (lambda token: token.partition(":")[0] + ":" + "0" * 64, "is not this proxy's"),
    ],
)
async def test_a_wrong_token_is_refused_with_its_cause(nobody: Client, token: str, change: Any, detail: str) -> None:
    wrong = change(token).encode("latin-1")
    for call in (register(nobody, wrong), deregister(nobody, wrong, str(uuid4()))):
        body = refused(await call, 401)
        assert detail in body["detail"]
        assert "Coder-External-Proxy-Token" in body["detail"]
        assert token.partition(":")[2] not in str(body)


async def test_the_token_of_a_deleted_proxy_is_refused(owner: Client, nobody: Client, token: str) -> None:
    await owner.delete("/workspaceproxies/eu")
    assert "deleted" in refused(await register(nobody, token), 401)["detail"]


async def test_a_session_is_no_proxy_token(owner: Client) -> None:
    refused(await owner.post("/workspaceproxies/me/register", json={}), 401)


async def test_the_token_is_checked_before_the_body(nobody: Client) -> None:
    refused(await nobody.post("/workspaceproxies/me/register", content=b"{"), 401)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "eu.example.com",
        "ftp://eu.example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://eu.example.com/path",
        "https://eu.example.com/../x",
        "https://eu.example.com?x=1",
        "https://eu.example.com/#x",
        "https://user:password@eu.example.com",
        "https://eu.example.com:99999",
        "https://eu .example.com",
        "https://eu.example.com\r\nX: y",
        "https://[::1",
        "https://" + "x" * 2048,
    ],
)
async def test_an_access_url_that_is_no_base_url_is_refused(nobody: Client, token: str, url: str) -> None:
    refused(await register(nobody, token, access_url=url), 400, "access_url")


@pytest.mark.parametrize("url", ["http://eu", "https://eu.example.com/", "http://[::1]:3001", "HTTPS://EU.example.com"])
async def test_an_access_url_is_http_with_a_host(nobody: Client, token: str, url: str) -> None:
    checked(await register(nobody, token, access_url=url))


@pytest.mark.parametrize(
    "wildcard",
    [
        "*",
        "*eu",
        "eu.example.com",
        "eu.*.example.com",
        "*.*.example.com",
        "https://*.example.com",
        "*.example.com:443",
        "*.-example.com",
        "*..com",
        "*.example.com.",
        "*-.example.com",
        "*." + "x" * 64 + ".com",
        "*." + "x." * 200 + "com",
    ],
)
async def test_a_malformed_wildcard_is_refused(nobody: Client, token: str, wildcard: str) -> None:
    refused(await register(nobody, token, wildcard_hostname=wildcard), 400, "wildcard_hostname")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"version": "v2.3.0"}, "version"),
        ({"version": "v3.4.0"}, "version"),
        ({"version": ""}, "version"),
        ({"replica_id": "00000000-0000-0000-0000-000000000000"}, "replica_id"),
        ({"replica_id": "1"}, "replica_id"),
        ({"replica_id": 1}, "replica_id"),
        ({"derp_enabled": False, "derp_only": True}, "derp_only"),
        ({"derp_enabled": "yes"}, "derp_enabled"),
        ({"hostname": "x" * 254}, "hostname"),
        ({"replica_error": "x" * 8193}, "replica_error"),
        ({"replica_relay_address": "x" * 2049}, "replica_relay_address"),
    ],
)
async def test_a_registration_that_breaks_a_rule_names_the_field(
    owner: Client, nobody: Client, token: str, fields: Body, named: str
) -> None:
    refused(await register(nobody, token, **fields), 400, named)
    assert checked(await owner.get("/workspaceproxies/eu"))["path_app_url"] == ""


async def test_all_fields_that_break_a_rule_are_named_at_once(nobody: Client, token: str) -> None:
    answer = await register(nobody, token, version="v1.0.0", access_url="x", wildcard_hostname="x")
    refused(answer, 400, "version", "access_url", "wildcard_hostname")


@pytest.mark.parametrize("version", ["v2.4.9", "v2.4.1+abc", "v0.0.0-devel+abc"])
async def test_a_proxy_of_the_same_release_or_a_development_build_is_accepted(
    nobody: Client, token: str, version: str
) -> None:
    checked(await register(nobody, token, version=version))


async def test_siblings_are_the_other_replicas_of_the_same_proxy(owner: Client, nobody: Client, token: str) -> None:
    _, other = await create_proxy(owner, "us")
    checked(await register(nobody, other, hostname="us-0"))
    first = str(uuid4())
    checked(await register(nobody, token, replica_id=first, hostname="eu-0", replica_relay_address="http://10.0.0.1"))
    (sibling,) = checked(await register(nobody, token, hostname="eu-1"))["sibling_replicas"]
    assert (sibling["id"], sibling["hostname"], sibling["relay_address"]) == (first, "eu-0", "http://10.0.0.1")
    assert (sibling["region_id"], sibling["error"], sibling["database_latency"]) == (10001, "", 0)


async def test_the_error_of_a_replica_counts_from_its_second_registration(nobody: Client, token: str) -> None:
    first = str(uuid4())
    for expected in ("", "no siblings"):
        checked(await register(nobody, token, replica_id=first, replica_error="no siblings"))
        siblings = checked(await register(nobody, token))["sibling_replicas"]
        assert next(item["error"] for item in siblings if item["id"] == first) == expected


async def test_a_replica_that_left_is_no_sibling_and_cannot_return(nobody: Client, token: str) -> None:
    first = str(uuid4())
    checked(await register(nobody, token, replica_id=first))
    assert (await deregister(nobody, token, first)).status_code == 204
    assert checked(await register(nobody, token))["sibling_replicas"] == []
    refused(await register(nobody, token, replica_id=first), 400, "replica_id")
    refused(await deregister(nobody, token, first), 404)


async def test_a_proxy_that_left_keeps_its_url(owner: Client, nobody: Client, token: str) -> None:
    replica_id = str(uuid4())
    checked(await register(nobody, token, replica_id=replica_id))
    await deregister(nobody, token, replica_id)
    assert checked(await owner.get("/workspaceproxies/eu"))["path_app_url"] == "https://eu.example.com"


async def test_a_replica_of_another_proxy_cannot_be_taken_or_deregistered(
    owner: Client, nobody: Client, token: str
) -> None:
    _, other = await create_proxy(owner, "us")
    theirs = str(uuid4())
    checked(await register(nobody, other, replica_id=theirs))
    refused(await register(nobody, token, replica_id=theirs), 400, "replica_id")
    refused(await deregister(nobody, token, theirs), 404)


@pytest.mark.parametrize(("replica_id", "status"), [("x", 400), (1, 400), (None, 400), (UNKNOWN_ID, 404)])
async def test_only_a_replica_that_is_there_can_be_deregistered(
    nobody: Client, token: str, replica_id: object, status: int
) -> None:
    refused(await deregister(nobody, token, replica_id), status, *(["replica_id"] if status == 400 else []))


async def test_a_sibling_that_is_silent_for_ninety_seconds_is_none(
    services: Services, database: Database, token: str
) -> None:
    moment = [now()]

    def clock() -> datetime:
        return moment[0]

    registrations = Registrations(database, services.entitlements, services.proxies.health, VERSION, clock)

    async def siblings() -> int:
        request = RegisterWorkspaceProxyRequest(
            access_url="https://eu.example.com", replica_id=str(uuid4()), version="v2.4.0"
        )
        return len((await registrations.register(token, request)).sibling_replicas)

    assert await siblings() == 0
    moment[0] += timedelta(seconds=90)
    assert await siblings() == 1
    moment[0] += timedelta(seconds=1)
    assert await siblings() == 1

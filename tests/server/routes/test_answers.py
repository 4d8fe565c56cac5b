"""What every answer carries, and every refusal looks like."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from coder_enterprise.server.routes.app import Application
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage.failures import Failure, Outage, Overload, SessionEnded, Unstorable
from coder_enterprise.server.storage.sqlite import SQLiteDatabase
from coder_enterprise.wire.buildinfo import VERSION
from tests.support.api import SITE, Body, Client, checked, create_group, refused


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/buildinfo", 200),
        ("GET", f"{SITE}/healthz", 200),
        ("GET", "/users/me", 401),
        ("GET", "/nothing", 404),
        ("PATCH", "/users", 405),
        ("GET", "/users/a%00b", 400),
    ],
)
async def test_every_answer_names_its_request_and_the_build(nobody: Client, method: str, url: str, status: int) -> None:
    answer = await nobody.request(method, url)
    assert answer.status_code == status
    assert str(UUID(answer.headers["x-coder-request-id"])) == answer.headers["x-coder-request-id"]
    assert answer.headers["x-coder-build-version"] == VERSION
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["vary"] == "Cookie"


async def test_every_request_has_its_own_id(nobody: Client) -> None:
    ids = {(await nobody.get("/buildinfo")).headers["x-coder-request-id"] for _ in range(3)}
    assert len(ids) == 3


async def test_an_answer_is_compact_json_with_a_newline_at_its_end(nobody: Client) -> None:
    answer = await nobody.get("/buildinfo")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.text.endswith("}\n")
    assert answer.text[:-1] == json.dumps(answer.json(), separators=(",", ":"))


async def test_what_could_end_a_script_is_escaped(owner: Client) -> None:
    script = "</script><b>&amp;"
    group = await create_group(owner, "platform", display_name=script)
    for url in (f"/groups/{group['id']}", "/organizations/default/groups", f"/users/{script}"):
        answer = await owner.get(url)
        assert not set("<>&") & set(answer.text)
    assert checked(await owner.get(f"/groups/{group['id']}"))["display_name"] == script


async def test_a_refusal_leaves_out_what_it_does_not_have(owner: Client) -> None:
    assert set(refused(await owner.get("/nothing"), 404)) == {"message"}
    assert set(refused(await owner.get("/users/unknown"), 400)) == {"message", "detail"}
    assert set(refused(await owner.post("/organizations/default/groups", json={}), 400, "name")) == {
        "message",
        "validations",
    }


@pytest.mark.parametrize(
    "url", ["/nothing", "/groupes", "/users/me/nothing", "/buildinfo/", f"{SITE}/", f"{SITE}/x/../y"]
)
async def test_a_path_that_is_not_there_is_told_apart_from_a_resource_that_is_not(owner: Client, url: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert refused(await owner.request(method, url), 404) == {"message": "Route not found."}


@pytest.mark.parametrize(
    ("method", "url", "allowed"),
    [
        ("PUT", "/users", "GET, POST"),
        ("HEAD", "/users/me", "DELETE, GET"),
        ("POST", "/regions", "GET"),
        ("DELETE", "/organizations/default/groups", "GET, POST"),
        ("PUT", f"/groups/{UUID(int=1)}", "DELETE, GET, PATCH"),
    ],
)
async def test_a_wrong_method_is_answered_with_the_right_ones_and_no_body(
    owner: Client, method: str, url: str, allowed: str
) -> None:
    answer = await owner.request(method, url)
    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    "url",
    [
        "/users/a%00b",
        "/groups/%00",
        "/organizations/default/groups/a%00",
        "/organizations/a%00/groups",
        "/users?q=a%00b",
        "/users?limit=%00",
    ],
)
async def test_nul_in_an_address_is_refused(owner: Client, url: str) -> None:
    refused(await owner.get(url), 400)


@pytest.mark.parametrize("name", ["%ff%fe", "%ed%a0%80", "%F0%9F%98%80", "%0d%0aSet-Cookie:%20a=b", "%2500"])
async def test_any_other_characters_in_an_address_are_just_a_name(owner: Client, name: str) -> None:
    refused(await owner.get(f"/users/{name}"), 400)
    refused(await owner.get(f"/organizations/default/groups/{name}"), 404)


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%2e%2e%2fx"])
async def test_a_path_that_climbs_reaches_no_route(owner: Client, name: str) -> None:
    refused(await owner.get(f"/organizations/default/groups/{name}"), 404)


@pytest.mark.parametrize("name", ["' OR '1'='1", "x'; DROP TABLE users; --", "%", "_", '"', "\\"])
async def test_sql_in_a_name_is_just_a_name(owner: Client, name: str) -> None:
    refused(await owner.get("/organizations/default/groups/" + name.replace("%", "%25")), 404)
    assert checked(await owner.get("/users"))["count"] == 1


async def test_a_fault_of_the_server_is_an_envelope_that_names_the_request_and_tells_no_cause(
    app: Application,
    nobody: Client,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail() -> bool:
        raise RuntimeError("the cause")

    monkeypatch.setattr(services.first_users, "exists", fail)
    answer = await nobody.get("/users/first")
    body: Body = refused(answer, 500)
    assert answer.headers["x-coder-request-id"] in body["detail"]
    assert "the cause" not in answer.text
    assert "the cause" in capsys.readouterr().out


async def test_more_waiting_work_than_can_be_done_is_refused_with_the_time_to_come_back(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coder_enterprise.server.storage.sqlite.MAX_WAITING", 0)
    answer = await owner.get("/organizations")
    refused(answer, 429)
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("failure", "status", "header"),
    [
        (Overload("Too much waits."), 429, "retry-after"),
        (Outage("The database does not answer."), 503, "retry-after"),
        (Unstorable("It is U+0000."), 400, None),
        (SessionEnded("You are signed out."), 401, "www-authenticate"),
    ],
)
async def test_a_failure_of_the_database_has_a_status_of_its_own(
    failure: Failure, status: int, header: str | None, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(SQLiteDatabase, "read", fail)
    answer = await owner.get("/groups")
    assert (answer.status_code, answer.json()["message"]) == (status, failure.message)
    assert header is None or header in answer.headers

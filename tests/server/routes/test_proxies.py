"""/workspaceproxies and /regions, on a real database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID, uuid4

import pytest

from coder_enterprise.server.errors import Forbidden
from coder_enterprise.server.routes.app import Application, create_app
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.entitlements import Entitlements, Feature
from coder_enterprise.server.storage import proxies
from coder_enterprise.server.storage.database import Database
from coder_enterprise.wire.profiles import Profile
from tests.support import contract
from tests.support.api import SITE, UNKNOWN_ID, Body, Client, People, altered, checked, refused
from tests.support.proxies import create_proxy, register
from tests.support.storage import audit_rows

FIELDS: Final = {
    "created_at",
    "deleted",
    "derp_enabled",
    "derp_only",
    "display_name",
    "healthy",
    "icon_url",
    "id",
    "name",
    "path_app_url",
    "status",
    "updated_at",
    "wildcard_hostname",
}
"""Of a workspace proxy, as the page has it."""
ZERO: Final = "0001-01-01T00:00:00Z"
TOKEN_FORM: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{64}")


@pytest.fixture
async def sdk_owner(services: Services, owner: Client) -> AsyncIterator[Client]:
    """The owner of the same deployment, served in the profile `codersdk`."""
    async with Client(create_app(altered(services, profile=Profile.CODERSDK)), owner.token) as client:
        yield client


async def listed(client: Client) -> list[Body]:
    (answer,) = (await client.get("/workspaceproxies")).json()
    regions: list[Body] = answer["regions"]
    return regions


async def test_a_new_proxy_is_unregistered_and_has_no_url_yet(owner: Client) -> None:
    answer = await owner.post("/workspaceproxies", json={"name": "Eu-1", "display_name": "Europe", "icon": "/eu.png"})
    assert answer.status_code == 201
    proxy = answer.json()
    assert set(proxy) == FIELDS
    assert (proxy["name"], proxy["display_name"], proxy["icon_url"]) == ("Eu-1", "Europe", "/eu.png")
    assert (proxy["path_app_url"], proxy["wildcard_hostname"], proxy["healthy"]) == ("", "", False)
    assert (proxy["derp_enabled"], proxy["derp_only"], proxy["deleted"]) == (True, False, False)
    assert proxy["status"] == {
        "status": "unregistered",
        "report": {"errors": [], "warnings": []},
        "checked_at": ZERO,
    }


async def test_only_the_name_is_required(owner: Client) -> None:
    proxy, _ = await create_proxy(owner, "eu")
    assert (proxy["display_name"], proxy["icon_url"]) == ("", "")


async def test_the_token_is_shown_once_and_only_its_hash_is_kept(owner: Client, database: Database) -> None:
    proxy, token = await create_proxy(owner, "eu")
    assert TOKEN_FORM.fullmatch(token)
    assert token.startswith(f"{proxy['id']}:")
    secret = token.partition(":")[2]
    row = await database.read(lambda connection: proxies.get(connection, UUID(proxy["id"])))
    assert row is not None
    assert row.token_hash == hashlib.sha256(secret.encode()).digest()
    again = await owner.get("/workspaceproxies/eu")
    assert "Coder-Workspace-Proxy-Token" not in again.headers
    assert secret not in again.text


async def test_the_sdk_gets_the_token_in_the_body(sdk_owner: Client) -> None:
    answer = await sdk_owner.post("/workspaceproxies", json={"name": "eu"})
    assert answer.status_code == 201
    assert set(answer.json()) == {"proxy", "proxy_token"}
    assert set(answer.json()["proxy"]) == FIELDS | {"version"}
    assert TOKEN_FORM.fullmatch(answer.json()["proxy_token"])
    assert "Coder-Workspace-Proxy-Token" not in answer.headers


async def test_the_sdk_gets_no_token_for_a_change_that_makes_none(sdk_owner: Client) -> None:
    await sdk_owner.post("/workspaceproxies", json={"name": "eu"})
    answer = await sdk_owner.patch("/workspaceproxies/eu", json={"display_name": "Europe"})
    assert answer.json()["proxy_token"] == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-eu",
        "eu-",
        "eu--1",
        "eu west",
        "eu_1",
        "é",
        "../eu",
        "eu/../../etc/passwd",
        "'; DROP TABLE proxies; --",
        "x" * 65,
        "eu\n",
        "primary",
        "PriMary",
        "me",
        "2f0cf5a2-5a3e-4d86-9c44-6ef4a1a7a123",
        "2f0cf5a25a3e4d869c446ef4a1a7a123",
    ],
)
async def test_a_name_that_breaks_the_rules_is_refused(owner: Client, name: str) -> None:
    refused(await owner.post("/workspaceproxies", json={"name": name}), 400, "name")


async def test_a_name_may_have_64_characters(owner: Client) -> None:
    await create_proxy(owner, "x" * 64)


@pytest.mark.parametrize(
    ("field", "value"), [("display_name", "x" * 65), ("display_name", " x"), ("icon", "x" * 2049), ("name", 1)]
)
async def test_a_field_that_breaks_its_rule_is_named(owner: Client, field: str, value: object) -> None:
    refused(await owner.post("/workspaceproxies", json={"name": "eu"} | {field: value}), 400, field)


async def test_a_body_that_is_too_large_is_refused(owner: Client) -> None:
    refused(await owner.post("/workspaceproxies", json={"name": "eu", "icon": "x" * 1_100_000}), 413)


async def test_a_name_that_is_taken_in_any_case_is_refused(owner: Client) -> None:
    await create_proxy(owner, "eu")
    refused(await owner.post("/workspaceproxies", json={"name": "EU"}), 409, "name")


async def test_a_proxy_is_found_by_id_and_by_its_exact_name(owner: Client) -> None:
    proxy, _ = await create_proxy(owner, "Eu")
    assert checked(await owner.get(f"/workspaceproxies/{proxy['id']}"))["name"] == "Eu"
    assert checked(await owner.get("/workspaceproxies/Eu"))["id"] == proxy["id"]
    refused(await owner.get("/workspaceproxies/eu"), 404)


@pytest.mark.parametrize(
    "reference", ["nobody", UNKNOWN_ID, "%27%20OR%201=1", "..%2f..%2fetc", "eu%00", "%F0%9F%8F%A1"]
)
async def test_what_is_not_there_is_not_found(owner: Client, reference: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        answer = await owner.request(method, f"/workspaceproxies/{reference}", json={})
        assert answer.status_code in (400, 404), answer.text


async def test_the_list_is_the_primary_and_then_all_by_name(owner: Client) -> None:
    for name in ("us", "Eu", "asia"):
        await create_proxy(owner, name)
    assert [region["name"] for region in await listed(owner)] == ["primary", "asia", "Eu", "us"]


async def test_the_sdk_gets_the_list_as_one_object(sdk_owner: Client) -> None:
    answer = (await sdk_owner.get("/workspaceproxies")).json()
    assert [region["name"] for region in answer["regions"]] == ["primary"]


async def test_the_primary_is_the_server_itself(owner: Client, services: Services) -> None:
    primary = checked(await owner.get("/workspaceproxies/primary"))
    assert set(primary) == FIELDS
    assert primary["id"] == str(services.deployment.id)
    assert (primary["display_name"], primary["icon_url"]) == ("Default", "/emojis/1f3e1.png")
    assert (primary["path_app_url"], primary["healthy"], primary["status"]["status"]) == (SITE, True, "ok")
    assert primary["status"]["checked_at"] > "2020"
    assert checked(await owner.get(f"/workspaceproxies/{primary['id']}"))["name"] == "primary"


async def test_what_people_see_of_the_primary_can_be_changed(owner: Client) -> None:
    answer = await owner.patch("/workspaceproxies/primary", json={"name": "primary", "display_name": "Home"})
    assert checked(answer)["display_name"] == "Home"
    assert checked(await owner.patch("/workspaceproxies/primary", json={"icon": "/h.png"}))["icon_url"] == "/h.png"
    assert (await listed(owner))[0]["display_name"] == "Home"


async def test_an_empty_display_name_gives_the_primary_its_own_again(owner: Client) -> None:
    await owner.patch("/workspaceproxies/primary", json={"display_name": "Home"})
    answer = await owner.patch("/workspaceproxies/primary", json={"display_name": ""})
    assert checked(answer)["display_name"] == "Default"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "other"}, "name"),
        ({"regenerate_token": True}, "regenerate_token"),
        ({"id": str(uuid4())}, "id"),
        ({"display_name": "x" * 65}, "display_name"),
    ],
)
async def test_the_primary_cannot_be_renamed_or_get_a_token(owner: Client, body: Body, field: str) -> None:
    refused(await owner.patch("/workspaceproxies/primary", json=body), 400, field)


async def test_the_primary_cannot_be_deleted(owner: Client, services: Services) -> None:
    for reference in ("primary", services.deployment.id):
        refused(await owner.delete(f"/workspaceproxies/{reference}"), 400)


async def test_a_change_keeps_what_is_not_sent(owner: Client) -> None:
    proxy, _ = await create_proxy(owner, "eu", display_name="Europe", icon="/eu.png")
    changed = checked(await owner.patch(f"/workspaceproxies/{proxy['id']}", json={"name": "eu-1"}))
    assert set(changed) == FIELDS
    assert (changed["name"], changed["display_name"], changed["icon_url"]) == ("eu-1", "Europe", "/eu.png")
    assert changed["updated_at"] > proxy["updated_at"]


async def test_all_fields_can_be_sent_as_terraform_does(owner: Client) -> None:
    proxy, _ = await create_proxy(owner, "eu")
    body = {"id": proxy["id"], "name": "eu", "display_name": "E", "icon": "/e.png", "regenerate_token": False}
    changed = await owner.patch(f"/workspaceproxies/{proxy['id']}", json=body)
    assert checked(changed)["display_name"] == "E"
    assert "Coder-Workspace-Proxy-Token" not in changed.headers


async def test_the_same_once_more_changes_nothing(owner: Client, database: Database) -> None:
    proxy, _ = await create_proxy(owner, "eu")
    before = len(await audit_rows(database))
    changed = checked(await owner.patch("/workspaceproxies/eu", json={"name": "eu", "display_name": ""}))
    assert changed["updated_at"] == proxy["updated_at"]
    assert len(await audit_rows(database)) == before


async def test_the_id_of_another_proxy_in_the_body_is_refused(owner: Client) -> None:
    await create_proxy(owner, "eu")
    for wrong in (str(uuid4()), "eu"):
        refused(await owner.patch("/workspaceproxies/eu", json={"id": wrong}), 400, "id")


@pytest.mark.parametrize("name", ["primary", "Primary", "me", "a b"])
async def test_a_proxy_cannot_be_renamed_to_what_is_reserved_or_malformed(owner: Client, name: str) -> None:
    await create_proxy(owner, "eu")
    refused(await owner.patch("/workspaceproxies/eu", json={"name": name}), 400, "name")


async def test_a_proxy_cannot_be_renamed_to_a_name_that_is_taken(owner: Client) -> None:
    await create_proxy(owner, "eu")
    await create_proxy(owner, "us")
    refused(await owner.patch("/workspaceproxies/eu", json={"name": "US"}), 409, "name")


async def test_a_regenerated_token_replaces_the_old_one_at_once(owner: Client, nobody: Client) -> None:
    _, old = await create_proxy(owner, "eu")
    answer = await owner.patch("/workspaceproxies/eu", json={"regenerate_token": True})
    new = answer.headers["Coder-Workspace-Proxy-Token"]
    assert set(checked(answer)) == FIELDS
    refused(await register(nobody, old), 401)
    checked(await register(nobody, new))


async def test_a_deleted_proxy_is_gone_but_for_its_id(owner: Client) -> None:
    proxy, _ = await create_proxy(owner, "eu")
    checked(await owner.delete("/workspaceproxies/eu"))
    refused(await owner.get("/workspaceproxies/eu"), 404)
    assert [region["name"] for region in await listed(owner)] == ["primary"]
    found = checked(await owner.get(f"/workspaceproxies/{proxy['id']}"))
    assert (found["name"], found["deleted"], found["healthy"]) == ("eu", True, False)
    assert (found["status"]["status"], found["status"]["checked_at"]) == ("unregistered", ZERO)
    refused(await owner.patch(f"/workspaceproxies/{proxy['id']}", json={"display_name": "x"}), 404)


async def test_the_sdk_sees_a_deleted_proxy_as_unknown(owner: Client, sdk_owner: Client) -> None:
    proxy, _ = await create_proxy(owner, "eu")
    await owner.delete("/workspaceproxies/eu")
    assert (await sdk_owner.get(f"/workspaceproxies/{proxy['id']}")).json()["status"]["status"] == "unknown"


async def test_deleting_by_id_once_more_is_no_error(owner: Client, database: Database) -> None:
    proxy, _ = await create_proxy(owner, "eu")
    for _ in range(2):
        checked(await owner.delete(f"/workspaceproxies/{proxy['id']}"))
    deletes = [row for row in await audit_rows(database) if row["action"] == "delete"]
    assert len(deletes) == 1


async def test_the_name_of_a_deleted_proxy_is_free(owner: Client) -> None:
    made = []
    for name in ("eu", "EU", "eu"):
        proxy, _ = await create_proxy(owner, name)
        checked(await owner.delete(f"/workspaceproxies/{name}"))
        made.append(proxy["id"])
    assert len(set(made)) == 3


async def test_every_change_is_audited_without_a_token(owner: Client, database: Database) -> None:
    _, old = await create_proxy(owner, "eu")
    new = (await owner.patch("/workspaceproxies/eu", json={"regenerate_token": True, "name": "eu-1"})).headers[
        "Coder-Workspace-Proxy-Token"
    ]
    await owner.patch("/workspaceproxies/primary", json={"display_name": "Home"})
    await owner.delete("/workspaceproxies/eu-1")
    rows = [row for row in await audit_rows(database) if row["resource_type"] == "workspace_proxy"]
    assert [(row["action"], row["resource_name"]) for row in rows] == [
        ("create", "eu"),
        ("write", "eu-1"),
        ("write", "primary"),
        ("delete", "eu-1"),
    ]
    assert {str(row["user_id"]) for row in rows} == {owner.user_id}
    for token in (old, new):
        assert token.partition(":")[2] not in str(rows)
        assert hashlib.sha256(token.partition(":")[2].encode()).hexdigest() not in str(rows)


@pytest.mark.parametrize("role", ["user-admin", "template-admin", "auditor", ""])
async def test_all_but_owners_see_the_primary_and_change_nothing(owner: Client, people: People, role: str) -> None:
    proxy, _ = await create_proxy(owner, "eu")
    other = await people.with_roles(*([role] if role else []))
    assert [region["name"] for region in await listed(other)] == ["primary"]
    checked(await other.get("/workspaceproxies/primary"))
    refused(await other.post("/workspaceproxies", json={"name": "mine"}), 403)
    refused(await other.patch("/workspaceproxies/primary", json={"display_name": "Mine"}), 403)
    for reference in ("eu", proxy["id"]):
        refused(await other.get(f"/workspaceproxies/{reference}"), 404)
        refused(await other.patch(f"/workspaceproxies/{reference}", json={"regenerate_token": True}), 404)
        refused(await other.delete(f"/workspaceproxies/{reference}"), 404)
    refused(await other.delete("/workspaceproxies/primary"), 400)


async def test_nobody_without_a_session_gets_anything(nobody: Client) -> None:
    for method, path in (
        ("GET", "/regions"),
        ("GET", "/workspaceproxies"),
        ("POST", "/workspaceproxies"),
        ("GET", "/workspaceproxies/primary"),
        ("PATCH", "/workspaceproxies/primary"),
        ("DELETE", "/workspaceproxies/primary"),
    ):
        refused(await nobody.request(method, path, json={"name": "eu"}), 401)


async def test_a_proxy_token_is_no_session(owner: Client, people: People) -> None:
    _, token = await create_proxy(owner, "eu")
    refused(await people.client(token).get("/workspaceproxies"), 401)


async def test_regions_show_everybody_what_is_needed_to_use_them(owner: Client, member: Client) -> None:
    await create_proxy(owner, "eu")
    answer = checked(await member.get("/regions"))
    assert [region["name"] for region in answer["regions"]] == ["primary", "eu"]
    for region in answer["regions"]:
        assert set(region) == {
            "id",
            "name",
            "display_name",
            "icon_url",
            "healthy",
            "path_app_url",
            "wildcard_hostname",
        }


async def test_regions_hide_what_only_relays_derp(owner: Client, nobody: Client) -> None:
    _, token = await create_proxy(owner, "eu")
    checked(await register(nobody, token, derp_enabled=True, derp_only=True))
    assert [region["name"] for region in checked(await owner.get("/regions"))["regions"]] == ["primary"]
    assert [region["name"] for region in await listed(owner)] == ["primary", "eu"]


async def test_without_the_feature_only_regions_answer(
    owner: Client, nobody: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, token = await create_proxy(owner, "eu")

    def require(_: Entitlements, feature: Feature) -> None:
        raise Forbidden(f"{feature} is not enabled.")

    monkeypatch.setattr(Entitlements, "require", require)
    for method, path in (
        ("GET", "/workspaceproxies"),
        ("POST", "/workspaceproxies"),
        ("GET", "/workspaceproxies/eu"),
        ("PATCH", "/workspaceproxies/eu"),
        ("DELETE", "/workspaceproxies/primary"),
    ):
        body = refused(await owner.request(method, path, json={"name": "x"}), 403)
        assert "workspace_proxy" in body["message"]
    refused(await register(nobody, token), 403)
    checked(await owner.get("/regions"))


def test_openapi_tells_of_the_token_header(app: Application) -> None:
    paths = app.description["paths"]
    created = paths["/api/v2/workspaceproxies"]["post"]["responses"]["201"]
    changed = paths["/api/v2/workspaceproxies/{workspaceproxy}"]["patch"]["responses"]["200"]
    for answer in (created, changed):
        assert "Coder-Workspace-Proxy-Token" in answer["headers"]
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/WorkspaceProxy")


CALLS: Final = {
    "GET /workspaceproxies": None,
    "POST /workspaceproxies": {"name": "us", "display_name": "US", "icon": "/us.png"},
    "GET /workspaceproxies/{workspaceproxy}": None,
    "PATCH /workspaceproxies/{workspaceproxy}": {"name": "eu-1", "regenerate_token": True},
    "DELETE /workspaceproxies/{workspaceproxy}": None,
    "GET /replicas": None,
}


@pytest.mark.parametrize(
    "record", [item for item in contract.records() if contract.key(item) in CALLS], ids=contract.key
)
async def test_an_answer_has_exactly_the_fields_of_the_page(
    owner: Client, nobody: Client, record: contract.Record
) -> None:
    _, token = await create_proxy(owner, "eu")
    checked(await register(nobody, token))
    path = record["path"].format(workspaceproxy="eu")
    answer = await owner.request(record["method"], path, json=CALLS[contract.key(record)])
    assert answer.status_code == record["status"]
    assert list(contract.differences(record["response"], answer.json(), record["enums"])) == []


def test_every_call_of_the_page_about_proxies_and_replicas_is_walked() -> None:
    about = {key for key in map(contract.key, contract.records()) if "workspaceprox" in key or "replicas" in key}
    assert about == set(CALLS)

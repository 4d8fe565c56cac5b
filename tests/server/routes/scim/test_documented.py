"""/api/v2/scim/v2: the shapes and statuses of the contract page, and who may call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx2
import pytest

from coder_enterprise.server.routes.app import create_app
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.schema import audit_log
from coder_enterprise.wire.profiles import Profile
from tests.server.routes.scim.conftest import KEY, made, operations, person, scim_refused
from tests.support.api import Body, Client, People, altered, checked, create_user
from tests.support.contract import Record, differences, key, records

RECORDS: Final[Mapping[str, Record]] = {key(record): record for record in records()}
CREATE: Final = RECORDS["POST /scim/v2/Users"]
PATCH: Final = RECORDS["PATCH /scim/v2/Users/{id}"]


def documented(record: Record, answer: httpx2.Response) -> Body:
    """The answer, which is exactly as the page says."""
    assert answer.status_code == record["status"], answer.text
    assert list(differences(record["response"], answer.json(), record["enums"])) == []
    body: Body = answer.json()
    return body


async def suspended(owner: Client, username: str = "ann") -> Body:
    user = await create_user(owner, username)
    return checked(await owner.put(f"/users/{user['id']}/status/suspend"))


async def test_users_are_listed_with_200(owner: Client) -> None:
    await create_user(owner, "ann")
    answer = await owner.get("/scim/v2/Users", params={"filter": 'userName eq "ann"'})
    assert answer.status_code == RECORDS["GET /scim/v2/Users"]["status"]
    body = answer.json()
    assert (body["totalResults"], body["startIndex"], body["itemsPerPage"]) == (1, 1, 1)
    assert list(differences(CREATE["response"], body["Resources"][0], {})) == []


async def test_a_user_is_created_as_the_page_says(owner: Client) -> None:
    sent = person("ann.bell@example.com", name={"givenName": "Ann", "familyName": "Bell"})
    body = documented(CREATE, await owner.post("/scim/v2/Users", json=sent))
    assert body["userName"] == "annbell"
    assert body["name"] == {"givenName": "Ann", "familyName": "Bell"}
    assert body["emails"] == [{"value": "ann.bell@example.com", "primary": True, "type": "work", "display": "Ann Bell"}]
    assert body["active"] is True


async def test_a_body_as_on_the_page_is_understood(owner: Client) -> None:
    body = {
        "active": True,
        "emails": [{"display": "string", "primary": True, "type": "string", "value": "user@example.com"}],
        "groups": [None],
        "id": "string",
        "meta": {"resourceType": "string"},
        "name": {"familyName": "string", "givenName": "string"},
        "schemas": ["string"],
        "userName": "string",
    }
    created = documented(CREATE, await owner.post("/scim/v2/Users", json=body))
    changed = documented(PATCH, await owner.patch(f"/scim/v2/Users/{created['id']}", json={**body, "active": False}))
    assert (changed["username"], changed["status"]) == ("string", "suspended")


async def test_who_is_there_already_is_answered_as_they_are(owner: Client) -> None:
    user = await create_user(owner, "ann")
    for sent in (
        person("ann", emails=[{"value": "x@example.com"}]),
        person("x", emails=[{"value": "Ann@example.com"}]),
    ):
        body = documented(CREATE, await owner.post("/scim/v2/Users", json={**sent, "active": False}))
        assert (body["id"], body["emails"][0]["value"], body["active"]) == (user["id"], "ann@example.com", True)


async def test_who_is_suspended_comes_back_when_created_again(owner: Client) -> None:
    user = await suspended(owner)
    inactive = await owner.post("/scim/v2/Users", json={**person(), "active": False})
    assert documented(CREATE, inactive)["active"] is False
    body = documented(CREATE, await owner.post("/scim/v2/Users", json=person()))
    assert (body["id"], body["active"]) == (user["id"], True)


async def test_who_was_deleted_by_the_identity_provider_comes_back_when_created_again(
    owner: Client, scim: httpx2.AsyncClient
) -> None:
    user = await made(scim)
    await scim.delete(f"/Users/{user['id']}")
    body = documented(CREATE, await owner.post("/scim/v2/Users", json=person()))
    assert (body["id"], body["active"]) == (user["id"], True)
    assert (await scim.get(f"/Users/{user['id']}")).status_code == 200


async def test_a_user_without_an_address_is_refused(owner: Client) -> None:
    scim_refused(await owner.post("/scim/v2/Users", json={"userName": "ann", "active": True}), 400, "invalidValue")


async def test_a_user_is_not_found_by_id_as_the_page_says(owner: Client) -> None:
    user = await create_user(owner, "ann")
    record = RECORDS["GET /scim/v2/Users/{id}"]
    for reference in (user["id"], "x"):
        scim_refused(await owner.get(f"/scim/v2/Users/{reference}"), record["status"])


@pytest.mark.parametrize("value", [False, "False"])
async def test_a_user_is_suspended_by_either_body(owner: Client, value: object) -> None:
    for number, body in enumerate(({"active": value}, operations({"op": "replace", "path": "active", "value": value}))):
        user = await create_user(owner, f"u{number}")
        answer = documented(PATCH, await owner.patch(f"/scim/v2/Users/{user['id']}", json=body))
        assert answer["status"] == "suspended"


async def test_a_body_that_says_nothing_suspends_nobody(owner: Client) -> None:
    user = await create_user(owner, "ann")
    answer = await owner.patch(f"/scim/v2/Users/{user['id']}", json={"userName": "ann"})
    scim_refused(answer, 400, "invalidValue")
    assert checked(await owner.get(f"/users/{user['id']}"))["status"] == "active"


async def test_an_unknown_user_is_not_found(owner: Client) -> None:
    scim_refused(await owner.patch("/scim/v2/Users/x", json={"active": False}), 404)


async def test_nobody_suspends_themselves(user_admin: Client) -> None:
    answer = await user_admin.patch(f"/scim/v2/Users/{user_admin.user_id}", json={"active": False})
    assert "yourself" in scim_refused(answer, 400, "invalidValue")


async def test_a_user_admin_may_do_it_too(user_admin: Client) -> None:
    body = documented(CREATE, await user_admin.post("/scim/v2/Users", json=person()))
    documented(PATCH, await user_admin.patch(f"/scim/v2/Users/{body['id']}", json={"active": False}))


@pytest.mark.parametrize("role", ["template-admin", "auditor"])
async def test_other_roles_may_not(people: People, role: str) -> None:
    client = await people.with_roles(role)
    scim_refused(await client.get("/scim/v2/Users"), 403)
    scim_refused(await client.post("/scim/v2/Users", json=person()), 403)
    scim_refused(await client.patch(f"/scim/v2/Users/{client.user_id}", json={"active": False}), 403)


async def test_the_identity_providers_key_opens_it(nobody: Client) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    documented(CREATE, await nobody.post("/scim/v2/Users", json=person(), headers=headers))
    scim_refused(await nobody.get("/scim/v2/Users", headers={"Authorization": f"Bearer {KEY}x"}), 401)


async def test_a_change_is_noted_as_its_senders(owner: Client, database: Database) -> None:
    user = await create_user(owner, "ann")
    await owner.patch(f"/scim/v2/Users/{user['id']}", json={"active": False})
    statement = audit_log.select().where(audit_log.c.resource_id == user["id"]).order_by(audit_log.c.id)
    noted = await database.read(lambda connection: connection.execute(statement).mappings().all())
    assert [str(row["user_id"]) for row in noted] == [owner.user_id] * 2


async def test_the_sdk_reads_its_own_fields(owner: Client, services: Services) -> None:
    user = await create_user(owner, "ann")
    app = create_app(altered(services, profile=Profile.CODERSDK))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=str(owner.base_url), headers=owner.headers
    ) as client:
        answer = await client.patch(f"/scim/v2/Users/{user['id']}", json={"active": True})
    assert (answer.status_code, answer.json()["status"]) == (200, "dormant")
    assert {"name", "updated_at"} <= set(answer.json())

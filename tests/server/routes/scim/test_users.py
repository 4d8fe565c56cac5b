"""/scim/v2/Users: what an identity provider may do with people, and what becomes of them in Coder."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx2
import pytest

from coder_enterprise.server.services import accounts
from coder_enterprise.server.services.scim_filters import candidates
from coder_enterprise.server.services.scim_resources import MAX_TERMS, parse_search
from coder_enterprise.server.storage import scim as storage
from coder_enterprise.server.storage import users
from coder_enterprise.server.storage.database import Connection, Database
from coder_enterprise.server.storage.schema import audit_log
from tests.server.routes.scim.conftest import made, operations, person, scim_refused
from tests.support.api import OWNER, Body, Client, People, checked, create_user

SUSPEND: list[Body] = [
    operations({"op": "replace", "path": "active", "value": False}),
    operations({"op": "Replace", "path": "active", "value": "False"}),
    operations({"op": "replace", "value": {"active": False}}),
    operations({"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": False}),
    operations({"op": "add", "path": "title", "value": "ignored"}, {"op": "replace", "path": "Active", "value": False}),
    {"active": False},
    {**person(), "active": False},
    {**operations({"op": "replace", "path": "active", "value": False}), "active": False},
    {**operations({"op": "replace", "path": "displayName", "value": "Ann"}), "active": False},
]
"""Each of them suspends."""


async def coder_user(owner: Client, made: Body) -> Body:
    return checked(await owner.get(f"/users/{made['id']}"))


async def status(database: Database, made: Body) -> str:
    """In Coder."""
    row = await database.read(lambda connection: users.get(connection, UUID(made["id"])))
    assert row is not None
    return row.status


async def found(scim: httpx2.AsyncClient, **params: Any) -> list[str]:
    answer = await scim.get("/Users", params=params)
    assert answer.status_code == 200, answer.text
    return [user["userName"] for user in answer.json()["Resources"]]


async def test_a_created_user_is_answered_with_201_and_its_address(scim: httpx2.AsyncClient) -> None:
    answer = await scim.post("/Users", json=person(externalId="00u1", name={"givenName": "Ann", "familyName": "Bell"}))
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/scim+json")
    body = answer.json()
    location = body["meta"]["location"]
    assert answer.headers["Location"] == location == f"http://coder.test/scim/v2/Users/{body['id']}"
    assert {name: body[name] for name in ("userName", "externalId", "name", "displayName", "emails", "active")} == {
        "userName": "ann@example.com",
        "externalId": "00u1",
        "name": {"givenName": "Ann", "familyName": "Bell"},
        "displayName": "Ann Bell",
        "emails": [{"value": "ann@example.com", "type": "work", "primary": True}],
        "active": True,
    }
    assert (await scim.get(location)).json() == body


async def test_a_created_user_is_dormant_in_the_default_organization_and_logs_in_elsewhere(
    scim: httpx2.AsyncClient, database: Database, owner: Client
) -> None:
    user = await made(scim, displayName="Ann")
    shown = await coder_user(owner, user)
    organization = checked(await owner.get("/organizations/default"))["id"]
    assert (shown["username"], shown["email"], shown["login_type"]) == ("ann", "ann@example.com", "oidc")
    assert shown["organization_ids"] == [organization]
    assert await status(database, user) == "dormant"


async def test_who_is_created_inactive_is_suspended(scim: httpx2.AsyncClient, database: Database) -> None:
    assert await status(database, await made(scim, active=False)) == "suspended"


async def test_a_user_who_has_only_an_address_for_a_name_is_active_and_has_that_address(
    scim: httpx2.AsyncClient,
) -> None:
    answer = await scim.post("/Users", json={"userName": "ann@example.com"})
    assert answer.status_code == 201
    assert answer.json()["active"] is True
    assert answer.json()["emails"] == [{"value": "ann@example.com", "type": "work", "primary": True}]


@pytest.mark.parametrize(
    ("user_name", "username"),
    [
        ("ann", "ann"),
        ("ann.bell@example.com", "annbell"),
        ("a@b@example.com", "ab"),
        ("-ann--b-@example.com", "ann-b"),
        ("x" * 40, "x" * 32),
        ("Ann", "Ann"),
    ],
)
async def test_a_username_is_made_of_the_name(
    scim: httpx2.AsyncClient, owner: Client, user_name: str, username: str
) -> None:
    user = await made(scim, user_name, emails=[{"value": "ann@example.com"}])
    assert (await coder_user(owner, user))["username"] == username
    assert user["userName"] == user_name


async def test_a_name_without_a_letter_that_counts_gets_a_username_made_up(
    scim: httpx2.AsyncClient, owner: Client
) -> None:
    user = await made(scim, "ä@example.com", emails=[{"value": "a@example.com"}])
    assert (await coder_user(owner, user))["username"].startswith("user-")


async def test_usernames_that_clash_get_a_number(scim: httpx2.AsyncClient, owner: Client) -> None:
    people = [await made(scim, f"{'x' * 32}@{n}.example.com") for n in range(12)]
    usernames = [(await coder_user(owner, user))["username"] for user in people]
    assert usernames[:3] == ["x" * 32, f"{'x' * 30}-2", f"{'x' * 30}-3"]
    assert len(set(usernames)) == 12
    assert max(map(len, usernames)) <= 32


@pytest.mark.parametrize(
    "taken",
    [
        person("ann@example.com"),
        person("ANN@EXAMPLE.COM", emails=[{"value": "b@example.com"}]),
        person("other", emails=[{"value": "Ann@Example.com"}]),
        person(OWNER, emails=[{"value": "b@example.com"}]),
    ],
    ids=["the same", "userName", "e-mail", "username"],
)
async def test_who_is_there_already_is_not_created_again(scim: httpx2.AsyncClient, owner: Client, taken: Body) -> None:
    await made(scim)
    scim_refused(await scim.post("/Users", json=taken), 409, "uniqueness")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"userName": "ann"}, "emails"),
        (person(emails=[]) | {"userName": "ann"}, "emails"),
        (person(emails=[{"value": ""}]), "emails"),
        (person(emails=[{"type": "work"}]), "emails"),
        (person(emails=[{"value": "no address"}]), "email"),
        (person(emails=[{"value": f"{n}@example.com"} for n in range(21)]), "20"),
        (person(emails=[{"value": "a@example.com", "type": "x" * 300}]), "emails.type"),
        ({"emails": [{"value": "a@example.com"}]}, "userName"),
        (person("x" * 255, emails=[{"value": "a@example.com"}]), "userName"),
        (person("a\0b", emails=[{"value": "a@example.com"}]), "userName"),
        (person(externalId="a\nb"), "externalId"),
        (person(active="perhaps"), "active"),
        (person(name={"givenName": "x\0"}), "name"),
        (person(displayName="x" * 129), "name"),
        (person(name="Ann"), "name"),
        (person(userName=5), "userName"),
    ],
)
async def test_a_user_that_cannot_be_is_refused_by_the_name_of_what_is_wrong(
    scim: httpx2.AsyncClient, body: Body, word: str
) -> None:
    assert word in scim_refused(await scim.post("/Users", json=body), 400, "invalidValue")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b'{"userName": NaN}', b"\xff", b'{"name":' * 2000, b"1" * 5000],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/Users"), ("POST", "/.search"), ("PATCH", "/Users/x")])
async def test_what_is_no_json_object_is_refused(scim: httpx2.AsyncClient, method: str, path: str, body: bytes) -> None:
    scim_refused(await scim.request(method, path, content=body), 400, "invalidSyntax")


@pytest.mark.parametrize("text", [r'"\ud800"', r'"a\u0000"'])
@pytest.mark.parametrize("field", ["userName", "externalId", "displayName", "unknown"])
async def test_text_that_no_database_keeps_never_is_a_fault_of_the_server(
    scim: httpx2.AsyncClient, field: str, text: str
) -> None:
    body = f'{{"userName": "ann", "emails": [{{"value": "a@example.com"}}], "{field}": {text}}}'
    answer = await scim.post("/Users", content=body.encode())
    assert answer.status_code == (201 if field == "unknown" else 400)


@pytest.mark.parametrize(
    "operation",
    [
        r'{"op": "\ud800", "path": "active", "value": true}',
        r'{"op": "replace", "path": "\ud800", "value": true}',
        r'{"op": "replace", "path": "active", "value": "\ud800"}',
        r'{"op": "replace", "value": {"\ud800": 1}}',
        r'{"op": "replace", "path": "emails[value eq \"\ud800\"].value", "value": "\ud800@example.com"}',
        r'{"op": "replace", "path": "externalId", "value": "\ud800"}',
        r'{"op": "replace", "path": "displayName", "value": "\u0000"}',
        r'{"op": "replace", "path": "name", "value": {"givenName": "\ud800"}}',
    ],
)
async def test_an_operation_with_half_a_character_never_is_a_fault_of_the_server(
    scim: httpx2.AsyncClient, operation: str
) -> None:
    user = await made(scim)
    answer = await scim.patch(f"/Users/{user['id']}", content=f'{{"Operations": [{operation}]}}'.encode())
    assert answer.status_code in {200, 400}
    assert (await scim.get(f"/Users/{user['id']}")).json() == user


@pytest.mark.parametrize("query", [r"\ud800", r"userName eq \"\ud800\"", r"\ud800 pr", r"userName eq \"\u0000\""])
async def test_a_filter_with_half_a_character_never_is_a_fault_of_the_server(
    scim: httpx2.AsyncClient, query: str
) -> None:
    answer = await scim.post("/Users/.search", content=f'{{"filter": "{query}"}}'.encode())
    assert answer.status_code in {200, 400}


@pytest.mark.parametrize("depth", [50, 400, 900])
async def test_deep_bodies_never_are_a_fault_of_the_server(scim: httpx2.AsyncClient, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    body = f'{{"userName": "ann", "emails": [{{"value": "a@example.com"}}], "name": {nested}, "b": {nested}}}'
    assert (await scim.post("/Users", content=body.encode())).status_code in {201, 400}
    patch = f'{{"Operations": [{{"op": "replace", "path": "name", "value": {nested}}}]}}'
    assert (await scim.patch("/Users/x", content=patch.encode())).status_code in {400, 404}


async def test_a_body_that_is_too_large_is_refused(scim: httpx2.AsyncClient) -> None:
    scim_refused(await scim.post("/Users", content=b" " * (1024 * 1024 + 1)), 413)


@pytest.mark.parametrize("body", [person(title="Dr", photos=[{"value": "x"}]), {**person(), "x:y": {"z": 1}}])
async def test_attributes_that_coder_does_not_have_are_dropped(scim: httpx2.AsyncClient, body: Body) -> None:
    answer = await scim.post("/Users", json=body)
    assert answer.status_code == 201
    assert set(answer.json()) == {"schemas", "id", "meta", "userName", "emails", "active"}


@pytest.mark.parametrize("user", ["x", "..", "%2e%2e%2fServiceProviderConfig", "0" * 40, "' or 1=1 --", "%ff"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_an_unknown_user_is_not_found(scim: httpx2.AsyncClient, method: str, user: str) -> None:
    url = f"http://coder.test/scim/v2/Users/{user}" if user != ".." else "/Users/%2e%2e"
    body = None if method in {"GET", "DELETE"} else {**person(), "active": False}
    answer = await scim.request(method, url, json=body)
    assert answer.status_code in {404, 405}
    scim_refused(answer, answer.status_code)


async def test_a_user_of_coder_is_shown_with_the_username(scim: httpx2.AsyncClient, owner: Client) -> None:
    user = await create_user(owner, "bob")
    body = (await scim.get(f"/Users/{user['id']}")).json()
    assert (body["userName"], body["active"]) == ("bob", True)
    assert body["emails"] == [{"value": "bob@example.com", "type": "work", "primary": True}]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('userName eq "ANN@example.com"', ["ann@example.com"]),
        ('userName eq "ann"', []),
        ('userName eq "olivia"', ["olivia"]),
        ('username EQ "ann@example.com" and active eq true', ["ann@example.com"]),
        ('userName eq "ann@example.com" and active eq false', []),
        ("active eq false", ["cid@example.com"]),
        ('externalId eq "00uB"', ["bob@example.com"]),
        ('externalId eq "00ub"', []),
        ("externalId pr", ["bob@example.com"]),
        ('emails.value eq "Bob@example.com"', ["bob@example.com"]),
        ('emails[type eq "work" and value sw "bob"]', ["bob@example.com"]),
        ('emails co "d@example.com" and not (userName co "b")', ["cid@example.com"]),
        ('userName sw "ann" or userName sw "cid"', ["ann@example.com", "cid@example.com"]),
        ('displayName eq "Bob"', ["bob@example.com"]),
        ('meta.created gt "2020-01-01T00:00:00Z" and userName ew "com"', None),
        ('id eq "0"', []),
        ('userName eq "\\u0000"', []),
        ('userName eq "\u212aim"', []),
        ("userName eq \"x' or '1'='1\"", []),
        ('userName co "%"', []),
        ('userName eq "../../etc/passwd"', []),
    ],
)
async def test_filters_find_what_they_say(
    scim: httpx2.AsyncClient, owner: Client, query: str, expected: list[str] | None
) -> None:
    await made(scim, "ann@example.com")
    await made(scim, "bob@example.com", externalId="00uB", displayName="Bob")
    await made(scim, "cid@example.com", active=False)
    everybody = ["ann@example.com", "bob@example.com", "cid@example.com"]
    assert await found(scim, filter=query) == (everybody if expected is None else expected)
    answer = await scim.post("/Users/.search", json={"filter": query})
    assert answer.json()["totalResults"] == len(everybody if expected is None else expected)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "userName",
        'userName eq "x',
        'userName = "x"',
        "1=1; drop table users",
        "' or 1=1 --",
        'nothing eq "x"',
        'password sw "a"',
        "active gt true",
        "(" * 4000,
        "userName pr" + " and userName pr" * 1000,
        'emails[type eq "work"',
    ],
)
async def test_a_filter_that_cannot_be_read_is_refused(scim: httpx2.AsyncClient, query: str) -> None:
    answer = await scim.get("/Users", params={"filter": query})
    scim_refused(answer, 400, answer.json()["scimType"])
    assert answer.json()["scimType"] in {"invalidFilter", "invalidValue"}


async def many(database: Database, count: int) -> None:
    def work(connection: Connection) -> None:
        for number in range(count):
            name = f"u{number:04}"
            users.create(connection, accounts.new_user(name, f"{name}@example.com", "", "", "oidc", []))

    await database.write(work)


async def test_pages_hold_everybody_once(scim: httpx2.AsyncClient, database: Database) -> None:
    await many(database, 1500)
    seen: list[str] = []
    for start in range(1, 1501, 400):
        seen += await found(scim, startIndex=start, count=400)
    assert seen == [f"u{number:04}" for number in range(1500)]
    page = (await scim.get("/Users", params={"filter": 'userName co "5"', "startIndex": 11, "count": 10})).json()
    expected = [name for name in seen if "5" in name]
    assert [user["userName"] for user in page["Resources"]] == expected[10:20]
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (len(expected), 11, 10)


@pytest.mark.parametrize(
    ("params", "length", "start"),
    [
        ({}, 100, 1),
        ({"count": 0}, 0, 1),
        ({"count": -5}, 0, 1),
        ({"count": 10**30}, 1000, 1),
        ({"startIndex": -3, "count": 2}, 2, 1),
        ({"startIndex": 1200}, 1, 1200),
        ({"startIndex": 10**30}, 0, 10**30),
        ({"sortBy": "userName", "sortOrder": "descending", "count": 1}, 1, 1),
    ],
)
async def test_a_page_has_bounds(
    scim: httpx2.AsyncClient, database: Database, params: dict[str, Any], length: int, start: int
) -> None:
    await many(database, 1200)
    body = (await scim.get("/Users", params=params)).json()
    assert (len(body["Resources"]), body["itemsPerPage"], body["startIndex"]) == (length, length, start)
    assert body["totalResults"] == 1200


@pytest.mark.parametrize(
    "params", [{"startIndex": "x"}, {"count": "1.5"}, {"attributes": "a", "excludedAttributes": "b"}]
)
async def test_parameters_that_cannot_be_read_are_refused(scim: httpx2.AsyncClient, params: dict[str, Any]) -> None:
    scim_refused(await scim.get("/Users", params=params), 400, "invalidValue")


@pytest.mark.parametrize("query", ['userName eq "u0007"', 'active eq true and externalId eq "7"', 'id eq "7"'])
async def test_a_lookup_reads_few_users(database: Database, query: str) -> None:
    await many(database, 50)
    which = parse_search({"filter": query}).filter
    assert which is not None
    ast = which.ast
    assert len(await database.read(lambda connection: candidates(connection, ast))) <= 1


async def test_only_the_attributes_that_are_asked_for_are_shown(scim: httpx2.AsyncClient) -> None:
    user = await made(scim)
    one = (await scim.get(f"/Users/{user['id']}", params={"attributes": "emails.value"})).json()
    assert set(one) == {"schemas", "id", "emails"}
    assert one["emails"] == [{"value": "ann@example.com"}]
    listed = (await scim.get("/Users", params={"excludedAttributes": "emails,meta"})).json()["Resources"][0]
    assert set(listed) == {"schemas", "id", "userName", "active"}


@pytest.mark.parametrize("body", SUSPEND)
async def test_every_way_to_say_it_suspends(scim: httpx2.AsyncClient, database: Database, body: Body) -> None:
    user = await made(scim)
    answer = await scim.patch(f"/Users/{user['id']}", json=body)
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert await status(database, user) == "suspended"
    # The same words with true bring the user back.
    text = answer.request.content.decode().replace('"False"', '"True"').replace("false", "true")
    assert (await scim.patch(f"/Users/{user['id']}", content=text.encode())).json()["active"] is True
    assert await status(database, user) == "dormant"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "invalidValue"),
        ({"active": None}, "invalidValue"),
        ({"userName": "ann@example.com"}, "invalidValue"),
        ({"active": "perhaps"}, "invalidValue"),
        (operations(), "invalidValue"),
        ({"Operations": "x"}, "invalidValue"),
        ({"Operations": [1]}, "invalidValue"),
        (operations({"op": "grow", "path": "active", "value": True}), "invalidValue"),
        (operations({"op": "replace", "path": "active", "value": "perhaps"}), "invalidValue"),
        (operations({"op": "replace", "path": "active"}), "invalidValue"),
        (operations({"op": "replace", "path": "active[", "value": True}), "invalidPath"),
        (operations({"op": "remove"}), "noTarget"),
        (operations({"op": "remove", "path": "active"}), "mutability"),
        (operations({"op": "remove", "path": "emails"}), "mutability"),
        (operations({"op": "replace", "path": "id", "value": "x"}), "mutability"),
        (operations({"op": "replace", "path": "emails", "value": [{"value": "no address"}]}), "invalidValue"),
    ],
)
async def test_a_patch_that_cannot_be_is_refused_and_changes_nothing(
    scim: httpx2.AsyncClient, body: Body, kind: str
) -> None:
    user = await made(scim)
    scim_refused(await scim.patch(f"/Users/{user['id']}", json=body), 400, kind)
    assert (await scim.get(f"/Users/{user['id']}")).json() == user


async def test_a_patch_whose_last_operation_fails_changes_nothing(scim: httpx2.AsyncClient) -> None:
    user = await made(scim)
    body = operations(
        {"op": "replace", "path": "displayName", "value": "Ann"}, {"op": "replace", "path": "emails", "value": "bob"}
    )
    scim_refused(await scim.patch(f"/Users/{user['id']}", json=body), 400, "invalidValue")
    assert (await scim.get(f"/Users/{user['id']}")).json() == user


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"},
        {"op": "replace", "path": "emails", "value": [{"value": "new@example.com", "type": "work"}]},
        {"op": "replace", "value": {"emails": [{"value": "new@example.com"}]}},
        {"op": "add", "path": "emails", "value": [{"value": "new@example.com", "primary": True}]},
    ],
)
async def test_a_new_address_is_coders_too(scim: httpx2.AsyncClient, owner: Client, operation: Body) -> None:
    user = await made(scim)
    assert (await scim.patch(f"/Users/{user['id']}", json=operations(operation))).status_code == 200
    assert (await coder_user(owner, user))["email"] == "new@example.com"
    assert await found(scim, filter='emails.value eq "new@example.com"') == ["ann@example.com"]
    assert (await scim.post("/Users", json=person("new@example.com"))).status_code == 409


async def test_an_address_that_somebody_else_has_is_refused(scim: httpx2.AsyncClient) -> None:
    await made(scim, "bob@example.com")
    user = await made(scim)
    body = operations({"op": "replace", "path": "emails", "value": [{"value": "Bob@example.com"}]})
    scim_refused(await scim.patch(f"/Users/{user['id']}", json=body), 409, "uniqueness")
    answer = await scim.put(f"/Users/{user['id']}", json=person(emails=[{"value": "bob@example.com"}]))
    scim_refused(answer, 409, "uniqueness")


async def test_all_addresses_are_kept_and_the_primary_one_is_coders(scim: httpx2.AsyncClient, owner: Client) -> None:
    emails = [
        {"value": "home@example.com", "type": "home"},
        {"value": "w@example.com", "type": "work", "primary": True},
    ]
    user = await made(scim, emails=emails)
    assert user["emails"] == emails
    assert (await coder_user(owner, user))["email"] == "w@example.com"


async def test_the_name_follows_its_parts_until_it_is_set(scim: httpx2.AsyncClient) -> None:
    user = await made(scim, name={"givenName": "Ann", "familyName": "Bell"})
    url = f"/Users/{user['id']}"
    answer = await scim.patch(url, json=operations({"op": "replace", "path": "name.familyName", "value": "Cole"}))
    assert answer.json()["displayName"] == "Ann Cole"
    answer = await scim.patch(url, json=operations({"op": "replace", "path": "displayName", "value": "Annie"}))
    assert answer.json()["displayName"] == "Annie"
    answer = await scim.patch(url, json=operations({"op": "replace", "path": "externalId", "value": "1"}))
    assert answer.json()["displayName"] == "Annie"


async def test_an_active_user_stays_active(scim: httpx2.AsyncClient, people: People, database: Database) -> None:
    member = await people.with_roles()
    checked(await member.get("/users/me"))
    for body in ({"active": True}, operations({"op": "replace", "path": "active", "value": True})):
        assert (await scim.patch(f"/Users/{member.user_id}", json=body)).status_code == 200
    assert await status(database, {"id": member.user_id}) == "active"


async def test_who_is_suspended_is_signed_out_at_once(scim: httpx2.AsyncClient, people: People) -> None:
    member = await people.with_roles()
    checked(await member.get("/users/me"))
    assert (await scim.patch(f"/Users/{member.user_id}", json=SUSPEND[1])).status_code == 200
    assert (await member.get("/users/me")).status_code == 401


async def test_who_is_deleted_is_signed_out_at_once(scim: httpx2.AsyncClient, people: People) -> None:
    member = await people.with_roles()
    checked(await member.get("/users/me"))
    assert (await scim.delete(f"/Users/{member.user_id}")).status_code == 204
    assert (await member.get("/users/me")).status_code == 401


async def test_an_owner_is_neither_suspended_nor_deleted(scim: httpx2.AsyncClient, owner: Client) -> None:
    url = f"/Users/{owner.user_id}"
    shown = (await scim.get(url)).json()
    for answer in (
        await scim.patch(url, json={"active": False}),
        await scim.put(url, json={**shown, "active": False}),
        await scim.delete(url),
    ):
        assert "powers" in scim_refused(answer, 403)
    assert (await owner.get("/users/me")).status_code == 200


async def test_an_owner_is_not_the_identity_providers_to_change(scim: httpx2.AsyncClient, owner: Client) -> None:
    url = f"/Users/{owner.user_id}"
    shown = (await scim.get(url)).json()
    scim_refused(await scim.put(url, json={**shown, "emails": [{"value": "evil@example.com"}]}), 403)
    scim_refused(await scim.put(url, json={**shown, "displayName": "Eve"}), 403)
    assert (await scim.put(url, json={**shown, "externalId": "7"})).json()["externalId"] == "7"


async def test_a_replaced_user_is_what_was_sent(scim: httpx2.AsyncClient, owner: Client) -> None:
    user = await made(scim, externalId="1", displayName="Ann", name={"givenName": "Ann"})
    answer = await scim.put(f"/Users/{user['id']}", json=person("ANN@example.com", active=False))
    assert answer.status_code == 200
    assert (answer.json()["userName"], answer.json()["active"]) == ("ANN@example.com", False)
    assert not {"externalId", "displayName", "name"} & set(answer.json())


@pytest.mark.parametrize("field", ["active", "emails", "userName"])
async def test_a_user_is_not_replaced_without_what_matters(scim: httpx2.AsyncClient, field: str) -> None:
    user = await made(scim, active=False)
    body = {name: value for name, value in person().items() if name != field}
    assert field in scim_refused(await scim.put(f"/Users/{user['id']}", json=body), 400, "invalidValue")


async def test_a_deleted_user_is_gone_from_scim_and_suspended_in_coder(
    scim: httpx2.AsyncClient, database: Database
) -> None:
    user = await made(scim)
    url = f"/Users/{user['id']}"
    answer = await scim.delete(url)
    assert (answer.status_code, answer.content) == (204, b"")
    for gone in (await scim.get(url), await scim.delete(url), await scim.patch(url, json={"active": True})):
        scim_refused(gone, 404)
    for params in ({}, {"filter": 'userName eq "ann@example.com"'}, {"filter": "active pr"}):
        assert "ann@example.com" not in await found(scim, **params)
    assert await status(database, user) == "suspended"


async def test_who_was_deleted_comes_back_when_created_again(scim: httpx2.AsyncClient, database: Database) -> None:
    user = await made(scim)
    await scim.delete(f"/Users/{user['id']}")
    again = await made(scim, externalId="2")
    assert (again["id"], again["externalId"], again["active"]) == (user["id"], "2", True)
    assert await status(database, user) == "dormant"


async def test_who_was_deleted_comes_back_when_activated_in_coder(scim: httpx2.AsyncClient, owner: Client) -> None:
    user = await made(scim)
    await scim.delete(f"/Users/{user['id']}")
    checked(await owner.put(f"/users/{user['id']}/status/activate"))
    assert (await scim.get(f"/Users/{user['id']}")).json()["active"] is True
    assert "ann@example.com" in await found(scim)


async def test_a_user_that_coder_deleted_is_gone_and_its_name_is_free(scim: httpx2.AsyncClient, owner: Client) -> None:
    user = await made(scim)
    checked(await owner.delete(f"/users/{user['id']}"))
    scim_refused(await scim.get(f"/Users/{user['id']}"), 404)
    assert (await made(scim))["id"] != user["id"]


async def test_every_change_is_noted_as_nobodys(scim: httpx2.AsyncClient, database: Database) -> None:
    user = await made(scim)
    url = f"/Users/{user['id']}"
    await scim.patch(url, json={"active": False})
    await scim.patch(url, json={"active": False})
    await scim.patch(url, json=operations({"op": "replace", "path": "externalId", "value": "7"}))
    await scim.delete(url)

    def notes(connection: Connection) -> list[tuple[Any, ...]]:
        rows = connection.execute(audit_log.select().order_by(audit_log.c.id)).mappings()
        return [(row["user_id"], row["action"], row["after"]) for row in rows if row["resource_id"] == user["id"]]

    noted = await database.read(notes)
    assert [(actor, action) for actor, action, _ in noted] == [(None, "create"), *[(None, "write")] * 3]
    assert noted[1][2]["status"] == "suspended"
    assert noted[2][2]["external_id"] == "7"
    assert noted[3][2]["removed"] is True


async def test_a_filter_of_many_terms_is_refused(scim: httpx2.AsyncClient) -> None:
    """Each may be tried on everybody."""
    query = " or ".join('userName co "x"' for _ in range(MAX_TERMS + 1))
    assert "10 terms" in scim_refused(await scim.get("/Users", params={"filter": query}), 400, "invalidValue")


@pytest.mark.parametrize("address", ["second@example.com", "SECOND@example.com"])
async def test_any_address_of_a_person_finds_them_without_a_look_at_everybody(
    scim: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    emails = [{"value": "ann@example.com", "primary": True}, {"value": "second@example.com"}]
    await made(scim, "ann@example.com", emails=emails)
    monkeypatch.setattr(storage, "everybody", None)
    assert await found(scim, filter=f'emails.value eq "{address}"') == ["ann@example.com"]
    assert await found(scim, filter=f'emails[value eq "{address}x"] and active eq true and emails eq "none"') == []

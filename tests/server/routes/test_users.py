"""Users: who sees whom, and what is refused when one is made or changed."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from coder_enterprise.server.access import ROLE_NAMES
from tests.support.api import OWNER, PASSWORD, UNKNOWN_ID, Body, Client, People, checked, create_user, refused

NEW: Body = {"username": "ann", "email": "ann@example.com", "password": PASSWORD}
NIL = str(UUID(int=0))


async def usernames(client: Client, **params: Any) -> list[str]:
    return [user["username"] for user in checked(await client.get("/users", params=params))["users"]]


async def test_a_user_has_all_documented_fields(owner: Client) -> None:
    assert set(await create_user(owner, "ann")) == {
        "id",
        "username",
        "email",
        "created_at",
        "last_seen_at",
        "status",
        "login_type",
        "organization_ids",
        "roles",
        "avatar_url",
    }


async def test_a_new_user_is_dormant_a_member_and_in_the_default_organization(owner: Client) -> None:
    answer = await owner.post("/users", json=NEW)
    assert answer.status_code == 201
    made = checked(answer)
    organization = checked(await owner.get("/organizations/default"))["id"]
    assert (made["roles"], made["login_type"]) == ([], "password")
    assert await usernames(owner, q="status:dormant") == ["ann"]
    assert made["organization_ids"] == [organization]
    assert made["last_seen_at"] == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize("reference", ["default", NIL, "coder", "CODER"])
@pytest.mark.parametrize("field", ["organization_id", "organization_ids"])
async def test_the_organization_may_be_named_in_each_way(owner: Client, field: str, reference: str) -> None:
    value: Any = reference if field == "organization_id" else [reference, reference]
    assert len((await create_user(owner, "ann", **{field: value}))["organization_ids"]) == 1


@pytest.mark.parametrize("login_type", ["none", "github", "oidc"])
async def test_a_user_who_logs_in_elsewhere_needs_no_password(owner: Client, login_type: str) -> None:
    assert (await create_user(owner, "ann", login_type=login_type))["login_type"] == login_type


@pytest.mark.parametrize("username", ["a", "A1", "ann-b-c", "0" * 31])
async def test_a_username_of_the_form_is_accepted(owner: Client, username: str) -> None:
    assert (await create_user(owner, username))["username"] == username


@pytest.mark.parametrize("username", ["", "a" * 33, "a b", "-a", "a-", "a--b", "a_b", "a.b", "é", "a/b", "a\n", "<b>"])
async def test_any_other_username_is_refused(owner: Client, username: str) -> None:
    body = {"username": username, "email": "a@example.com", "login_type": "none"}
    refused(await owner.post("/users", json=body), 400, "username")


@pytest.mark.parametrize(
    "email", ["", "ann", "@example.com", "ann@", "a b@example.com", "a@b@c", "a@b\n", "a" * 250 + "@b.de"]
)
async def test_what_is_no_email_is_refused(owner: Client, email: str) -> None:
    refused(await owner.post("/users", json=NEW | {"email": email}), 400, "email")


async def test_a_long_text_that_is_no_email_is_refused_in_no_time(owner: Client) -> None:
    before = time.process_time()
    refused(await owner.post("/users", json=NEW | {"email": f"a@{'b' * 60_000}@"}), 400, "email")
    assert time.process_time() - before < 2


@pytest.mark.parametrize("password", ["", "short", "a" * 64, "password", PASSWORD * 4])
async def test_a_weak_or_endless_password_is_refused(owner: Client, password: str) -> None:
    refused(await owner.post("/users", json=NEW | {"password": password}), 400, "password")


@pytest.mark.parametrize("login_type", ["none", "github", "oidc"])
async def test_a_password_for_a_user_who_has_none_is_refused(owner: Client, login_type: str) -> None:
    refused(await owner.post("/users", json=NEW | {"login_type": login_type}), 400, "password")


@pytest.mark.parametrize("login_type", ["token", "Password", "x"])
async def test_an_unknown_login_type_is_refused_and_nobody_is_made(owner: Client, login_type: str) -> None:
    refused(await owner.post("/users", json=NEW | {"login_type": login_type}), 400, "login_type")
    assert await usernames(owner) == [OWNER]


async def test_every_broken_rule_is_named_at_once(owner: Client) -> None:
    refused(await owner.post("/users", json={"username": "", "email": ""}), 400, "email", "password", "username")


async def test_an_unknown_organization_is_not_found_and_nobody_is_made(owner: Client) -> None:
    for reference in ("unknown", str(uuid4()), ""):
        refused(await owner.post("/users", json=NEW | {"organization_ids": ["default", reference]}), 404)
    assert await usernames(owner) == [OWNER]


@pytest.mark.parametrize(
    "change", [{"email": "other@example.com", "username": "ANN"}, {"email": "ANN@EXAMPLE.COM", "username": "other"}]
)
async def test_a_username_or_email_that_is_taken_is_a_conflict_in_either_case(owner: Client, change: Body) -> None:
    await create_user(owner, "ann")
    refused(await owner.post("/users", json=NEW | change), 409)
    assert await usernames(owner) == ["ann", OWNER]


async def test_of_many_equal_users_at_once_one_is_made(owner: Client) -> None:
    answers = await asyncio.gather(*(owner.post("/users", json=NEW) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_only_owners_and_user_admins_make_users(
    user_admin: Client, template_admin: Client, auditor: Client, member: Client
) -> None:
    assert (await user_admin.post("/users", json=NEW)).status_code == 201
    for client in (template_admin, auditor, member):
        refused(await client.post("/users", json=NEW | {"username": "bob", "email": "bob@example.com"}), 403)


@pytest.mark.parametrize("reference", ["me", "ME-is-not-me", "by id", "by name", "BY NAME"])
async def test_a_user_is_named_as_me_by_id_or_by_name_in_any_case(owner: Client, reference: str) -> None:
    made = await create_user(owner, "ME-is-not-me")
    names = {"me": "me", "by id": owner.user_id, "by name": OWNER, "BY NAME": OWNER.upper()}
    seen = checked(await owner.get(f"/users/{names.get(reference, reference)}"))
    assert seen["id"] == (made["id"] if reference == made["username"] else owner.user_id)


@pytest.mark.parametrize("spelling", ["{0}", "urn:uuid:{0}", "{{{0}}}", "URN:UUID:{0}"])
async def test_an_id_may_be_spelled_in_each_way(owner: Client, spelling: str) -> None:
    for text in (owner.user_id, owner.user_id.upper()):
        assert checked(await owner.get(f"/users/{spelling.format(text)}"))["id"] == owner.user_id
    assert checked(await owner.get(f"/users/{owner.user_id.replace('-', '')}"))["id"] == owner.user_id


@pytest.mark.parametrize("reference", ["unknown", UNKNOWN_ID, NIL, f"{OWNER}@example.com", "%20", "0x1"])
async def test_an_unknown_user_is_a_bad_request_that_repeats_the_reference(owner: Client, reference: str) -> None:
    body = refused(await owner.get(f"/users/{reference}"), 400)
    assert reference.replace("%20", " ") in body["detail"]


async def test_a_user_whom_one_may_not_see_looks_like_one_who_is_not_there(owner: Client, member: Client) -> None:
    hidden = refused(await member.get(f"/users/{OWNER}"), 400)
    missing = refused(await member.get("/users/unknown"), 400)
    assert hidden["message"] == missing["message"]
    assert hidden["detail"].replace(OWNER, "unknown") == missing["detail"]


async def test_a_member_sees_only_themselves(member: Client) -> None:
    answer = checked(await member.get("/users"))
    assert [user["id"] for user in answer["users"]] == [member.user_id]
    assert answer["count"] == 1
    for reference in ("me", member.user_id, answer["users"][0]["username"]):
        assert checked(await member.get(f"/users/{reference}"))["id"] == member.user_id


async def test_everybody_with_a_role_sees_all_users(
    owner: Client, user_admin: Client, template_admin: Client, auditor: Client
) -> None:
    for client in (owner, user_admin, template_admin, auditor):
        assert checked(await client.get("/users"))["count"] == 4
        assert checked(await client.get(f"/users/{OWNER}"))["id"] == owner.user_id


async def test_the_list_is_sorted_by_name_whatever_its_case(owner: Client) -> None:
    for name in ("Zoe", "ann", "Bob"):
        await create_user(owner, name)
    assert await usernames(owner) == ["ann", "Bob", OWNER, "Zoe"]


async def test_the_list_has_pages_and_the_count_of_all(owner: Client) -> None:
    for name in ("ann", "bob", "cid"):
        await create_user(owner, name)
    assert await usernames(owner, limit=2) == ["ann", "bob"]
    assert await usernames(owner, limit=2, offset=2) == ["cid", OWNER]
    assert await usernames(owner, limit=0, offset=3) == [OWNER]
    assert checked(await owner.get("/users", params={"limit": 1}))["count"] == 4
    assert await usernames(owner, offset=4) == []


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", ["-1", "x", "1.5", "2147483648", "1" + "0" * 30])
async def test_a_page_that_cannot_be_is_refused_by_field(owner: Client, name: str, value: str) -> None:
    refused(await owner.get("/users", params={name: value}), 400, name)


async def test_the_greatest_page_is_empty(owner: Client) -> None:
    assert await usernames(owner, limit=2**31 - 1, offset=2**31 - 1) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["ann", "a-nna", OWNER]),
        ("nn", ["ann", "a-nna"]),
        ("ANN", ["ann"]),
        ("ann@", ["ann"]),
        ("example.com", ["ann", "a-nna", OWNER]),
        ("status:active", [OWNER]),
        ("status:dormant,active", ["ann", "a-nna", OWNER]),
        ("STATUS:dormant ANN", ["ann"]),
        ("nn status:suspended", []),
        ("%", []),
        ("_", []),
        ("/", []),
        ("'--", []),
    ],
)
async def test_a_query_finds_by_part_of_name_or_email_and_by_status(
    owner: Client, query: str, found: list[str]
) -> None:
    for name in ("ann", "a-nna"):
        await create_user(owner, name)
    answer = checked(await owner.get("/users", params={"q": query}))
    assert {user["username"] for user in answer["users"]} == set(found)
    assert answer["count"] == len(found)


@pytest.mark.parametrize(
    "query", ["two terms", "status:", "status:gone", "status:active,", "unknown:x", "a:b", "x" * 1001]
)
async def test_a_query_that_is_not_understood_is_refused(owner: Client, query: str) -> None:
    refused(await owner.get("/users", params={"q": query}), 400, "q")


async def test_a_suspended_user_is_listed_and_can_be_made_active(user_admin: Client, member: Client) -> None:
    suspended = checked(await user_admin.put(f"/users/{member.user_id}/status/suspend"))
    assert suspended["status"] == "suspended"
    assert await usernames(user_admin, q="status:suspended") == [suspended["username"]]
    assert checked(await user_admin.put(f"/users/{member.user_id}/status/activate"))["status"] == "active"


async def test_suspending_twice_is_no_error(owner: Client, member: Client) -> None:
    first, second = [checked(await owner.put(f"/users/{member.user_id}/status/suspend")) for _ in range(2)]
    assert first == second


async def test_nobody_suspends_or_deletes_themselves(owner: Client, user_admin: Client) -> None:
    for client in (owner, user_admin):
        refused(await client.put("/users/me/status/suspend"), 400)
        refused(await client.delete(f"/users/{client.user_id}"), 403)


async def test_an_owner_cannot_be_suspended(owner: Client, people: People) -> None:
    other = await people.with_roles("owner")
    refused(await owner.put(f"/users/{other.user_id}/status/suspend"), 400)


async def test_a_user_admin_has_no_power_over_an_owner(owner: Client, user_admin: Client) -> None:
    for method, url in (("PUT", "/status/suspend"), ("PUT", "/status/activate"), ("DELETE", "")):
        refused(await user_admin.request(method, f"/users/{owner.user_id}{url}"), 403)


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("PUT", "/users/{}/status/suspend", None),
        ("PUT", "/users/{}/status/activate", None),
        ("PUT", "/users/{}/roles", {"roles": ["owner"]}),
        ("DELETE", "/users/{}", None),
    ],
)
@pytest.mark.parametrize("role", [["template-admin"], ["auditor"], []])
async def test_only_owners_and_user_admins_change_users(
    owner: Client, people: People, role: list[str], method: str, url: str, body: Body | None
) -> None:
    ann = await create_user(owner, "ann")
    client = await people.with_roles(*role)
    refused(await client.request(method, url.format(ann["id"]), json=body), 403)
    refused(await client.request(method, url.format("me"), json=body), 403)
    assert checked(await owner.get("/users/ann")) == ann


@pytest.mark.parametrize("url", ["/users/unknown/status/suspend", f"/users/{UNKNOWN_ID}/status/activate"])
async def test_to_change_an_unknown_user_is_a_bad_request(owner: Client, url: str) -> None:
    refused(await owner.put(url), 400)


async def test_a_deleted_user_is_gone_from_the_list_and_by_name_and_remembered_by_id(owner: Client) -> None:
    ann = await create_user(owner, "ann")
    checked(await owner.delete("/users/ann"))
    assert await usernames(owner) == [OWNER]
    refused(await owner.get("/users/ann"), 400)
    assert checked(await owner.get(f"/users/{ann['id']}"))["username"] == "ann"


async def test_a_deleted_user_cannot_be_changed(owner: Client) -> None:
    ann = await create_user(owner, "ann")
    checked(await owner.delete(f"/users/{ann['id']}"))
    refused(await owner.delete(f"/users/{ann['id']}"), 404)
    refused(await owner.put(f"/users/{ann['id']}/status/activate"), 404)
    refused(await owner.put(f"/users/{ann['id']}/roles", json={"roles": []}), 404)


async def test_the_names_of_a_deleted_user_are_free_again(owner: Client) -> None:
    first = await create_user(owner, "ann")
    checked(await owner.delete("/users/ann"))
    second = await create_user(owner, "ann")
    assert first["id"] != second["id"]
    assert checked(await owner.get("/users/ann"))["id"] == second["id"]


async def test_an_owner_gives_and_takes_roles(owner: Client) -> None:
    ann = await create_user(owner, "ann")
    given = checked(await owner.put("/users/ann/roles", json={"roles": ["user-admin", "auditor", "auditor"]}))
    assert given["roles"] == [
        {"name": "auditor", "display_name": "Auditor"},
        {"name": "user-admin", "display_name": "User Admin"},
    ]
    assert checked(await owner.put("/users/ann/roles", json={"roles": []})) == ann


async def test_a_user_admin_gives_no_roles(user_admin: Client) -> None:
    await create_user(user_admin, "ann")
    refused(await user_admin.put("/users/ann/roles", json={"roles": ["auditor"]}), 403)


@pytest.mark.parametrize("roles", [["member"], ["Owner"], ["owner", "x"], [""]])
async def test_an_unknown_role_is_refused_and_nothing_changes(owner: Client, roles: list[str]) -> None:
    ann = await create_user(owner, "ann")
    refused(await owner.put("/users/ann/roles", json={"roles": roles}), 400, "roles")
    assert checked(await owner.get("/users/ann")) == ann


async def test_nobody_changes_their_own_roles(owner: Client) -> None:
    refused(await owner.put("/users/me/roles", json={"roles": []}), 400)


async def test_two_owners_cannot_take_the_role_from_each_other_at_once(owner: Client, people: People) -> None:
    other = await people.with_roles("owner")
    answers = await asyncio.gather(
        owner.put(f"/users/{other.user_id}/roles", json={"roles": []}),
        other.put(f"/users/{owner.user_id}/roles", json={"roles": []}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 403]


async def test_two_owners_cannot_delete_each_other_at_once(owner: Client, people: People) -> None:
    other = await people.with_roles("owner")
    answers = await asyncio.gather(owner.delete(f"/users/{other.user_id}"), other.delete(f"/users/{owner.user_id}"))
    assert sorted(answer.status_code for answer in answers) == [200, 401]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_moment_that_no_calendar_has_in_utc_is_refused(owner: Client, moment: str) -> None:
    refused(await owner.get("/users", params={"q": f'last_seen_before:"{moment}"'}), 400, "q")


# Words and paths that clients rely on


async def test_an_unknown_user_is_told_in_the_words_that_clients_look_for(owner: Client) -> None:
    answer = await owner.get("/users/nobody")
    refused(answer, 400)
    assert "must be an existing uuid or username" in answer.json()["message"]


async def test_the_ways_to_log_in_are_no_user(nobody: Client) -> None:
    methods = checked(await nobody.get("/users/authmethods"))
    assert methods["password"] == {"enabled": True}
    assert methods["oidc"] == {"enabled": False, "signInText": "", "iconUrl": ""}


async def test_roles_are_no_user_and_say_who_may_assign_them(owner: Client, member: Client) -> None:
    for client, may in ((owner, True), (member, False)):
        roles = (await client.get("/users/roles")).json()
        assert {role["name"]: role["assignable"] for role in roles} == dict.fromkeys(ROLE_NAMES, may)


async def test_examples_are_no_template(member: Client) -> None:
    assert (await member.get("/templates/examples")).json() == []

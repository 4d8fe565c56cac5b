"""What identity providers really send: names of the world, and several wishes in one request."""

from __future__ import annotations

import httpx2
import pytest

from tests.server.routes.scim.conftest import made, operations, person, scim_refused
from tests.server.routes.test_late_bodies import late
from tests.support.api import PASSWORD, Body, Client, People, checked, create_user, refused

NAMES = {
    "persian, with a zero-width non-joiner": "مهدی‌پور",
    "hindi, with a zero-width joiner": "क्‍षमा",
    "japanese, with an ideographic space": "山田　太郎",
    "french, with a no-break space": "Jean\u00a0Dupont",
    "an emoji family": "Ann 👩‍👩‍👧‍👦",
}
UNPRINTABLE = {"control": "Ann\x07", "line": "Ann\u2028Bell", "override": "Ann\u202egro.live", "isolate": "\u2066Ann"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_the_letters_of_the_world_are_taken_at_every_door(
    scim: httpx2.AsyncClient, owner: Client, name: str
) -> None:
    user = await made(scim, displayName=name, name={"familyName": name})
    assert (user["displayName"], user["name"]["familyName"]) == (name, name)
    assert (await scim.patch(f"/Users/{user['id']}", json={"active": False})).json()["active"] is False
    body = {"username": "bob", "email": "bob@example.com", "login_type": "none", "name": name}
    checked(await owner.post("/users", json=body))
    checked(await owner.post("/organizations/default/groups", json={"name": "a", "display_name": name}))


@pytest.mark.parametrize("name", UNPRINTABLE.values(), ids=UNPRINTABLE)
async def test_what_is_not_printable_is_refused_at_every_door(
    scim: httpx2.AsyncClient, owner: Client, name: str
) -> None:
    scim_refused(await scim.post("/Users", json=person(displayName=name)), 400, "invalidValue")
    scim_refused(await scim.post("/Users", json=person(name, emails=[{"value": "a@example.com"}])), 400, "invalidValue")
    body = {"username": "bob", "email": "bob@example.com", "login_type": "none"}
    refused(await owner.post("/users", json=body | {"name": name}), 400, "name")
    refused(await owner.post("/users", json=body | {"email": f"{name}@example.com"}), 400, "email")
    group = {"name": "a", "display_name": name}
    refused(await owner.post("/organizations/default/groups", json=group), 400, "display_name")
    refused(await owner.post("/workspaceproxies", json=group), 400, "display_name")
    refused(await owner.post("/organizations/default/templates", json=group), 400, "display_name")
    refused(await owner.post("/users/me/keys/tokens", json={"token_name": name}), 400, "token_name")


@pytest.mark.parametrize(
    "change",
    [
        operations(
            {"op": "replace", "path": "userName", "value": "new@example.com"},
            {"op": "replace", "path": "active", "value": False},
        ),
        operations({"op": "Replace", "value": {"userName": "new@example.com", "active": "False"}}),
    ],
    ids=["two operations", "one"],
)
async def test_a_rename_and_a_deactivation_in_one_patch_are_both_done(
    scim: httpx2.AsyncClient, owner: Client, change: Body
) -> None:
    user = await made(scim)
    answer = (await scim.patch(f"/Users/{user['id']}", json=change)).json()
    assert (answer["userName"], answer["active"]) == ("new@example.com", False)
    assert checked(await owner.get(f"/users/{user['id']}"))["username"] == "ann"  # it is made once


async def test_a_rename_and_a_deactivation_in_one_put_are_both_done(scim: httpx2.AsyncClient) -> None:
    user = await made(scim)
    answer = (await scim.put(f"/Users/{user['id']}", json=person("new@example.com", active=False))).json()
    assert (answer["userName"], answer["active"]) == ("new@example.com", False)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "userName", "value": "bob@example.com"},
        {"op": "replace", "path": "emails", "value": "junk"},
        {"op": "replace", "path": "emails", "value": [{"value": "bob@example.com", "primary": True}]},
        {"op": "replace", "path": "displayName", "value": "Ann\x07"},
        {"op": "replace", "path": "id", "value": "1"},
        {"op": "remove", "path": "userName"},
    ],
    ids=["a name in use", "junk", "an address in use", "unprintable", "an id", "nothing"],
)
async def test_what_cannot_be_changed_does_not_keep_anybody_active(
    scim: httpx2.AsyncClient, owner: Client, operation: Body
) -> None:
    user = await made(scim)
    await made(scim, "bob@example.com")
    url = f"/Users/{user['id']}"
    refused_alone = await scim.patch(url, json=operations(operation))
    assert refused_alone.status_code in (400, 409)
    answer = await scim.patch(url, json=operations(operation, {"op": "replace", "path": "active", "value": False}))
    assert answer.status_code == 200
    assert answer.json() == (await scim.get(url)).json()
    assert (answer.json()["active"], answer.json()["userName"]) == (False, "ann@example.com")
    assert checked(await owner.get(f"/users/{user['id']}"))["email"] == "ann@example.com"


@pytest.mark.parametrize(
    "body", [person("bob@example.com", active=False), {"active": False}, person(active=False, displayName="x" * 300)]
)
async def test_a_put_that_cannot_be_done_deactivates_all_the_same(scim: httpx2.AsyncClient, body: Body) -> None:
    user = await made(scim)
    await made(scim, "bob@example.com")
    answer = await scim.put(f"/Users/{user['id']}", json=body)
    assert (answer.status_code, answer.json()["active"]) == (200, False)


async def test_a_user_name_of_another_is_refused(scim: httpx2.AsyncClient) -> None:
    user = await made(scim)
    await made(scim, "bob@example.com")
    body = person("BOB@example.com", emails=[{"value": "ann@example.com"}])
    scim_refused(await scim.put(f"/Users/{user['id']}", json=body), 409, "uniqueness")


async def test_who_is_made_again_comes_back_at_both_mounts(scim: httpx2.AsyncClient, owner: Client) -> None:
    user = await made(scim)
    for mount in ("scim", "documented"):
        assert (await scim.patch(f"/Users/{user['id']}", json={"active": False})).json()["active"] is False
        if mount == "scim":
            answer = await scim.post("/Users", json=person())
        else:
            answer = await owner.post("/scim/v2/Users", json=person())
        assert answer.is_success, answer.text
        assert (answer.json()["id"], answer.json()["active"]) == (user["id"], True)
    scim_refused(await scim.post("/Users", json=person()), 409, "uniqueness")


async def test_an_extra_slash_is_none(scim: httpx2.AsyncClient, owner: Client) -> None:
    site = str(scim.base_url).removesuffix("/").removesuffix("/scim/v2")
    filtered = {"filter": 'userName eq "olivia"'}
    assert (await scim.get("/Users/", params=filtered)).json()["totalResults"] == 1
    assert (await scim.get(f"{site}//scim//v2/Users", params=filtered)).json()["totalResults"] == 1
    assert (await owner.get("/scim/v2/Users/", params=filtered)).json()["totalResults"] == 1
    assert checked(await owner.get(f"{site}//api/v2//users/me"))["username"] == "olivia"


async def test_somebody_whose_userName_is_no_username_gets_another(  # noqa: N802 - SCIM's name of the attribute
    scim: httpx2.AsyncClient, owner: Client
) -> None:
    for user_name, username in (("me", "me-2"), ("0" * 32, f"{'0' * 30}-2")):
        user = await made(scim, user_name, emails=[{"value": f"a{len(user_name)}@example.com"}])
        assert checked(await owner.get(f"/users/{user['id']}"))["username"] == username


async def test_the_key_suspends_staff_and_changes_nothing_else_of_them(
    scim: httpx2.AsyncClient, people: People
) -> None:
    auditor = await people.with_roles("auditor")
    url = f"/Users/{auditor.user_id}"
    shown = (await scim.get(url)).json()
    scim_refused(await scim.put(url, json=shown | {"emails": [{"value": "evil@example.com"}]}), 403)
    evil = shown | {"emails": [{"value": "evil@example.com"}], "active": False}
    answer = (await scim.put(url, json=evil)).json()
    assert (answer["active"], answer["emails"][0]["value"]) == (False, shown["emails"][0]["value"])
    assert (await scim.patch(url, json={"active": True})).json()["active"] is True


async def test_a_user_admin_changes_nobody_above_them_through_scim(
    owner: Client, user_admin: Client, auditor: Client
) -> None:
    for client in (owner, auditor):
        scim_refused(await user_admin.patch(f"/scim/v2/Users/{client.user_id}", json={"active": False}), 403)
    ann = await create_user(owner, "ann", login_type="password", password=PASSWORD)
    assert checked(await user_admin.patch(f"/scim/v2/Users/{ann['id']}", json={"active": False}))


async def test_what_the_identity_provider_calls_an_owner_is_no_user_admins_to_change(
    owner: Client, user_admin: Client
) -> None:
    change = operations({"op": "replace", "path": "externalId", "value": "7"})
    scim_refused(await user_admin.patch(f"/scim/v2/Users/{owner.user_id}", json=change), 403)
    assert checked(await owner.patch(f"/scim/v2/Users/{user_admin.user_id}", json=change))


async def test_a_user_admin_who_was_demoted_meanwhile_names_nobody(
    owner: Client, user_admin: Client, member: Client
) -> None:
    change = operations({"op": "replace", "path": "externalId", "value": "7"})

    async def demote() -> None:
        checked(await owner.put(f"/users/{user_admin.user_id}/roles", json={"roles": []}))

    scim_refused(await late(user_admin, "PATCH", f"/scim/v2/Users/{member.user_id}", change, demote), 403)

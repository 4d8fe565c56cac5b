"""Users found, made and changed on a server."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from aiohttp import web

from coder_enterprise.client import errors
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.user.builders import ANN, BOB, KIND, ORGANIZATION, Body, People, look, reconcile, resource, spec, user
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Asked, Scripted


@pytest.mark.parametrize("fresh", [True, False])
async def test_a_person_is_found_by_email_whatever_they_are_called(
    people: People, context: Context, fresh: bool
) -> None:
    people.put(ANN, "annie", email="Ann@Example.com")
    seen = await look(context, fresh=fresh)
    assert (seen.external_id, seen.rival, seen.fresh) == (ANN, None, fresh)


@pytest.mark.parametrize("fresh", [True, False])
async def test_whoever_has_only_the_username_is_somebody_else(people: People, context: Context, fresh: bool) -> None:
    people.put(BOB, "ann", email="bob@example.com")
    seen = await look(context, fresh=fresh)
    assert (seen.external_id, seen.rival and seen.rival.id, seen.fresh) == (None, BOB, fresh)


async def test_somebody_else_is_never_taken_over(people: People, context: Context) -> None:
    people.put(BOB, "ann", email="bob@example.com")
    with pytest.raises(KindError, match=r"belongs to bob@example\.com .* choose another spec\.username") as caught:
        await reconcile(context, adoptionPolicy="Adopt")
    assert caught.value.reason is Reason.ALREADY_EXISTS
    assert people.writes() == []


async def test_that_nobody_is_there_needs_no_second_look(people: People, context: Context) -> None:
    assert (await look(context, fresh=False)).fresh


async def test_whoever_is_deleted_is_not_there_although_their_id_is_found(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    people.deleted.add(ANN)
    assert (await look(context, fresh=True, recorded=ANN)).user is None


async def test_whoever_was_deleted_and_made_anew_is_somebody_else(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    people.deleted.add(ANN)
    people.put(BOB, "ann")
    assert (await look(context, fresh=True, recorded=ANN)).external_id == BOB


async def test_one_list_serves_all_who_are_at_rest(people: People, context: Context, server: Scripted) -> None:
    people.put(ANN, "ann")
    people.put(BOB, "bob")
    await look(context, fresh=False, recorded=ANN)
    await look(context, fresh=False, recorded=BOB, email="bob@example.com", username="bob")
    assert server.paths() == ["/users"]


async def test_a_missing_route_is_not_a_missing_user(server: Scripted, people: People, context: Context) -> None:
    server.answer(f"/users/{ANN}", NO_ROUTE, status=404)
    with pytest.raises(errors.NotFound):
        await look(context, fresh=True, recorded=ANN)


async def test_an_organization_that_is_not_there_is_waited_for(
    server: Scripted, people: People, context: Context
) -> None:
    server.answer("/organizations/missing", NOT_FOUND, status=404)
    server.answer("/users/me/organizations", [])
    with pytest.raises(KindError, match="missing does not exist") as caught:
        await look(context, fresh=True, organization="missing")
    assert caught.value.reason is Reason.WAITING_FOR_ORGANIZATION


async def test_the_organization_matters_only_for_whoever_is_made(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    assert (await look(context, fresh=True, organization="missing")).external_id == ANN


async def test_a_user_is_made_and_then_given_the_rest(people: People, context: Context) -> None:
    after = await reconcile(context, name="Ann", roles=["auditor"], state="suspended")
    created = {
        "email": "ann@example.com",
        "username": "ann",
        "name": "Ann",
        "login_type": "oidc",
        "organization_id": ORGANIZATION,
    }
    first, *rest = people.writes()
    assert json.loads(first.removeprefix("POST /users ")) == created
    assert rest == [f'PUT /users/{ANN}/roles {{"roles":["auditor"]}}', f"PUT /users/{ANN}/status/suspend"]
    assert (after.external_id, after.trouble) == (ANN, None)
    assert KIND.plan(spec(name="Ann", roles=["auditor"], state="suspended"), after, {}) == []


async def test_a_new_user_is_known_to_the_shared_list_at_once(people: People, context: Context) -> None:
    await context.directory.users.get()
    await reconcile(context)
    assert (await context.directory.users.get()).find("ann@example.com") is not None


async def test_a_server_that_ignores_the_name_of_a_new_user_is_told_again(
    server: Scripted, people: People, context: Context
) -> None:
    def create(asked: Asked) -> web.Response:
        people.put(ANN, "ann")
        return people._answer(people.users[ANN], 201)

    server.reply("/users", create, method="POST")
    await reconcile(context, name="Ann")
    assert people.users[ANN]["name"] == "Ann"


async def test_a_rename_keeps_the_name_of_the_person(people: People, context: Context) -> None:
    people.put(ANN, "annie", email="ann@example.com", name="Ann A.")
    await reconcile(context, recorded=ANN, username="ann")
    assert people.writes() == [f'PUT /users/{ANN}/profile {{"username":"ann","name":"Ann A."}}']


async def test_whoever_is_called_otherwise_keeps_that_unless_spec_says_a_username(
    people: People, context: Context
) -> None:
    people.put(ANN, "annie", email="ann@example.com", name="Ann A.")
    await reconcile(context, recorded=ANN, name="Ann")
    assert people.writes() == [f'PUT /users/{ANN}/profile {{"username":"annie","name":"Ann"}}']


async def test_a_name_that_is_not_known_is_not_sent(server: Scripted, context: Context) -> None:
    people = People(server, named=False)
    people.put(ANN, "annie", email="ann@example.com", name="Ann A.")
    await reconcile(context, recorded=ANN, username="ann")
    assert people.writes() == [f'PUT /users/{ANN}/profile {{"username":"ann"}}']


async def test_a_name_that_is_not_shown_is_written_once(server: Scripted, context: Context) -> None:
    people = People(server, named=False)
    after = await reconcile(context, name="Ann")
    assert len(people.writes()) == 1
    recorded = KIND.report(spec(name="Ann"), after, (), {})
    assert recorded["name"] == "Ann"
    seen = await KIND.observe(context, resource(recorded), spec(name="Ann"), fresh=True)
    assert KIND.plan(spec(name="Ann"), seen, recorded) == []


async def test_username_and_name_are_changed_in_one_request(people: People, context: Context) -> None:
    people.put(ANN, "annie", email="ann@example.com")
    await reconcile(context, recorded=ANN, username="ann", name="Ann")
    assert people.writes() == [f'PUT /users/{ANN}/profile {{"username":"ann","name":"Ann"}}']


async def test_roles_are_taken_before_a_suspension_which_coder_denies_owners(people: People, context: Context) -> None:
    people.put(ANN, "ann", roles=["owner"])
    await reconcile(context, recorded=ANN, roles=[], state="suspended")
    assert people.writes() == [f'PUT /users/{ANN}/roles {{"roles":[]}}', f"PUT /users/{ANN}/status/suspend"]


async def test_whoever_is_suspended_is_let_in_again(people: People, context: Context) -> None:
    people.put(ANN, "ann", status="suspended")
    await reconcile(context, recorded=ANN)
    assert people.writes() == [], "an admin may have suspended them, and spec does not say"
    await reconcile(context, recorded=ANN, state="active")
    assert people.writes() == [f"PUT /users/{ANN}/status/activate"]


@pytest.mark.parametrize("status", [400, 403, 500])
async def test_a_suspension_does_not_wait_for_a_role_that_is_refused(
    server: Scripted, people: People, context: Context, status: int
) -> None:
    people.put(ANN, "ann")
    server.answer(f"/users/{ANN}/roles", {"message": "You may not."}, method="PUT", status=status)
    after = await reconcile(context, recorded=ANN, roles=["owner"], state="suspended")
    assert people.users[ANN]["status"] == "suspended"
    assert isinstance(after.trouble, errors.APIError)
    assert "You may not" in after.trouble.message


async def test_whoever_was_made_is_known_although_a_role_is_refused(
    server: Scripted, people: People, context: Context
) -> None:
    desired = spec(roles=["owner"])
    seen = await KIND.observe(context, resource(), desired, fresh=True)
    server.answer("/users", asdict(user(status="dormant")), method="POST", status=201)
    server.answer(f"/users/{ANN}/roles", {"message": "You may not."}, method="PUT", status=403)
    after = await KIND.apply(context, desired, seen, KIND.plan(desired, seen, {}))
    assert after.external_id == ANN
    assert after.trouble is not None


async def test_a_name_that_was_just_taken_stalls(server: Scripted, people: People, context: Context) -> None:
    server.answer("/users", {"message": "User already exists."}, method="POST", status=409)
    with pytest.raises(KindError, match="just made by someone else") as caught:
        await reconcile(context)
    assert caught.value.reason is Reason.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("declared", "actual", "path"),
    [
        ({}, {"email": "ann@elsewhere.com"}, "spec.email"),
        ({"loginType": "github"}, {"login_type": "password"}, "spec.loginType"),
    ],
)
async def test_what_coder_never_changes_is_said_after_the_rest_is_applied(
    people: People, context: Context, declared: Body, actual: Body, path: str
) -> None:
    people.put(ANN, "ann", **actual)
    after = await reconcile(context, recorded=ANN, state="suspended", **declared)
    assert people.writes() == [f"PUT /users/{ANN}/status/suspend"]
    assert isinstance(after.trouble, KindError)
    assert (after.trouble.reason, after.trouble.meaning) == (Reason.CANNOT_CHANGE, Meaning.STALLED)
    assert [change.path for change in after.trouble.pending] == [path]

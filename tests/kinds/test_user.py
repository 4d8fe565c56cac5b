"""CoderUser: who a person is, what is changed and in which order, and what happens when a part is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from coder_enterprise.client import errors, records
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import Meaning
from coder_enterprise.client.http import API, ConnectionSettings
from coder_enterprise.kinds.base import Context, KindError
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Resource
from coder_enterprise.kinds.user import ObservedUser, UserKind, UserSpec, canonical
from tests.support.beside import Beside
from tests.support.scripted import NO_ROUTE, NOT_FOUND, TOKEN, Asked, Reply, Scripted
from tests.support.structural import problems

KIND: Final = UserKind()
ANN: Final = "a0000000-0000-4000-8000-000000000000"
BOB: Final = "b0000000-0000-4000-8000-000000000000"
ORGANIZATION: Final = "0e0e0e0e-0000-4000-8000-000000000000"
STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
BERLIN: Final = "CRON_TZ=Europe/Berlin 30 2 * * *"
UNKNOWN: Final = {"message": "User not found or you do not have access to this user."}
SCIM_KEY: Final = "the-key-of-scim"

Body = dict[str, Any]


def spec(**fields: Any) -> UserSpec:
    return UserSpec.model_validate({"email": "ann@example.com"} | fields)


def user(**fields: Any) -> records.User:
    known = {"id": ANN, "username": "ann", "email": "ann@example.com", "login_type": "oidc", "name": ""}
    roles = {"roles": [{"name": name} for name in fields.pop("roles", ())]}
    return records.User.model_validate(known | roles | fields)


def observed(found: records.User | None = None, **fields: Any) -> ObservedUser:
    known = {"external_id": found.id if found else None, "fresh": True, "username": "ann", "user": found}
    return ObservedUser(**(known | fields))


def plan(desired: UserSpec, seen: ObservedUser, recorded: Mapping[str, Any] | None = None) -> list[str]:
    return [str(change) for change in KIND.plan(desired, seen, recorded or {})]


# Plans


def test_a_user_who_is_not_there_is_created_and_given_the_rest() -> None:
    desired = spec(name="Ann", roles=["auditor"], state="suspended", quietHours={"schedule": BERLIN})
    assert plan(desired, observed()) == [
        "create ann",
        "spec.roles: add auditor",
        "spec.state: 'active' becomes 'suspended'",
        f"spec.quietHours.schedule: None becomes '{BERLIN}'",
    ]


@pytest.mark.parametrize(
    ("declared", "actual", "expected"),
    [
        ({}, {"username": "annie"}, []),
        ({"username": "ann"}, {"username": "Ann"}, ["spec.username: 'Ann' becomes 'ann'"]),
        ({"name": "Ann"}, {"name": "Old"}, ["spec.name: 'Old' becomes 'Ann'"]),
        ({"name": ""}, {"name": "Old"}, ["spec.name: 'Old' becomes ''"]),
        ({"name": ""}, {"name": None}, []),
        ({}, {"name": "Old"}, []),
        ({}, {"email": "ANN@example.com"}, []),
        ({}, {"email": "x@example.com"}, ["spec.email: 'x@example.com' becomes 'ann@example.com'"]),
        ({"loginType": "github"}, {}, ["spec.loginType: 'oidc' becomes 'github'"]),
        ({}, {"login_type": "password"}, []),
        ({"loginType": "github"}, {"login_type": ""}, []),
        ({}, {"status": "dormant"}, []),
        ({}, {"status": "suspended"}, []),
        ({"state": "active"}, {"status": "suspended"}, ["spec.state: 'suspended' becomes 'active'"]),
        ({"state": "active"}, {"status": "dormant"}, []),
        ({"state": "suspended"}, {"status": "dormant"}, ["spec.state: 'dormant' becomes 'suspended'"]),
        ({"state": "suspended"}, {"status": "suspended"}, []),
        ({}, {"roles": ["owner"]}, []),
        ({"roles": []}, {"roles": ["owner", "member"]}, ["spec.roles: remove owner"]),
        (
            {"roles": ["auditor", "user-admin"]},
            {"roles": ["user-admin", "owner"]},
            ["spec.roles: add auditor", "spec.roles: remove owner"],
        ),
    ],
)
def test_what_is_declared_is_corrected_and_the_rest_left_alone(
    declared: Body, actual: Body, expected: list[str]
) -> None:
    assert plan(spec(**declared), observed(user(**actual))) == expected


def test_a_role_in_one_organization_is_none_in_the_deployment() -> None:
    found = user().model_copy(update={"roles": (records.Role(name="auditor", organization_id=ORGANIZATION),)})
    assert plan(spec(roles=[]), observed(found)) == []


def test_a_name_that_coder_does_not_show_is_compared_with_what_was_written() -> None:
    hidden = observed(user(name=None))
    assert plan(spec(name="Ann"), hidden, {"name": "Ann"}) == []
    assert plan(spec(name="New"), hidden, {"name": "Ann"}) == ["spec.name: 'Ann' becomes 'New'"]
    assert KIND.report(spec(name="Ann"), hidden, (), {"name": "Ann"})["name"] == "Ann"


@pytest.mark.parametrize(
    ("declared", "actual"),
    [
        (BERLIN, BERLIN),
        (BERLIN, "CRON_TZ=Europe/Berlin 30 02 * * *"),
        ("CRON_TZ=Europe/Berlin   30  2 *  * *", BERLIN),
        ("0 3 * * *", "CRON_TZ=UTC 0 3 * * *"),
        ("00 03 * * *", "CRON_TZ=UTC 0 3 * * *"),
    ],
)
def test_the_same_schedule_in_another_spelling_is_the_same(declared: str, actual: str) -> None:
    hours = records.QuietHours(raw_schedule=actual)
    assert plan(spec(quietHours={"schedule": declared}), observed(user(), quiet_hours=hours)) == []


@pytest.mark.parametrize(
    "actual", ["CRON_TZ=UTC 30 2 * * *", "CRON_TZ=Europe/Berlin 2 30 * * *", "CRON_TZ=Europe/Berlin 30 3 * * *", "x"]
)
def test_another_schedule_is_another(actual: str) -> None:
    hours = records.QuietHours(raw_schedule=actual)
    changes = plan(spec(quietHours={"schedule": BERLIN}), observed(user(), quiet_hours=hours))
    assert changes == [f"spec.quietHours.schedule: '{actual}' becomes '{BERLIN}'"]


def test_quiet_hours_that_are_left_out_are_left_alone() -> None:
    assert plan(spec(), observed(user(), quiet_hours=records.QuietHours(raw_schedule=BERLIN))) == []


@given(st.text())
def test_every_text_has_a_canonical_form(text: str) -> None:
    assert canonical(text) == canonical(text)


def test_somebody_else_with_the_username_is_shown() -> None:
    assert plan(spec(), observed(rival=user(id=BOB, email="bob@example.com"))) == [
        "create ann",
        "spec.username: 'belongs to bob@example.com' becomes 'ann'",
    ]


# Status


def test_status_tells_how_the_user_is() -> None:
    hours = records.QuietHours(raw_schedule=BERLIN, timezone="Europe/Berlin")
    seen = observed(
        user(name="Ann", status="dormant"),
        quiet_hours=hours,
        quota=records.Quota(budget=-1, credits_consumed=3),
    )
    status = KIND.report(spec(), seen, (), {})
    assert status == {
        "id": ANN,
        "username": "ann",
        "name": "Ann",
        "status": "dormant",
        "quota": {"budget": -1, "consumed": 3},
        "quietHours": {"schedule": BERLIN, "timezone": "Europe/Berlin"},
    }
    assert list(problems(STATUS_SCHEMA, status)) == []


def test_a_user_who_is_not_there_clears_status() -> None:
    assert set(KIND.report(spec(), observed(), (), {"name": "Ann"}).values()) == {None}


def test_the_claim_is_the_email_in_any_case() -> None:
    assert KIND.external_name(resource(), spec(email="Ann@Example.com")) == "ann@example.com"


# Against a server


def resource(status: Body | None = None, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "ann", "uid": "u1", "resourceVersion": "1"}
    return Resource.from_body("CoderUser", {"metadata": metadata, "spec": declared, "status": status or {}})


class People:
    """Coder's users as far as the kind asks for them: ids also find the deleted, names do not."""

    def __init__(self, server: Scripted, *, named: bool = True) -> None:
        self.server = server
        self.named = named
        self.users: dict[str, Body] = {}
        self.deleted: set[str] = set()
        self.put("me-id", "operator", roles=["owner"])
        server.answer("/organizations/default", {"id": ORGANIZATION, "name": "coder"})
        server.reply("/users", lambda _: web.json_response({"users": self.living, "count": len(self.living)}))
        server.reply("/users", self._create, method="POST")
        server.reply("/users/ann", self._get)
        server.reply("/users/me", lambda _: web.json_response(self.users["me-id"]))

    @property
    def living(self) -> list[Body]:
        return [found for found in self.users.values() if found["id"] not in self.deleted]

    def put(self, user_id: str, username: str, **fields: Any) -> None:
        known = {"id": user_id, "username": username, "email": f"{username}@example.com", "status": "active"}
        roles = [{"name": name} for name in fields.pop("roles", ())]
        self.users[user_id] = {**known, "login_type": "oidc", "name": "", "roles": roles, **fields}
        for reference in (user_id, username):
            self.server.reply(f"/users/{reference}", self._get)
        for what, reply in self._writes().items():
            self.server.reply(f"/users/{user_id}/{what}", reply, method="PUT")
        self.server.reply(f"/users/{user_id}", self._delete, method="DELETE")

    def _get(self, asked: Asked) -> web.Response:
        reference = asked.path.rpartition("/")[2]
        found = self.users.get(reference) or next((u for u in self.living if u["username"] == reference), None)
        return self._answer(found) if found else web.json_response(UNKNOWN, status=400)

    def _answer(self, found: Body, status: int = 200) -> web.Response:
        shown = {key: value for key, value in found.items() if key != "name" or self.named}
        return web.json_response(shown, status=status)

    def _create(self, asked: Asked) -> web.Response:
        body = json.loads(asked.body)
        self.put(ANN, body["username"], email=body["email"], name=body.get("name", ""), status="dormant")
        return self._answer(self.users[ANN], 201)

    def _delete(self, asked: Asked) -> web.Response:
        self.deleted.add(asked.path.rpartition("/")[2])
        return web.json_response({"message": "User has been deleted!"})

    def _writes(self) -> dict[str, Reply]:
        def change(asked: Asked) -> web.Response:
            _, user_id, what = asked.path.removeprefix(API + "/").split("/", 2)
            found, body = self.users[user_id], json.loads(asked.body or "{}")
            if what == "profile":
                found |= {"username": body["username"], "name": body.get("name", "")}
                self.server.reply(f"/users/{found['username']}", self._get)
            elif what == "roles":
                found["roles"] = [{"name": name} for name in body["roles"]]
            else:
                found["status"] = {"status/suspend": "suspended", "status/activate": "active"}[what]
            return self._answer(found)

        return dict.fromkeys(("profile", "roles", "status/suspend", "status/activate"), change)

    def writes(self) -> list[str]:
        return [
            f"{asked.method} {asked.path.removeprefix(API)} {asked.body}".strip()
            for asked in self.server.asked
            if asked.method != "GET"
        ]


@pytest.fixture
def people(server: Scripted) -> People:
    return People(server)


@pytest.fixture
def context(client: CoderClient) -> Context:
    return Context(client=client, directory=Directory(client), cluster=Beside(), users_newer_than=float("-inf"))


async def reconcile(context: Context, recorded: str | None = None, **declared: Any) -> ObservedUser:
    """From a fresh look to what is there then."""
    desired, status = spec(**declared), {"id": recorded} if recorded else {}
    seen = await KIND.observe(context, resource(status), desired, fresh=True)
    changes = KIND.plan(desired, seen, status)
    return await KIND.apply(context, desired, seen, changes) if changes else seen


async def look(context: Context, *, fresh: bool, recorded: str | None = None, **declared: Any) -> ObservedUser:
    return await KIND.observe(context, resource({"id": recorded} if recorded else {}), spec(**declared), fresh=fresh)


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
    server.answer("/users", user(status="dormant").model_dump(), method="POST", status=201)
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


# Quiet hours and quota

HOURS: Final = f"/users/{ANN}/quiet-hours"


def hours(schedule: str = "CRON_TZ=UTC 0 0 * * *", **fields: Any) -> Body:
    return {"raw_schedule": schedule, "user_set": False, "timezone": "UTC", "time": "00:00"} | fields


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: [body]])
async def test_quiet_hours_are_set_once_and_written_in_single_spaces(
    server: Scripted, people: People, context: Context, wrap: Any
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, wrap(hours()))
    server.answer(HOURS, wrap(hours(BERLIN, timezone="Europe/Berlin")), method="PUT")
    after = await reconcile(context, recorded=ANN, quietHours={"schedule": "CRON_TZ=Europe/Berlin   30 2  * * *"})
    assert people.writes() == [f'PUT {HOURS} {{"schedule":"{BERLIN}"}}']
    assert KIND.plan(spec(quietHours={"schedule": BERLIN}), after, {}) == []
    assert after.trouble is None


async def test_quiet_hours_of_whoever_is_new_are_read_first(server: Scripted, people: People, context: Context) -> None:
    server.answer(HOURS, hours(BERLIN))
    await reconcile(context, quietHours={"schedule": BERLIN})
    assert [write.split()[0] for write in people.writes()] == ["POST"]


async def test_quiet_hours_and_quota_are_read_only_where_they_are_declared(
    server: Scripted, people: People, context: Context
) -> None:
    people.put(ANN, "ann")
    await look(context, fresh=False, recorded=ANN)
    assert server.paths() == ["/users"]


REFUSALS: Final = [(403, {"message": "Not licensed."}), (404, NO_ROUTE)]


@pytest.mark.parametrize(("status", "body"), REFUSALS)
async def test_quiet_hours_without_a_licence_wait_and_the_rest_is_applied(
    server: Scripted, people: People, context: Context, status: int, body: Body
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, body, status=status)
    after = await reconcile(context, recorded=ANN, state="suspended", quietHours={"schedule": BERLIN})
    assert people.writes() == [f"PUT /users/{ANN}/status/suspend"]
    assert isinstance(after.trouble, KindError)
    assert (after.trouble.reason, after.trouble.meaning) == (Reason.NOT_ENTITLED, Meaning.WAITING)


async def test_quiet_hours_that_nobody_may_set_are_not_tried(
    server: Scripted, people: People, context: Context
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, hours(user_can_set=False))
    after = await reconcile(context, recorded=ANN, quietHours={"schedule": BERLIN})
    assert people.writes() == []
    assert after.trouble is not None
    assert "CODER_ALLOW_CUSTOM_QUIET_HOURS" in after.trouble.message


async def test_quiet_hours_that_nobody_may_set_are_fine_where_they_agree(
    server: Scripted, people: People, context: Context
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, hours(BERLIN, user_can_set=False))
    assert (await reconcile(context, recorded=ANN, quietHours={"schedule": BERLIN})).trouble is None


async def test_a_refused_schedule_is_said_in_the_servers_words(
    server: Scripted, people: People, context: Context
) -> None:
    people.put(ANN, "ann")
    server.answer(HOURS, hours())
    server.answer(HOURS, {"message": "Internal error.", "detail": "unknown zone"}, method="PUT", status=500)
    after = await reconcile(context, recorded=ANN, quietHours={"schedule": BERLIN})
    assert isinstance(after.trouble, errors.ServerError)
    assert "unknown zone" in after.trouble.message


async def test_the_quota_is_shown(server: Scripted, people: People, context: Context) -> None:
    people.put(ANN, "ann")
    server.answer(f"/workspace-quota/{ANN}", {"budget": 10, "credits_consumed": 4})
    seen = await look(context, fresh=False, recorded=ANN, showQuota=True)
    assert KIND.report(spec(showQuota=True), seen, (), {})["quota"] == {"budget": 10, "consumed": 4}


async def test_a_quota_that_is_not_shown_is_left_out(server: Scripted, people: People, context: Context) -> None:
    people.put(ANN, "ann")
    server.answer(f"/workspace-quota/{ANN}", NO_ROUTE, status=404)
    assert (await look(context, fresh=False, recorded=ANN, showQuota=True)).quota is None


# SCIM


@pytest.fixture
async def scim(server: Scripted, context: Context) -> Any:
    """A context whose deployment has a key for SCIM."""
    settings = ConnectionSettings(server.url, TOKEN, scim_key=SCIM_KEY)
    async with CoderClient(settings) as client:
        yield replace(context, client=client, directory=Directory(client))


def answer_scim(server: Scripted, people: People, method: str = "PATCH", path: str = f"/Users/{ANN}") -> None:
    def reply(asked: Asked) -> web.Response:
        body = json.loads(asked.body)
        if method == "POST":
            people.put(ANN, body["userName"], email=body["emails"][0]["value"], status="dormant")
        else:
            people.users[ANN]["status"] = "active" if body["active"] else "suspended"
        return web.json_response({**body, "id": ANN})

    server.reply(path, reply, method=method, root="/scim/v2")


def bodies(server: Scripted) -> Sequence[Body]:
    return [json.loads(asked.body) for asked in server.asked if asked.path.startswith("/scim/v2")]


async def test_scim_makes_a_user_and_the_api_does_the_rest(server: Scripted, people: People, scim: Context) -> None:
    answer_scim(server, people, "POST", "/Users")
    after = await reconcile(scim, via="SCIM", name="Ann Example", roles=["auditor"])
    [made] = bodies(server)
    assert made == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ann",
        "name": {"givenName": "Ann", "familyName": "Example"},
        "emails": [{"value": "ann@example.com", "primary": True}],
        "active": True,
    }
    assert (after.external_id, after.trouble) == (ANN, None)
    assert people.users[ANN]["name"] == "Ann Example"
    assert people.users[ANN]["roles"] == [{"name": "auditor"}]


async def test_scim_is_opened_with_its_own_key_and_not_with_the_token(
    server: Scripted, people: People, scim: Context
) -> None:
    answer_scim(server, people, "POST", "/Users")
    await reconcile(scim, via="SCIM")
    [asked] = [asked for asked in server.asked if asked.path == "/scim/v2/Users"]
    assert asked.headers["Authorization"] == SCIM_KEY
    assert "Coder-Session-Token" not in asked.headers


@pytest.mark.parametrize(("state", "before", "active"), [("suspended", "active", False), ("active", "suspended", True)])
async def test_scim_suspends_in_words_that_both_generations_read(
    server: Scripted, people: People, scim: Context, state: str, before: str, active: bool
) -> None:
    people.put(ANN, "ann", status=before)
    answer_scim(server, people)
    after = await reconcile(scim, recorded=ANN, via="SCIM", state=state)
    assert bodies(server) == [
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "active", "value": active}],
            "active": active,
        }
    ]
    assert after.user is not None
    assert after.user.status == state


async def test_without_a_key_scim_is_not_tried(server: Scripted, people: People, context: Context) -> None:
    people.put(ANN, "ann")
    after = await reconcile(context, recorded=ANN, via="SCIM", state="suspended")
    assert isinstance(after.trouble, KindError)
    assert after.trouble.reason is Reason.SCIM_NOT_CONFIGURED
    assert people.writes() == []


async def test_whoever_took_the_username_in_between_is_not_taken_over(
    server: Scripted, people: People, scim: Context
) -> None:
    def reply(asked: Asked) -> web.Response:
        people.put(BOB, "ann", email="bob@example.com")
        return web.json_response({"id": BOB})

    server.reply("/Users", reply, method="POST", root="/scim/v2")
    with pytest.raises(KindError, match=r"just taken by bob@example\.com") as caught:
        await reconcile(scim, via="SCIM")
    assert caught.value.reason is Reason.ALREADY_EXISTS


async def test_a_refusal_of_scim_is_said_and_is_no_outage(server: Scripted, people: People, scim: Context) -> None:
    people.put(ANN, "ann")
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": "invalidAuthorization"}
    server.answer(f"/Users/{ANN}", body, method="PATCH", status=500, root="/scim/v2")
    after = await reconcile(scim, recorded=ANN, via="SCIM", state="suspended")
    assert isinstance(after.trouble, errors.SCIMRefused)
    assert after.trouble.reason == Reason.SCIM_REFUSED
    assert "invalidAuthorization" in after.trouble.message


# Deletion


async def test_whoever_is_not_declared_any_more_is_suspended(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    done = await KIND.delete(context, resource({"id": ANN}))
    assert people.writes() == [f"PUT /users/{ANN}/status/suspend"]
    assert done is not None
    assert "is suspended" in done


async def test_whoever_is_suspended_already_is_left_so(people: People, context: Context) -> None:
    people.put(ANN, "ann", status="suspended")
    await KIND.delete(context, resource({"id": ANN}))
    assert people.writes() == []


async def test_an_object_that_comes_back_lets_in_whom_its_deletion_suspended(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    await KIND.delete(context, resource({"id": ANN}))
    seen = await look(context, fresh=True)
    assert seen.intended, "it needs no adoption"
    after = await reconcile(context)
    assert after.user is not None
    assert after.user.status == "active"
    assert people.writes()[-1] == f"PUT /users/{ANN}/status/activate"
    assert not (await look(context, fresh=True, recorded=ANN)).intended


async def test_whom_an_admin_suspended_before_the_deletion_stays_so(people: People, context: Context) -> None:
    people.put(ANN, "ann", status="suspended")
    await KIND.delete(context, resource({"id": ANN}))
    seen = await look(context, fresh=True)
    assert not seen.intended
    assert KIND.plan(spec(), seen, {}) == []


async def test_whoever_comes_back_as_suspended_is_not_let_in(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    await KIND.delete(context, resource({"id": ANN}))
    seen = await look(context, fresh=True, state="suspended")
    assert seen.intended
    assert KIND.plan(spec(state="suspended"), seen, {}) == []


async def test_what_another_person_left_behind_is_no_proof(people: People, context: Context) -> None:
    people.put(BOB, "bob")
    await KIND.delete(context, resource({"id": BOB}))
    people.put(ANN, "ann", status="suspended")
    assert not (await look(context, fresh=True)).intended


async def test_scim_suspends_whoever_it_made(server: Scripted, people: People, scim: Context) -> None:
    people.put(ANN, "ann")
    answer_scim(server, people)
    await KIND.delete(scim, resource({"id": ANN}, via="SCIM"))
    assert people.users[ANN]["status"] == "suspended"


async def test_a_user_is_deleted_only_when_that_was_declared(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    assert await KIND.delete(context, resource({"id": ANN}, onDelete="Delete")) is None
    assert people.writes() == [f"DELETE /users/{ANN}"]


@pytest.mark.parametrize("on_delete", ["Suspend", "Delete"])
async def test_whoever_is_gone_already_counts_as_deleted(people: People, context: Context, on_delete: str) -> None:
    people.put(ANN, "ann")
    people.deleted.add(ANN)
    await KIND.delete(context, resource({"id": ANN}, onDelete=on_delete))
    assert people.writes() == []


async def test_whoever_took_the_username_of_the_deleted_is_not_touched(people: People, context: Context) -> None:
    people.put(ANN, "ann")
    people.deleted.add(ANN)
    people.put(BOB, "ann", email="bob@example.com")
    await KIND.delete(context, resource({"id": ANN}, onDelete="Delete"))
    assert people.writes() == []
    assert (await look(context, fresh=True, recorded=ANN)).user is None


async def test_whoever_the_token_cannot_see_is_not_known_to_be_gone(people: People, context: Context) -> None:
    people.users["me-id"]["roles"] = []
    people.put(ANN, "ann")
    people.deleted.add(ANN)
    with pytest.raises(KindError, match="may not see all users"):
        await KIND.delete(context, resource({"id": ANN}))


async def test_a_deletion_that_coder_refuses_is_raised(server: Scripted, people: People, context: Context) -> None:
    people.put(ANN, "ann")
    body = {"message": "You cannot delete a user that has workspaces."}
    server.answer(f"/users/{ANN}", body, method="DELETE", status=417)
    with pytest.raises(errors.BadRequest, match="has workspaces"):
        await KIND.delete(context, resource({"id": ANN}, onDelete="Delete"))

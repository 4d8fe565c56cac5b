"""CoderLicense: recognised by its claims, replaced without a gap, and said before it expires."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from coder_enterprise.client import errors, records
from coder_enterprise.client.coder import CoderClient
from coder_enterprise.client.directory import Directory
from coder_enterprise.client.errors import Meaning
from coder_enterprise.client.http import Call, CallHooks
from coder_enterprise.kinds.base import Context, KindError
from coder_enterprise.kinds.license import (
    DAY,
    Declared,
    LicenseKind,
    LicenseSpec,
    ObservedLicense,
    fingerprint,
    read_claims,
)
from coder_enterprise.kinds.reasons import Reason
from coder_enterprise.kinds.resource import Resource
from tests.support.beside import Beside
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Asked, Scripted
from tests.support.structural import problems

KIND: Final = LicenseKind()
STATUS_SCHEMA: Final = KIND.crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
NOW: Final = datetime(2027, 3, 1, 12, tzinfo=UTC)
POINTS: Final = 14
"""More than a reconcile has."""
UUID: Final = "7c1e0000-0000-4000-8000-000000000000"

Body = dict[str, Any]


def claims(**values: Any) -> Body:
    """A year from NOW, and a month of grace."""
    start = int(NOW.timestamp())
    every = {
        "version": 3,
        "jti": UUID,
        "license_expires": start + 365 * 86_400,
        "exp": start + 395 * 86_400,
        "all_features": True,
        "features": {"user_limit": 1000, "scim": 0},
    }
    return {name: value for name, value in (every | values).items() if value is not None}


def in_days(days: float) -> float:
    return NOW.timestamp() + days * 86_400


def token(payload: Any, header: Any = None) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header or {'alg': 'EdDSA'})}.{part(payload)}.c2lnbmVk"


def license_(number: int, **values: Any) -> records.License:
    found = claims(**values)
    return records.License(id=number, uuid=str(found.get("jti", "")), claims=found)


def spec(**fields: Any) -> LicenseSpec:
    return LicenseSpec.model_validate({"secretRef": {"name": "licence"}, **fields})


def observed(
    declared: Body, current: records.License | None = None, *others: records.License, **fields: Any
) -> ObservedLicense:
    seen = ObservedLicense(
        external_id=str(current.id) if current else None,
        fresh=True,
        declared=Declared("token", declared),
        current=current,
        others=others,
        now=NOW,
    )
    return replace(seen, **fields)


def plan(desired: LicenseSpec, seen: ObservedLicense, **recorded: Any) -> list[str]:
    return [str(change) for change in KIND.plan(desired, seen, recorded)]


# The plan


def test_a_licence_that_is_not_there_is_uploaded() -> None:
    assert plan(spec(), observed(claims())) == [
        f"create licence {UUID}, valid until 2028-02-29T12:00:00Z",
    ]


def test_a_licence_that_is_there_is_left_alone() -> None:
    assert plan(spec(), observed(claims(), license_(1)), id="1") == []


def test_what_it_had_before_is_removed_once_the_new_one_is_in_force() -> None:
    old = license_(1, jti="old", license_expires=in_days(1))
    expected = ["spec.retireOld: remove licence old, valid until 2027-03-02T12:00:00Z"]
    assert plan(spec(), observed(claims(), license_(2), old, intended=True), id="1") == expected
    assert plan(spec(), observed(claims(), None, old), id="1")[1:] == expected


@pytest.mark.parametrize(
    ("fields", "values"),
    [({"retireOld": False}, {}), ({}, {"nbf": in_days(1)}), ({}, {"exp": in_days(0)})],
    ids=["as declared", "before the new one begins", "after the new one has ended"],
)
def test_what_it_had_before_stays(fields: Body, values: Body) -> None:
    seen = observed(claims(**values), license_(2, **values), license_(1, jti="old"), intended=True)
    assert plan(spec(**fields), seen, id="1") == []


def test_what_is_to_be_adopted_is_adopted_before_anything_is_removed() -> None:
    seen = observed(claims(), license_(2), license_(1, jti="old"))
    assert plan(spec(adoptionPolicy="AdoptIfIdentical"), seen, id="1") == []
    after = KIND.report(spec(), seen, (), {"id": "1", "owned": []})
    assert len(plan(spec(), seen, **after)) == 1
    verdict = KIND.verdict(spec(), seen)
    assert verdict.revisit is not None
    assert verdict.revisit < 1


def test_what_will_be_uploaded_is_recorded_first() -> None:
    changes = KIND.plan(spec(), observed(claims()), {})
    assert KIND.intent(spec(), changes, {"owned": ["a"]}) == {"owned": ["a", fingerprint(claims())]}
    assert KIND.intent(spec(), changes, {"owned": [fingerprint(claims())]}) == {}
    assert KIND.intent(spec(), (), {"owned": ["a"]}) == {}


def test_plan_claims_nothing() -> None:
    report = KIND.report(spec(managementPolicy="Plan"), observed(claims(), license_(1)), (), {})
    assert report["owned"] is None


# Fingerprints

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_a_server_may_write_numbers_and_order_names_as_it_likes(found: Body) -> None:
    def rewritten(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: rewritten(value[name]) for name in reversed(list(value))}
        if isinstance(value, list):
            return [rewritten(item) for item in value]
        return float(value) if type(value) is int else value

    assert fingerprint(rewritten(found)) == fingerprint(found)


@pytest.mark.parametrize(
    "values", [{"license_expires": in_days(366)}, {"trial": True}, {"features": {}}, {"jti": None}, {"new": 10**400}]
)
def test_another_claim_makes_another_licence(values: Body) -> None:
    assert fingerprint(claims(**values)) != fingerprint(claims())


# Time


@pytest.mark.parametrize(
    ("days", "grace", "trial", "reason", "left"),
    [
        (365, 395, False, Reason.VALID, 365),
        (29.1, 60, False, Reason.VALID, 30),
        (29, 60, False, Reason.EXPIRES_SOON, 29),
        (6.1, 60, True, Reason.VALID, 7),
        (6, 60, True, Reason.EXPIRES_SOON, 6),
        (0.001, 60, False, Reason.EXPIRES_SOON, 1),
        (0, 60, False, Reason.GRACE_PERIOD, 0),
        (-10, 20, False, Reason.GRACE_PERIOD, 0),
        (-60, 0, False, Reason.EXPIRED, 0),
    ],
)
def test_how_a_licence_stands_is_said_as_coder_counts(
    days: float, grace: float, trial: bool, reason: Reason, left: int
) -> None:
    values = {"license_expires": in_days(days), "exp": in_days(grace), "trial": trial}
    seen = observed(claims(**values), license_(1, **values))
    verdict = KIND.verdict(spec(), seen)
    [condition] = verdict.conditions
    assert (condition.type, condition.reason) == ("Valid", reason)
    assert condition.warns is (reason is not Reason.VALID)
    assert verdict.ready is (reason is not Reason.EXPIRED)
    assert verdict.stalled is (reason is Reason.EXPIRED)
    assert KIND.report(spec(), seen, (), {})["daysLeft"] == left


def test_a_licence_that_has_not_begun_is_not_valid_yet() -> None:
    values = {"nbf": in_days(1)}
    verdict = KIND.verdict(spec(), observed(claims(**values), license_(1, **values)))
    assert (verdict.ready, verdict.conditions[0].reason) == (True, Reason.NOT_YET_VALID)


@given(st.floats(-50, 50), st.floats(0, 40))
def test_an_object_is_visited_when_something_changes_and_at_least_every_hour(days: float, grace: float) -> None:
    values = {"license_expires": in_days(days), "exp": in_days(days + grace)}
    seen = observed(claims(**values), license_(1, **values))
    verdict, before = KIND.verdict(spec(), seen), KIND.report(spec(), seen, (), {})
    if verdict.revisit is None:
        later = replace(seen, now=NOW + timedelta(days=1000))
    else:
        assert 0 < verdict.revisit <= 3600
        later = replace(seen, now=NOW + max(timedelta(0), timedelta(seconds=verdict.revisit - 0.3)))
    assert KIND.report(spec(), later, (), {}) == before
    assert KIND.verdict(spec(), later).conditions == verdict.conditions


def test_the_days_left_change_once_a_day() -> None:
    seen = observed(claims(), license_(1))
    shown = [KIND.report(spec(), replace(seen, now=NOW + hour * DAY / 24), (), {})["daysLeft"] for hour in range(49)]
    assert shown == [365] * 24 + [364] * 24 + [363]


# Status

odd_claims = st.fixed_dictionaries(
    {},
    optional={
        "features": st.dictionaries(st.text(max_size=200), st.integers() | st.text(max_size=3), max_size=3) | st.none(),
        "feature_set": st.text(max_size=200) | st.integers(),
        "all_features": st.booleans() | st.none() | st.integers(),
        "trial": st.booleans() | st.text(max_size=2),
        "jti": st.text(max_size=100) | st.integers(),
        "license_expires": st.floats() | st.integers() | st.text(max_size=2),
        "exp": st.floats() | st.integers(),
        "nbf": st.floats() | st.integers() | st.none(),
    },
)


@given(odd_claims)
def test_whatever_a_licence_claims_status_fits_into_its_schema(odd: Body) -> None:
    found = claims() | odd
    seen = observed(found, records.License(id=2**31 - 1, uuid="x" * 100, claims=found))
    KIND.plan(spec(), seen, {})
    KIND.plan(spec(), replace(seen, current=None, external_id=None), {})
    KIND.verdict(spec(), seen)
    shown = {key: value for key, value in KIND.report(spec(), seen, (), {}).items() if value is not None}
    assert list(problems(STATUS_SCHEMA, shown)) == []


def test_features_are_what_is_licensed() -> None:
    seen = observed(claims(), license_(1, feature_set="premium"))
    assert KIND.report(spec(), seen, (), {})["features"] == {"all_features": 1, "premium": 1, "user_limit": 1000}


# The Secret


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("canary", "it is no JWT, which is three parts"),
        ("canary.canary.canary", "its second part is no JSON"),
        ("canary.ca?ary.canary", "its second part is no JSON"),
        (token(["canary"]), "its claims are no JSON object"),
        (token({"canary": 1}), "lacks the claim license_expires"),
        (token(claims(license_expires="canary")), "lacks the claim license_expires"),
        (token(claims(exp=None)), "lacks the claim exp"),
        (token(claims(exp=True)), "lacks the claim exp"),
        (token(claims(exp=1e300)), "lacks the claim exp"),
        ("a." + "[" * 4 + "." + "b", "its second part is no JSON"),
    ],
)
def test_what_is_no_licence_is_refused_and_never_shown(text: str, cause: str) -> None:
    with pytest.raises(ValueError, match=cause) as caught:
        read_claims(text)
    assert "canary" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is"):
        read_claims(text)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (None, Reason.SECRET_NOT_FOUND),
        ({"other": "x"}, Reason.SECRET_KEY_MISSING),
        ({"license": " \n"}, Reason.SECRET_KEY_MISSING),
        ({"license": "canary"}, Reason.INVALID_LICENSE),
    ],
)
async def test_a_secret_that_cannot_be_used_stalls(
    context: Context, beside: Beside, values: Body | None, reason: Reason
) -> None:
    if values is not None:
        beside.secrets["default", "licence"] = values
    with pytest.raises(KindError, match="default/licence") as caught:
        await KIND.observe(context, resource(), spec(), fresh=True)
    assert (caught.value.reason, caught.value.meaning) == (reason, Meaning.STALLED)
    assert "canary" not in caught.value.message


def test_a_licence_is_never_shown_with_what_holds_it() -> None:
    assert "canary" not in repr(replace(observed(claims()), declared=Declared("canary", claims())))


# Against a server


class Shop:
    """Licences as Coder keeps them: the same text twice is its own error 500."""

    def __init__(self, server: Scripted) -> None:
        self.tokens: dict[int, str] = {}
        self.fewest = 10
        self._numbers = itertools.count(1)
        self.errors: list[str] = []
        self._server = server
        server.reply("/licenses", lambda _: web.json_response(self.listed() or None))
        server.reply("/licenses", self._add, method="POST")
        server.reply("/entitlements", lambda _: web.json_response(self._entitlements()))

    def put(self, text: str) -> int:
        number = next(self._numbers)
        self.tokens[number] = text
        self._server.reply(f"/licenses/{number}", lambda _: self._delete(number), method="DELETE")
        return number

    def listed(self) -> list[Body]:
        return [
            {"id": number, "uuid": found["jti"], "uploaded_at": "2027-01-01T00:00:00Z", "claims": found}
            for number, text in sorted(self.tokens.items())
            for found in [dict(read_claims(text))]
        ]

    @property
    def uuids(self) -> list[str]:
        return [item["uuid"] for item in self.listed()]

    def _entitlements(self) -> Body:
        return {"features": {}, "has_license": bool(self.tokens), "errors": self.errors}

    def _add(self, asked: Asked) -> web.Response:
        text = json.loads(asked.body)["license"]
        if text in self.tokens.values():
            detail = f"duplicate key value violates unique constraint: {text}"
            return web.json_response({"message": "Internal error.", "detail": detail}, status=500)
        number = self.put(text)
        return web.json_response(next(item for item in self.listed() if item["id"] == number), status=201)

    def _delete(self, number: int) -> web.Response:
        if self.tokens.pop(number, None) is None:
            return web.json_response(NOT_FOUND, status=404)
        self.fewest = min(self.fewest, len(self.tokens))
        return web.Response()


class Killed(BaseException):
    """The process ends here."""


class Points(CallHooks):
    """Ends the process before or after one of its requests."""

    def __init__(self) -> None:
        self.kill_at: int | None = None
        self.passed = 0

    def reach(self) -> None:
        self.passed += 1
        if self.kill_at == self.passed - 1:
            raise Killed

    @override
    async def before(self, call: Call) -> None:
        self.reach()

    @override
    async def after(self, call: Call, error: errors.CoderError | None, seconds: float) -> None:
        self.reach()


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.fixture
def points() -> Points:
    return Points()


@pytest.fixture
async def context(server: Scripted, beside: Beside, points: Points) -> AsyncIterator[Context]:
    async with CoderClient(server.settings, points) as client:
        yield Context(client=client, directory=Directory(client), cluster=beside, users_newer_than=float("-inf"))


@pytest.fixture
def shop(server: Scripted) -> Shop:
    return Shop(server)


def resource(status: Body | None = None, *, deleting: bool = False, **declared: Any) -> Resource:
    metadata = {"namespace": "default", "name": "licence", "uid": "u1", "resourceVersion": "1"}
    if deleting:
        metadata["deletionTimestamp"] = "2027-01-01T00:00:00Z"
    return Resource.from_body("CoderLicense", {"metadata": metadata, "spec": declared, "status": status or {}})


def current_claims(**values: Any) -> Body:
    """In force by the real clock."""
    now = int(datetime.now(UTC).timestamp())
    return claims(license_expires=now + 365 * 86_400, exp=now + 395 * 86_400, **values)


async def reconcile(context: Context, points: Points, status: Body, **fields: Any) -> None:
    """The engine's steps, each of which changes `status`; a licence that is not ours would be refused."""
    desired = spec(**fields)
    context.directory.expire()
    seen = await KIND.observe(context, resource(status), desired, fresh=True)
    assert seen.intended or seen.external_id in {None, status.get("id")}, "taken for somebody else's"
    changes = KIND.plan(desired, seen, status)
    points.reach()
    if changes:
        status |= KIND.intent(desired, changes, status)
        points.reach()
        seen = await KIND.apply(context, desired, seen, changes)
    points.reach()
    status |= KIND.report(desired, seen, changes, status)


async def killed(context: Context, points: Points, status: Body, point: int) -> None:
    """A reconcile that ends at that point; if it has not so many, it goes through."""
    points.passed, points.kill_at = 0, point
    with contextlib.suppress(Killed):
        await reconcile(context, points, status)
        assert points.passed <= point
    points.kill_at = None


async def test_all_points_of_a_rotation_are_tried(context: Context, beside: Beside, points: Points, shop: Shop) -> None:
    status: Body = {}
    for name in ("old", "new"):
        beside.secrets["default", "licence"] = {"license": token(current_claims(jti=name))}
        points.passed = 0
        await reconcile(context, points, status)
    assert 10 <= points.passed < POINTS


@pytest.mark.parametrize("point", range(POINTS))
async def test_a_crash_at_any_point_leaves_neither_two_licences_nor_none(
    context: Context, beside: Beside, points: Points, shop: Shop, point: int
) -> None:
    status: Body = {}
    beside.secrets["default", "licence"] = {"license": token(current_claims(jti="old"))}
    await reconcile(context, points, status)
    beside.secrets["default", "licence"] = {"license": token(current_claims(jti="new"))}
    await killed(context, points, status, point)
    await reconcile(context, points, status)
    assert (shop.uuids, shop.fewest) == (["new"], 1)
    await KIND.delete(context, resource(status))
    assert shop.uuids == []


@pytest.mark.parametrize("point", range(POINTS))
async def test_a_crash_before_the_secret_changes_once_more_leaves_one_licence(
    context: Context, beside: Beside, points: Points, shop: Shop, point: int
) -> None:
    status: Body = {}
    beside.secrets["default", "licence"] = {"license": token(current_claims(jti="old"))}
    await killed(context, points, status, point)
    beside.secrets["default", "licence"] = {"license": token(current_claims(jti="new"))}
    await reconcile(context, points, status)
    assert shop.uuids == ["new"]


@pytest.mark.parametrize("point", range(POINTS))
async def test_a_crash_before_the_object_is_deleted_leaves_no_licence(
    context: Context, beside: Beside, points: Points, shop: Shop, point: int
) -> None:
    """The Secret is gone by then."""
    status: Body = {}
    beside.secrets["default", "licence"] = {"license": token(current_claims())}
    await killed(context, points, status, point)
    beside.secrets.clear()
    seen = await KIND.observe(context, resource(status, deleting=True), spec(), fresh=True)
    await KIND.delete(context, resource({**status, "id": seen.external_id}, deleting=True))
    assert shop.uuids == []


@pytest.mark.parametrize("point", range(POINTS))
async def test_a_crash_within_a_rotation_before_the_object_is_deleted_leaves_no_licence(
    context: Context, beside: Beside, points: Points, shop: Shop, point: int
) -> None:
    status: Body = {}
    beside.secrets["default", "licence"] = {"license": token(current_claims(jti="old"))}
    await reconcile(context, points, status)
    theirs = token(current_claims(jti="theirs"))
    shop.put(theirs)
    beside.secrets["default", "licence"] = {"license": token(current_claims(jti="new"))}
    await killed(context, points, status, point)
    await KIND.delete(context, resource(status, deleting=True))
    assert shop.uuids == ["theirs"]


async def test_the_same_licence_is_never_uploaded_twice(
    context: Context, beside: Beside, points: Points, shop: Shop
) -> None:
    text = token(current_claims())
    shop.put(text)
    beside.secrets["default", "licence"] = {"license": f"{text}\n"}
    seen = await KIND.observe(context, resource(), spec(), fresh=True)
    assert (seen.external_id, seen.intended, plan(spec(), seen)) == ("1", False, [])


async def test_no_error_shows_the_licence(context: Context, beside: Beside, points: Points, shop: Shop) -> None:
    text = token(current_claims())
    beside.secrets["default", "licence"] = {"license": text}
    seen = await KIND.observe(context, resource(), spec(), fresh=True)
    changes = KIND.plan(spec(), seen, {})
    shop.put(text)
    with pytest.raises(errors.ServerError) as caught:
        await KIND.apply(context, spec(), seen, changes)
    assert text not in f"{caught.value} {caught.value.detail} {caught.value.args}"
    assert "duplicate key" in str(caught.value)


async def test_the_old_licence_stays_when_coder_does_not_count_the_new_one(
    context: Context, beside: Beside, points: Points, shop: Shop
) -> None:
    status: Body = {}
    beside.secrets["default", "licence"] = {"license": token(current_claims(jti="old"))}
    await reconcile(context, points, status)
    beside.secrets["default", "licence"] = {"license": token(current_claims(jti="new"))}
    shop.errors = ["Licence new is signed with an unknown key."]
    with pytest.raises(KindError, match="unknown key") as caught:
        await reconcile(context, points, status)
    assert caught.value.reason is Reason.INVALID_LICENSE
    assert shop.uuids == ["old", "new"]
    shop.errors = []
    await reconcile(context, points, status)
    assert shop.uuids == ["new"]


async def test_an_upload_that_somebody_else_made_first_is_looked_for_again(
    server: Scripted, context: Context, beside: Beside, shop: Shop
) -> None:
    server.answer("/licenses", {"message": "This licence has been added already."}, method="POST", status=409)
    beside.secrets["default", "licence"] = {"license": token(current_claims())}
    seen = await KIND.observe(context, resource(), spec(), fresh=True)
    with pytest.raises(KindError) as caught:
        await KIND.apply(context, spec(), seen, KIND.plan(spec(), seen, {}))
    assert (caught.value.reason, caught.value.meaning) == (Reason.REQUEST_FAILED, Meaning.TRANSIENT)


async def test_many_objects_share_one_list(server: Scripted, context: Context, beside: Beside, shop: Shop) -> None:
    beside.secrets["default", "licence"] = {"license": token(current_claims())}
    for _ in range(3):
        await KIND.observe(context, resource(), spec(), fresh=False)
    assert server.paths() == ["/licenses"]


async def test_a_licence_that_is_gone_already_counts_as_removed(context: Context, server: Scripted) -> None:
    server.answer("/licenses/7", NOT_FOUND, method="DELETE", status=404)
    await KIND.delete(context, resource({"id": "7"}))


async def test_a_missing_route_does_not_count_as_removed(context: Context, server: Scripted) -> None:
    server.answer("/licenses/7", NO_ROUTE, method="DELETE", status=404)
    with pytest.raises(errors.NotFound):
        await KIND.delete(context, resource({"id": "7"}))


async def test_the_identity_is_what_the_secret_holds(context: Context, beside: Beside) -> None:
    beside.secrets["default", "licence"] = {"license": token(claims())}
    beside.secrets["default", "other"] = {"key": token(claims(), {"kid": "x"})}
    same = spec(secretRef={"name": "other", "key": "key"})
    assert await KIND.identity(context, resource(), spec()) == await KIND.identity(context, resource(), same)

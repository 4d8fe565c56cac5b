"""Licences on a server: uploaded, renewed, and neither doubled nor lost by a crash."""

from __future__ import annotations

import contextlib
import itertools
import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from aiohttp import web

from coder_enterprise.client import errors
from coder_enterprise.client.errors import Meaning
from coder_enterprise.kinds.license.claims import read_claims
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.license.builders import KIND, Body, Killed, Points, claims, plan, resource, spec, token
from tests.support.beside import Beside
from tests.support.scripted import NO_ROUTE, NOT_FOUND, Asked, Scripted

POINTS: Final = 14
"""More than a reconcile has."""


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


@pytest.fixture
def shop(server: Scripted) -> Shop:
    return Shop(server)


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

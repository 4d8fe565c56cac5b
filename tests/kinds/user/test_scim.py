"""Users who are made and suspended by SCIM."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from aiohttp import web

from coder_enterprise.client import errors
from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.user.builders import ANN, BOB, SCIM_KEY, Body, People, answer_scim, reconcile
from tests.support.scripted import Asked, Scripted


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

"""People who log in with a password: the first one comes from a Secret, and is of interest once."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from coder_enterprise.kinds.machinery.base import Context
from coder_enterprise.kinds.machinery.errors import KindError
from coder_enterprise.kinds.machinery.reasons import Reason
from tests.kinds.user.builders import ANN, KIND, People, observed, plan, reconcile, resource, spec
from tests.support.beside import Beside
from tests.support.scripted import Scripted

PASSWORD: Final = " correct horse "
DECLARED: Final[dict[str, Any]] = {"loginType": "password", "passwordSecretRef": {"name": "ann-password"}}


@pytest.fixture
def secrets(context: Context) -> dict[tuple[str, str], dict[str, str]]:
    assert isinstance(context.beside, Beside)
    return context.beside.secrets


def sent(server: Scripted) -> list[dict[str, Any]]:
    return [json.loads(asked.body) for asked in server.asked if asked.method == "POST"]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
async def test_a_user_is_made_with_the_password_of_the_secret(
    context: Context,
    server: Scripted,
    people: People,
    secrets: dict[tuple[str, str], dict[str, str]],
    ending: str,
) -> None:
    secrets["default", "ann-password"] = {"password": f"{PASSWORD}{ending}"}
    await reconcile(context, **DECLARED)
    (body,) = sent(server)
    assert (body["login_type"], body["password"]) == ("password", PASSWORD)


async def test_one_who_exists_is_adopted_and_the_secret_is_not_asked_for(
    context: Context, server: Scripted, people: People
) -> None:
    people.put(ANN, "ann", login_type="password")
    await reconcile(context, **DECLARED)
    await reconcile(context, loginType="password")
    assert people.writes() == []


@pytest.mark.parametrize(
    ("values", "reason"),
    [(None, Reason.SECRET_NOT_FOUND), ({}, Reason.SECRET_KEY_MISSING), ({"password": "\n"}, Reason.SECRET_KEY_MISSING)],
)
async def test_without_a_password_nobody_is_made_and_the_field_is_named(
    context: Context,
    server: Scripted,
    people: People,
    secrets: dict[tuple[str, str], dict[str, str]],
    values: dict[str, str] | None,
    reason: Reason,
) -> None:
    if values is not None:
        secrets["default", "ann-password"] = values
    with pytest.raises(KindError, match=r"spec\.passwordSecretRef: .*default/ann-password") as raised:
        await reconcile(context, **DECLARED)
    assert raised.value.reason == reason
    assert sent(server) == []


async def test_a_new_user_with_a_password_needs_the_reference(
    context: Context, server: Scripted, people: People
) -> None:
    with pytest.raises(KindError, match=r"spec\.passwordSecretRef: .*ann@example\.com") as raised:
        await reconcile(context, loginType="password")
    assert raised.value.reason == Reason.SECRET_NOT_FOUND
    assert sent(server) == []


async def test_others_are_made_without_one(context: Context, server: Scripted, people: People) -> None:
    await reconcile(context, loginType="oidc")
    assert "password" not in sent(server)[0]


def test_the_plan_says_nothing_of_it() -> None:
    assert plan(spec(**DECLARED), observed()) == plan(spec(loginType="password"), observed())


def test_the_secret_wakes_the_object_until_the_user_is_there() -> None:
    assert KIND.secrets(resource(), spec(**DECLARED)) == ("ann-password",)
    assert KIND.secrets(resource({"id": ANN}), spec(**DECLARED)) == ()
    assert KIND.secrets(resource(), spec(loginType="password")) == ()

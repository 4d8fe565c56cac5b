"""/users/{user}/keys: session keys and API tokens."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from coder_enterprise.server.services import clock, sessions
from tests.support.api import Body, Client, People, checked, create_user, refused

TOKENS = "/users/me/keys/tokens"
HOUR = 3_600_000_000_000


async def create_token(client: Client, name: str = "", url: str = TOKENS, **fields: Any) -> str:
    key = checked(await client.post(url, json={"token_name": name, **fields}))["key"]
    assert isinstance(key, str)
    return key


async def test_a_token_acts_for_its_user_and_is_shown_once(member: Client, people: People) -> None:
    key = await create_token(member, "ci")
    assert re.fullmatch(r"[A-Za-z0-9]{10}-[A-Za-z0-9]{22}", key)
    assert checked(await people.client(key).get("/users/me"))["id"] == member.user_id
    answer = await member.get(TOKENS)
    assert key.partition("-")[2] not in answer.text
    (token,) = answer.json()
    assert set(token) == {
        "id", "user_id", "last_used", "expires_at", "created_at", "updated_at", "login_type", "scope", "scopes",
        "token_name", "lifetime_seconds", "allow_list", "username",
    }  # fmt: skip
    assert (token["id"], token["token_name"], token["login_type"]) == (key[:10], "ci", "token")
    assert (token["scope"], token["lifetime_seconds"]) == ("all", 30 * 24 * 3600)
    assert (token["scopes"], token["allow_list"]) == (["coder:all"], ["*:*"])


async def test_a_token_is_found_and_deleted_by_id_and_by_name(member: Client, people: People) -> None:
    key = await create_token(member, "ci")
    by_name = checked(await member.get(f"{TOKENS}/ci"))
    assert checked(await member.get(f"/users/me/keys/{key[:10]}")) == by_name
    assert (await member.delete(f"/users/me/keys/{key[:10]}")).status_code == 204
    refused(await people.client(key).get("/users/me"), 401)
    refused(await member.delete(f"{TOKENS}/ci"), 404)
    await create_token(member, "ci")
    assert (await member.delete(f"{TOKENS}/ci")).status_code == 204
    assert (await member.get(TOKENS)).json() == []


async def test_a_name_that_is_taken_is_refused_to_the_same_user_alone(owner: Client, member: Client) -> None:
    await create_token(member, "ci")
    refused(await member.post(TOKENS, json={"token_name": "ci"}), 409, "token_name")
    await create_token(owner, "ci")


async def test_a_token_without_a_name_gets_one(member: Client) -> None:
    await create_token(member)
    await create_token(member)
    assert len({token["token_name"] for token in (await member.get(TOKENS)).json()}) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lifetime", -1),
        ("lifetime", 876_600 * HOUR + 1),
        ("token_name", "a/b"),
        ("token_name", " a"),
        ("token_name", "tokenconfig"),
        ("token_name", "a\nb"),
        ("token_name", "x" * 65),
        ("scope", "some"),
        ("scopes", ["workspace:read", "pony:ride"]),
        ("scopes", ["user:delete"]),
        ("scopes", [""]),
        ("allow_list", ["workspace:1"]),
    ],
)
async def test_what_a_token_cannot_be_is_refused_by_its_field(member: Client, field: str, value: object) -> None:
    refused(await member.post(TOKENS, json={field: value}), 400, field)
    assert (await member.get(TOKENS)).json() == []


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"lifetime": "1h"}', b'{"lifetime": 1.5}'])
async def test_a_body_that_cannot_be_read_is_refused(member: Client, content: bytes) -> None:
    assert (await member.post(TOKENS, content=content)).status_code == 400


async def test_the_longest_lifetime_is_told_and_accepted(member: Client) -> None:
    config = checked(await member.get(f"{TOKENS}/tokenconfig"))
    await create_token(member, lifetime=config["max_token_lifetime"])


async def test_an_expired_token_is_refused(member: Client, people: People) -> None:
    key = await create_token(member, lifetime=1)
    refused(await people.client(key).get("/users/me"), 401)


async def test_use_extends_a_session_but_no_token(
    member: Client, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await create_token(member, "ci", lifetime=4 * HOUR)
    session = checked(await member.post("/users/me/keys"))["key"]
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(sessions, "now", lambda: later)
    for key in (token, session):
        checked(await people.client(key).get("/users/me"))
    expiry: dict[str, datetime] = {}
    for key in (token, session):
        found = checked(await people.client(session).get(f"/users/me/keys/{key[:10]}"))
        expiry[key] = datetime.fromisoformat(found["expires_at"])
    assert expiry[token] < later + timedelta(hours=2, seconds=1)
    assert expiry[session] == later + timedelta(days=7)


async def test_a_session_key_is_no_token(member: Client, people: People) -> None:
    key = checked(await member.post("/users/me/keys"))["key"]
    assert checked(await people.client(key).get("/users/me"))["id"] == member.user_id
    assert (await member.get(TOKENS)).json() == []


@pytest.mark.parametrize("change", ["suspend", "delete"])
async def test_the_token_of_one_who_is_suspended_or_deleted_is_refused(
    owner: Client, member: Client, people: People, change: str
) -> None:
    key = await create_token(member, "ci")
    url = f"/users/{member.user_id}"
    checked(await (owner.put(f"{url}/status/suspend") if change == "suspend" else owner.delete(url)))
    refused(await people.client(key).get("/users/me"), 401)
    assert (await owner.post(f"{url}/keys/tokens", json={})).status_code in {403, 404}
    assert (await owner.post(f"{url}/keys")).status_code in {403, 404}


async def test_only_an_owner_has_to_do_with_the_tokens_of_others(
    owner: Client, user_admin: Client, auditor: Client, member: Client, people: People
) -> None:
    user = await create_user(owner, "ann")
    url = f"/users/{user['id']}/keys"
    key = await create_token(owner, "ci", f"{url}/tokens")
    assert checked(await people.client(key).get("/users/me"))["username"] == "ann"
    for client in (user_admin, auditor):
        refused(await client.post(f"{url}/tokens", json={}), 403)
        refused(await client.post(url), 403)
        assert (await client.get(f"{url}/tokens")).json() == []
        assert (await client.get(TOKENS, params={"include_all": True})).json() == []
        refused(await client.get(f"{url}/tokens/ci"), 404)
        refused(await client.delete(f"{url}/{key[:10]}"), 404)
    for method, path in (("GET", f"{url}/tokens"), ("POST", url), ("GET", f"{url}/tokens/ci")):
        refused(await member.request(method, path), 400)
    everybody: list[Body] = (await owner.get(TOKENS, params={"include_all": True})).json()
    assert [(token["username"], token["token_name"]) for token in everybody] == [("ann", "ci")]


@pytest.mark.parametrize("key", ["nothing", "..%2f..%2fetc", "' OR 1=1 --"])
async def test_an_unknown_key_is_not_found(member: Client, key: str) -> None:
    refused(await member.get(f"/users/me/keys/{key}"), 404)


async def test_the_audit_log_tells_of_a_token_without_its_secret(owner: Client) -> None:
    key = await create_token(owner, "ci")
    answer = await owner.get("/audit", params={"q": "resource_type:api_key action:create"})
    assert key.partition("-")[2] not in answer.text
    log = answer.json()["audit_logs"][0]
    assert log["additional_fields"] == {"resource_id": key[:10]}
    assert log["diff"]["name"] == {"old": None, "new": "ci", "secret": False}

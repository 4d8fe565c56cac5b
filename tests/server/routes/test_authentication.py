"""Session tokens: where they are read from, which ones are refused, logging in and out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from coder_enterprise.server.routes.dependencies import SESSION_TOKEN
from coder_enterprise.server.services import clock, sessions
from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.session_tokens import LIFETIME
from tests.support.api import OWNER, PASSWORD, Client, People, checked, create_user, refused

NOT_KNOWN = "0123456789-0123456789012345678901"


async def test_a_token_opens_the_api_in_the_header(owner: Client, nobody: Client) -> None:
    answer = await nobody.get("/users/me", headers={"Coder-Session-Token": owner.token})
    assert checked(answer)["username"] == OWNER


async def test_a_token_opens_the_api_in_the_cookie(owner: Client, nobody: Client) -> None:
    answer = await nobody.get("/users/me", headers={"Cookie": f"other=1; {SESSION_TOKEN}={owner.token}"})
    assert checked(answer)["username"] == OWNER


async def test_a_token_opens_the_api_in_the_query(owner: Client, nobody: Client) -> None:
    assert checked(await nobody.get("/users/me", params={SESSION_TOKEN: owner.token}))["username"] == OWNER


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_token_opens_the_api_as_a_bearer(owner: Client, nobody: Client, scheme: str) -> None:
    answer = await nobody.get("/users/me", headers={"Authorization": f"{scheme} {owner.token}"})
    assert checked(answer)["username"] == OWNER


async def test_basic_authorization_is_no_token(owner: Client, nobody: Client) -> None:
    refused(await nobody.get("/users/me", headers={"Authorization": f"Basic {owner.token}"}), 401)


async def test_the_cookie_comes_before_the_query(owner: Client, member: Client, nobody: Client) -> None:
    answer = await nobody.get(
        "/users/me", params={SESSION_TOKEN: member.token}, headers={"Cookie": f"{SESSION_TOKEN}={owner.token}"}
    )
    assert checked(answer)["id"] == owner.user_id


async def test_the_query_comes_before_the_header(owner: Client, member: Client) -> None:
    assert checked(await member.get("/users/me", params={SESSION_TOKEN: owner.token}))["id"] == owner.user_id


async def test_the_header_comes_before_the_bearer(owner: Client, member: Client) -> None:
    answer = await owner.get("/users/me", headers={"Authorization": f"Bearer {member.token}"})
    assert checked(answer)["id"] == owner.user_id


async def test_an_empty_cookie_does_not_hide_the_header(owner: Client) -> None:
    assert (await owner.get("/users/me", headers={"Cookie": f"{SESSION_TOKEN}="})).status_code == 200


async def test_a_bad_cookie_hides_a_good_header(owner: Client) -> None:
    refused(await owner.get("/users/me", headers={"Cookie": f"{SESSION_TOKEN}={NOT_KNOWN}"}), 401)


@pytest.mark.parametrize(
    "token",
    ["x", "-", NOT_KNOWN[:-1], NOT_KNOWN + "1", NOT_KNOWN.replace("-", "_"), f"{NOT_KNOWN}\t", "' OR 1=1 --", "é" * 33],
)
async def test_a_malformed_token_is_refused(owner: Client, nobody: Client, token: str) -> None:
    answer = await nobody.get("/users/me", params={SESSION_TOKEN: token})
    assert "malformed" in refused(answer, 401)["detail"]


async def test_no_token_is_refused_with_the_scheme_that_is_asked_for(nobody: Client) -> None:
    answer = await nobody.get("/users/me")
    assert refused(answer, 401)["detail"] == "No session token was sent."
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_unknown_token_and_a_wrong_secret_are_refused_alike(owner: Client, people: People) -> None:
    wrong_secret = owner.token[:11] + NOT_KNOWN[11:]
    answers = [await people.client(token).get("/users/me") for token in (NOT_KNOWN, wrong_secret)]
    assert refused(answers[0], 401) == refused(answers[1], 401)


async def test_a_token_with_the_secret_in_another_case_is_refused(owner: Client, people: People) -> None:
    refused(await people.client(owner.token[:11] + owner.token[11:].swapcase()).get("/users/me"), 401)


async def test_an_expired_token_is_refused_and_told_so(
    owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "now", lambda: clock.now() + LIFETIME + timedelta(seconds=1))
    await services.sessions.forget()
    assert "expired" in refused(await owner.get("/users/me"), 401)["detail"]


async def test_use_keeps_a_token_alive(owner: Client, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    for hours in (23, 46, 69):
        monkeypatch.setattr(sessions, "now", lambda later=timedelta(hours=hours): clock.now() + later)
        await services.sessions.forget()
        assert (await owner.get("/users/me")).status_code == 200


async def test_the_token_of_a_suspended_user_is_refused_at_once(owner: Client, member: Client) -> None:
    assert (await member.get("/users/me")).status_code == 200
    checked(await owner.put(f"/users/{member.user_id}/status/suspend"))
    assert "suspended" in refused(await member.get("/users/me"), 401)["message"]


async def test_the_token_of_a_suspended_user_works_again_when_they_are_active(owner: Client, member: Client) -> None:
    checked(await owner.put(f"/users/{member.user_id}/status/suspend"))
    checked(await owner.put(f"/users/{member.user_id}/status/activate"))
    assert (await member.get("/users/me")).status_code == 200


async def test_the_token_of_a_deleted_user_is_refused_at_once(owner: Client, member: Client) -> None:
    assert (await member.get("/users/me")).status_code == 200
    checked(await owner.delete(f"/users/{member.user_id}"))
    refused(await member.get("/users/me"), 401)


async def test_roles_that_are_taken_away_are_gone_at_once(owner: Client, auditor: Client) -> None:
    assert checked(await auditor.get("/users"))["count"] == 2
    checked(await owner.put(f"/users/{auditor.user_id}/roles", json={"roles": []}))
    assert checked(await auditor.get("/users"))["count"] == 1


async def test_no_token_is_in_the_files_of_the_database(owner: Client, database_path: Path) -> None:
    files = [file for file in database_path.parent.iterdir() if file.name.startswith(database_path.name)]
    content = b"".join(file.read_bytes() for file in files)
    key_id, _, secret = owner.token.partition("-")
    assert key_id.encode() in content
    assert secret.encode() not in content
    assert PASSWORD.encode() not in content


async def test_a_dormant_user_is_active_after_logging_in(owner: Client, people: People) -> None:
    made = await create_user(owner, "ann", login_type="password", password=PASSWORD)
    assert made["last_seen_at"] == "0001-01-01T00:00:00Z"
    assert checked(await owner.get("/users?q=status:dormant"))["count"] == 1
    ann = await people.log_in("ann")
    assert checked(await owner.get("/users?q=status:dormant"))["count"] == 0
    seen = checked(await ann.get("/users/me"))
    assert seen["status"] == "active"
    assert seen["last_seen_at"] > made["created_at"]


async def test_log_in_answers_a_token_and_sets_it_as_a_cookie_that_scripts_cannot_read(
    owner: Client, nobody: Client
) -> None:
    answer = await nobody.post("/users/login", json={"email": f"{OWNER}@example.com", "password": PASSWORD})
    assert answer.status_code == 201
    token = checked(answer)["session_token"]
    cookie = answer.headers["set-cookie"]
    assert f"{SESSION_TOKEN}={token};" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert checked(await nobody.get("/users/me"))["id"] == owner.user_id  # the client keeps cookies


async def test_the_email_of_a_login_may_be_in_any_case(owner: Client, nobody: Client) -> None:
    body = {"email": f"{OWNER}@EXAMPLE.com".upper(), "password": PASSWORD}
    assert (await nobody.post("/users/login", json=body)).status_code == 201


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (f"{OWNER}@example.com", PASSWORD + "x"),
        (f"{OWNER}@example.com", ""),
        (OWNER, PASSWORD),
        ("unknown@example.com", PASSWORD),
        ("' OR '1'='1", PASSWORD),
        ("", ""),
    ],
)
@pytest.mark.usefixtures("owner")
async def test_wrong_credentials_are_refused_without_telling_which(nobody: Client, email: str, password: str) -> None:
    answer = await nobody.post("/users/login", json={"email": email, "password": password})
    assert refused(answer, 401) == {"message": "Incorrect email or password."}
    assert "set-cookie" not in answer.headers


async def test_a_user_without_a_password_cannot_log_in(owner: Client, nobody: Client) -> None:
    await create_user(owner, "ann", login_type="none")
    for password in ("", "none", PASSWORD):
        refused(await nobody.post("/users/login", json={"email": "ann@example.com", "password": password}), 401)


async def test_a_suspended_user_who_knows_the_password_is_told_of_the_suspension(
    owner: Client, member: Client, nobody: Client
) -> None:
    email = checked(await owner.put(f"/users/{member.user_id}/status/suspend"))["email"]
    right, wrong = [
        await nobody.post("/users/login", json={"email": email, "password": password}) for password in (PASSWORD, "x")
    ]
    assert "suspended" in refused(right, 401)["message"]
    assert "suspended" not in refused(wrong, 401)["message"]


async def test_log_in_names_what_is_missing(nobody: Client) -> None:
    refused(await nobody.post("/users/login", json={}), 400, "email", "password")


async def test_log_out_ends_this_session_at_once_and_no_other(owner: Client, people: People) -> None:
    other = await people.log_in(OWNER)
    answer = await owner.post("/users/logout")
    assert checked(answer)["message"]
    assert f'{SESSION_TOKEN}=""' in answer.headers["set-cookie"]
    refused(await owner.get("/users/me"), 401)
    assert (await other.get("/users/me")).status_code == 200

"""Licences: the endpoints, who may use them, and what is no licence."""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coder_enterprise.server.services.all import Services
from coder_enterprise.server.services.clock import now
from coder_enterprise.server.settings import Settings
from coder_enterprise.server.storage.database import Database
from coder_enterprise.server.storage.failures import Outage
from coder_enterprise.server.storage.licenses import License
from coder_enterprise.wire.licenses import AddLicenseRequest
from coder_enterprise.wire.profiles import Profile
from tests.support.api import Body, Client, People, checked, refused
from tests.support.licenses import DAY, KEY, KEY_ID, PUBLIC_KEYS, Claims, signed, standard, write_keys
from tests.support.waiting import wait_for

NO_RIGHTS = ["user-admin", "template-admin", "auditor", ""]


@pytest.fixture
def license_claims() -> Claims | None:
    return None


async def add(client: Client, token: str) -> Body:
    return checked(await client.post("/licenses", json={"license": token}))


async def licenses(client: Client) -> list[Body]:
    answer = await client.get("/licenses")
    assert answer.status_code == 200
    shown: list[Body] = answer.json()
    return shown


async def refusal(client: Client, token: str, status: int = 400) -> str:
    """Why it is refused; the token is not in the answer, and nothing is stored."""
    answer = await client.post("/licenses", json={"license": token})
    body = refused(answer, status, "license")
    assert not any(part in answer.text for part in token.split(".") if len(part) > 8)
    assert await licenses(client) == []
    return str(body["validations"][0]["detail"])


# Adding


async def test_a_licence_is_shown_with_its_claims_word_for_word(owner: Client) -> None:
    claims = standard(jti=str(uuid4()), nonsense={"a": [1.5, None, "ä"]}, sub="x@example.com", aud="y", iss="z")
    answer = await owner.post("/licenses", json={"license": jwt.encode(claims, KEY, "EdDSA", {"kid": KEY_ID})})
    assert answer.status_code == 201
    made = checked(answer)
    assert set(made) == {"id", "uuid", "uploaded_at", "claims"}
    assert (made["id"], made["uuid"], made["claims"]) == (1, claims["jti"], claims)
    assert await licenses(owner) == [made]


async def test_licences_are_listed_by_id_and_an_id_is_never_used_again(owner: Client) -> None:
    first = await add(owner, signed(features={"user_limit": 1}))
    last = await add(owner, signed(features={"user_limit": 2}))
    await owner.delete(f"/licenses/{last['id']}")
    newest = await add(owner, signed(features={"user_limit": 3}))
    assert [item["id"] for item in await licenses(owner)] == [first["id"], newest["id"]]
    assert newest["id"] > last["id"]


@pytest.mark.parametrize("jti", [None, "no uuid", 5])
async def test_a_licence_without_a_usable_jti_gets_a_uuid(owner: Client, jti: object) -> None:
    made = await add(owner, signed(jti=jti))
    assert UUID(made["uuid"]).version == 4
    assert made["claims"].get("jti") == jti


async def test_space_around_a_licence_does_not_matter(owner: Client) -> None:
    await add(owner, f"\n {signed()}\r\n")


async def test_a_licence_that_is_there_already_is_a_conflict(owner: Client) -> None:
    token = signed()
    made = await add(owner, token)
    answer = await owner.post("/licenses", json={"license": f"{token}\n"})
    refused(answer, 409, "license")
    assert token not in answer.text
    assert await licenses(owner) == [made]


async def test_two_licences_may_have_the_same_jti(owner: Client) -> None:
    jti = str(uuid4())
    first, second = await add(owner, signed(jti=jti)), await add(owner, signed(jti=jti, trial=True))
    assert first["uuid"] == second["uuid"] == jti
    assert first["id"] != second["id"]


async def test_a_licence_is_checked_and_counts_at_once(owner: Client, nobody: Client) -> None:
    assert not checked(await nobody.get("/entitlements"))["has_license"]
    refused(await owner.get("/organizations/default/groups"), 403)
    await add(owner, signed())
    assert checked(await nobody.get("/entitlements"))["has_license"]
    checked(await owner.get("/organizations/default/groups"))


async def test_a_licence_of_the_future_is_taken_and_does_nothing_yet(owner: Client) -> None:
    await add(owner, signed(nbf=int(time.time()) + DAY))
    assert not checked(await owner.get("/entitlements"))["has_license"]
    refused(await owner.get("/organizations/default/groups"), 403)


async def test_a_licence_for_this_deployment_is_taken(owner: Client, services: Services) -> None:
    await add(owner, signed(deployment_ids=[str(uuid4()), str(services.deployment.id).upper()]))
    assert checked(await owner.get("/entitlements"))["has_license"]


# What is no licence


def altered(token: str) -> str:
    header, _, signature = token.split(".")
    better = base64.urlsafe_b64encode(json.dumps(standard(features={"user_limit": 10**6})).encode()).rstrip(b"=")
    return f"{header}.{better.decode()}.{signature}"


def respelt(token: str) -> str:
    """The same bytes: the last character of 64 bytes in base64 has four bits that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) + 1]


def encoded(claims: Any, key: Any, algorithm: str, **headers: Any) -> str:
    return jwt.encode(claims, key, algorithm, headers)


STRANGER = Ed25519PrivateKey.generate()
BAD: dict[str, tuple[str, str]] = {
    "tampered": (altered(signed()), "does not match its signature"),
    "respelt": (respelt(signed()), "is no JWT"),
    "expired": (signed(exp=int(time.time()) - 1), "expired at"),
    "wrong key": (signed(STRANGER), "signed with another key of that name"),
    "unknown key": (signed(STRANGER, "stranger"), "key 'stranger', which is not trusted here; trusted: test"),
    "public key as secret": (encoded(standard(), PUBLIC_KEYS[KEY_ID], "HS256", kid=KEY_ID), "only EdDSA is accepted"),
    "no signature": (encoded(standard(), None, "none", kid=KEY_ID), "only EdDSA is accepted"),
    "signature cut off": (signed().rpartition(".")[0] + ".", "does not match its signature"),
    "no kid": (encoded(standard(), KEY, "EdDSA"), "has no kid"),
    "kid is no text": ("eyJhbGciOiJFZERTQSIsImtpZCI6MX0.e30.AA", "header that cannot be read"),
    "version 2": (signed(version=2), "version that is not 3"),
    "version as text": (signed(version="3"), "version that is not 3"),
    "no version": (signed(version=None), "lacks the claim version"),
    "no license_expires": (signed(license_expires=None), "lacks the claim license_expires"),
    "no exp": (signed(exp=None), "lacks the claim exp"),
    "exp is text": (signed(exp="2030-01-01"), "claim exp that cannot be read: must be a number of seconds"),
    "exp beyond the calendar": (signed(exp=10**18), "claim exp that cannot be read: is no moment"),
    "license_expires is true": (signed(license_expires=True), "claim license_expires"),
    "features is a list": (signed(features=["scim"]), "claim features"),
    "a feature is true": (signed(features={"scim": True}), "claim features.scim"),
    "trial is a number": (signed(trial=1), "claim trial"),
    "another deployment": (signed(deployment_ids=[str(uuid4())]), "deployment_ids"),
    "not a JWT": ("not-a-jwt", "is no JWT"),
    "not ASCII": ("é.é.é", "is no JWT"),
    "five parts": ("a.b.c.d.e", "is no JWT"),
    "header is no JSON": ("AAAA.e30.AA", "header that cannot be read"),
    "header is a list": ("W10.e30.AA", "header that cannot be read"),
    "header too deep": (f"{base64.urlsafe_b64encode(b'[' * 30_000).decode()}.e30.AA", "header that cannot be read"),
    "payload is a list": (
        jwt.api_jws.encode(b"[1]", KEY, "EdDSA", {"kid": KEY_ID}),
        "cannot be decoded",
    ),
    "oversized": (signed(more="x" * 70_000), "more than 65536 characters"),
    "blank": (" \n", "is required"),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_no_good_licence_is_refused_with_the_cause(owner: Client, case: str) -> None:
    token, cause = BAD[case]
    assert cause in await refusal(owner, token)
    assert not checked(await owner.get("/entitlements"))["has_license"]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("{", ()),
        ("", ()),
        ("[]", ()),
        ("{}", ("license",)),
        ('{"license": null}', ("license",)),
        ('{"license": 1}', ("license",)),
        ('{"license": ["x"]}', ("license",)),
    ],
)
async def test_what_is_no_body_is_refused(owner: Client, content: str, fields: tuple[str, ...]) -> None:
    refused(await owner.post("/licenses", content=content), 400, *fields)


async def test_a_body_that_is_too_large_is_refused(owner: Client) -> None:
    refused(await owner.post("/licenses", json={"license": "x" * 2**20}), 413)


# Deleting


async def test_a_deleted_licence_counts_no_more(owner: Client) -> None:
    made = await add(owner, signed())
    answer = await owner.delete(f"/licenses/{made['id']}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert "content-type" not in answer.headers
    assert await licenses(owner) == []
    assert not checked(await owner.get("/entitlements"))["has_license"]
    refused(await owner.delete(f"/licenses/{made['id']}"), 404)


@pytest.mark.parametrize(
    "reference", ["0", "-1", "+7", "2147483647", "2147483648", "9" * 30, "x", "1.0", "%31%20", "%D9%A1"]
)
async def test_an_id_that_no_licence_has_is_not_found(owner: Client, reference: str) -> None:
    await add(owner, signed())
    refused(await owner.delete(f"/licenses/{reference}"), 404)
    assert len(await licenses(owner)) == 1


async def test_there_is_no_reading_of_a_single_licence(owner: Client) -> None:
    assert (await owner.get("/licenses/1")).status_code == 405


# Refreshing


async def test_a_refresh_that_comes_too_soon_says_how_long_to_wait(owner: Client) -> None:
    answer = await owner.post("/licenses/refresh-entitlements")
    refused(answer, 400)
    assert 0 < int(answer.headers["Retry-After"]) <= 60


async def test_a_refresh_computes_the_entitlements_anew(owner: Client, services: Services) -> None:
    before = services.entitlements.current
    before.refreshed_at = before.refreshed_at.replace(year=2000)
    answer = await owner.post("/licenses/refresh-entitlements")
    assert answer.status_code == 201
    assert set(checked(answer)) == {"message", "detail", "validations"}
    assert checked(await owner.get("/entitlements"))["refreshed_at"] > "2020"


# Who may


@pytest.mark.parametrize("role", NO_RIGHTS)
async def test_only_an_owner_sees_and_changes_licences(people: People, owner: Client, role: str) -> None:
    made = await add(owner, signed())
    client = await people.with_roles(*([role] if role else []))
    assert await licenses(client) == []
    refused(await client.post("/licenses", json={"license": signed(trial=True)}), 403)
    refused(await client.delete(f"/licenses/{made['id']}"), 403)
    refused(await client.delete("/licenses/999"), 403)
    refused(await client.delete("/licenses/x"), 404)
    refused(await client.post("/licenses/refresh-entitlements"), 403)
    assert await licenses(owner) == [made]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/licenses"),
        ("DELETE", "/licenses/1"),
        ("POST", "/licenses/refresh-entitlements"),
        ("GET", "/appearance"),
    ],
)
async def test_nobody_is_refused(nobody: Client, method: str, path: str) -> None:
    refused(await nobody.request(method, path), 401)


async def test_nobody_adds_a_licence(nobody: Client) -> None:
    refused(await nobody.post("/licenses", json={"license": signed()}), 401)


# Secrecy


async def test_a_licence_is_in_no_audit_row(owner: Client, database_path: Path) -> None:
    token = signed()
    made = await add(owner, token)
    await owner.delete(f"/licenses/{made['id']}")
    with sqlite3.connect(database_path) as connection:
        rows = connection.execute(
            "SELECT action, resource_id, resource_name, before, after FROM audit_log WHERE resource_type = 'license'"
        ).fetchall()
    connection.close()
    assert [row[:3] for row in rows] == [(action, "1", made["uuid"]) for action in ("create", "delete")]
    assert not any(part in str(rows) for part in token.split("."))


def test_a_licence_is_in_no_repr() -> None:
    token = signed()
    row, request = License(1, uuid4(), token, now(), now()), AddLicenseRequest(license=token)
    assert token not in f"{row!r} {row} {request!r} {request}"


# The Go SDK's shapes


class TestProfile:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return Settings(license_keys_file=write_keys(tmp_path / "keys.json"), profile=Profile.CODERSDK)

    async def test_no_licences_are_null(self, owner: Client) -> None:
        answer = await owner.get("/licenses")
        assert (answer.status_code, answer.json()) == (200, None)

    async def test_a_refresh_answers_200(self, owner: Client, services: Services) -> None:
        before = services.entitlements.current
        before.refreshed_at = before.refreshed_at.replace(year=2000)
        assert (await owner.post("/licenses/refresh-entitlements")).status_code == 200


class TestWithoutKeys:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings()

    async def test_no_licence_is_accepted(self, owner: Client) -> None:
        assert "trusted: none" in await refusal(owner, signed())


async def test_a_licence_that_is_stored_is_answered_so_when_the_database_goes_away_then(
    owner: Client, services: Services, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the other replicas are told."""
    told: list[str | None] = []
    database.notifications.subscribe("licenses", told.append)

    async def refresh() -> None:
        raise Outage("The database does not answer; try again in a moment.")

    monkeypatch.setattr(services.entitlements, "refresh", refresh)
    await add(owner, signed())
    await wait_for(lambda: told, "the replicas are told")

"""The first user: anybody may make it, once."""

from __future__ import annotations

import asyncio

import pytest

from coder_enterprise.server.services import passwords
from tests.support.api import OWNER, PASSWORD, Body, Client, checked, refused

FIRST: Body = {"username": OWNER, "email": f"{OWNER}@example.com", "password": PASSWORD}


async def test_there_is_none_at_first(nobody: Client) -> None:
    refused(await nobody.get("/users/first"), 404)


async def test_it_is_an_owner_in_the_default_organization(nobody: Client) -> None:
    answer = await nobody.post("/users/first", json=FIRST)
    assert answer.status_code == 201
    made = checked(answer)
    checked(await nobody.post("/users/login", json=FIRST))
    me = checked(await nobody.get("/users/me"))
    assert (me["id"], me["organization_ids"]) == (made["user_id"], [made["organization_id"]])
    assert me["roles"] == [{"name": "owner", "display_name": "Owner"}]
    assert checked(await nobody.get("/organizations/default"))["id"] == made["organization_id"]


async def test_afterwards_it_is_there_and_a_second_one_is_refused(nobody: Client) -> None:
    checked(await nobody.post("/users/first", json=FIRST))
    checked(await nobody.get("/users/first"))
    refused(await nobody.post("/users/first", json=FIRST | {"username": "other", "email": "o@example.com"}), 409)


async def test_of_many_at_once_one_is_made(nobody: Client) -> None:
    bodies = [FIRST | {"username": f"u{number}", "email": f"u{number}@example.com"} for number in range(8)]
    answers = await asyncio.gather(*(nobody.post("/users/first", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"email": "nobody"}, ["email"]),
        ({"username": "a b"}, ["username"]),
        ({"password": "short"}, ["password"]),
        ({"password": ""}, ["password"]),
        ({"email": "", "username": "", "password": "x"}, ["email", "password", "username"]),
    ],
)
async def test_what_breaks_a_rule_is_refused_by_field(nobody: Client, change: Body, fields: list[str]) -> None:
    refused(await nobody.post("/users/first", json=FIRST | change), 400, *fields)
    refused(await nobody.get("/users/first"), 404)


async def test_what_is_missing_is_refused_by_field(nobody: Client) -> None:
    refused(await nobody.post("/users/first", json={"username": "a"}), 400, "email", "password")


@pytest.mark.usefixtures("owner")
async def test_a_stranger_cannot_make_the_server_hash_passwords(
    nobody: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(password: str) -> str:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr(passwords, "hash_password", fail)
    refused(await nobody.post("/users/first", json=FIRST), 409)


@pytest.mark.usefixtures("owner")
async def test_a_stranger_is_told_nothing_about_the_form_once_there_is_an_owner(nobody: Client) -> None:
    refused(await nobody.post("/users/first", json=FIRST | {"email": "nobody"}), 409)

"""Passwords: which are strong enough, and how they are stored."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher
from typing_extensions import override

from coder_enterprise.server.errors import Overloaded
from coder_enterprise.server.services import passwords
from coder_enterprise.server.services.passwords import hash_password, is_outdated, verify, weakness
from coder_enterprise.server.services.pools import Pool
from tests.support.api import PASSWORD
from tests.support.passwords import CHEAP_HASHER

# Of PASSWORD, as older versions of this server made them.
SCRYPT = (
    "scrypt:16384:8:000102030405060708090a0b0c0d0e0f:a7366b252d0d"
    "ae856667146f986bc56b87675ae27235e50e17c5c296149348322c1a15ce5b218b6fa840a8341cd7ae0f2f86c3767c3067332e2494c149d81ffe"
)
SCRYPT_OF_ANOTHER_COST = (
    "scrypt:64:8:000102030405060708090a0b0c0d0e0f:96d1573bceb6de5"
    "174756f6013a2c38f2733c735535cad5281c3805c42a5651d3fae7103df7ab1b23fd84396906a5d8723603da473e113f473ad6b37a6392cf4"
)


@pytest.mark.parametrize(
    "password", [PASSWORD, "abcdefghijkl", "aB3$eF7&", "0123456789" * 2, "пароль-из-слов", "🚀x🚀y🚀z🚀w🚀"]
)
def test_a_password_of_enough_characters_and_kinds_is_strong(password: str) -> None:
    assert weakness(password) == ""


@pytest.mark.parametrize(
    "password", ["", "a", "password", "12345678", "aA1!aA1", "a" * 64, "ab" * 3 + "b" * 50, "        "]
)
def test_a_short_or_monotonous_password_is_weak(password: str) -> None:
    assert "weak" in weakness(password)


def test_an_endless_password_is_refused() -> None:
    assert weakness("aB3$eF7&" * 8) == ""
    assert "64" in weakness("aB3$eF7&" * 8 + "x")


async def test_a_password_verifies_against_its_hash_and_no_other_does() -> None:
    stored = await hash_password(PASSWORD)
    assert await verify(PASSWORD, stored)
    for other in ("", PASSWORD[:-1], PASSWORD + "x", PASSWORD.lower()):
        assert not await verify(other, stored)


async def test_a_hash_holds_no_password_and_differs_each_time() -> None:
    first, second = await hash_password(PASSWORD), await hash_password(PASSWORD)
    assert PASSWORD not in first
    assert first != second


async def test_a_hash_costs_what_is_recommended() -> None:
    assert (await hash_password(PASSWORD)).split("$")[1:4] == ["argon2id", "v=19", "m=19456,t=2,p=1"]


async def test_a_hash_of_another_cost_still_verifies_and_is_outdated() -> None:
    stored = CHEAP_HASHER.hash(PASSWORD)
    assert await verify(PASSWORD, stored)
    assert is_outdated(stored)
    assert not is_outdated(await hash_password(PASSWORD))


@pytest.mark.parametrize("stored", [SCRYPT, SCRYPT_OF_ANOTHER_COST])
async def test_a_hash_of_an_older_version_still_verifies_and_is_outdated(stored: str) -> None:
    assert await verify(PASSWORD, stored)
    assert not await verify(PASSWORD + "x", stored)
    assert is_outdated(stored)


@pytest.mark.parametrize("stored", ["", "none"])
async def test_nothing_verifies_against_no_hash_and_it_takes_as_long(
    monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    hashed: list[str] = []

    class Noting(PasswordHasher):
        @override
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            hashed.append(str(password))
            return ""

    monkeypatch.setattr(passwords, "HASHER", Noting())
    assert not await verify("guess", stored)
    assert hashed == ["guess"]


async def test_more_passwords_than_can_be_checked_soon_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", CHEAP_HASHER)
    monkeypatch.setattr(passwords, "_POOL", Pool("passwords", threads=2, max_waiting=3))
    outcomes = await asyncio.gather(*(hash_password(PASSWORD) for _ in range(5)), return_exceptions=True)
    assert [isinstance(outcome, Overloaded) for outcome in outcomes] == [False] * 3 + [True] * 2
    assert await hash_password(PASSWORD)

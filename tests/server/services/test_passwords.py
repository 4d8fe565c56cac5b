"""Passwords: which are strong enough, and how they are stored."""

from __future__ import annotations

import pytest

from coder_enterprise.server.services import passwords
from coder_enterprise.server.services.passwords import hash_password, verify, weakness
from tests.support.api import PASSWORD

HASH = hash_password(PASSWORD)


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


def test_a_password_verifies_against_its_hash_and_no_other_does() -> None:
    assert verify(PASSWORD, HASH)
    for other in ("", PASSWORD[:-1], PASSWORD + "x", PASSWORD.lower()):
        assert not verify(other, HASH)


def test_a_hash_holds_no_password_and_differs_each_time() -> None:
    assert PASSWORD not in HASH
    assert hash_password(PASSWORD) != HASH


def test_a_hash_costs_what_is_recommended() -> None:
    assert HASH.split(":")[:3] == ["scrypt", str(2**14), "8"]


def test_a_hash_of_another_cost_still_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", 64)
    assert verify(PASSWORD, HASH)
    assert verify(PASSWORD, hash_password(PASSWORD))


def test_nothing_verifies_against_no_hash_and_it_takes_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = []

    def derive(_password: str, _salt: bytes, cost: int, block: int) -> bytes:
        derived.append((cost, block))
        return b""

    monkeypatch.setattr(passwords, "_derive", derive)
    for stored in ("", "none"):
        assert not verify("", stored)
    assert derived == [(passwords.COST, passwords.BLOCK)] * 2

"""Hashes that cost nothing, for tests that log in: `monkeypatch.setattr(passwords, "HASHER", CHEAP_HASHER)`."""

from __future__ import annotations

from typing import Final

from argon2 import PasswordHasher

CHEAP_HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

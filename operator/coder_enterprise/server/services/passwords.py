"""Passwords: whether they are strong enough, and their hashes (Argon2id, RFC 9106).

Hashes are made in a pool of few threads, each of which needs `MEMORY_KIB`: more passwords than can be checked soon are
refused. Older versions of this server hashed with scrypt; such a hash still verifies, and `is_outdated` says that it is
to be made anew while the password is known.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from coder_enterprise.server.errors import Overloaded

T = TypeVar("T")

MEMORY_KIB: Final = 19 * 1024
"""With two passes and one lane, as the OWASP Password Storage Cheat Sheet recommends."""
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1)
THREADS: Final = 2
MAX_WAITING: Final = 32
"""Passwords that are being checked or wait for it: each takes some tens of milliseconds."""
MAX_LENGTH: Final = 64
MIN_BITS: Final = 52.0
"""Of entropy, by length and kinds of characters."""

_KINDS: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_OTHER_CHARACTERS: Final = 32
_SCRYPT: Final = "scrypt:"


class _Pool:
    """Threads that hash, and how much waits for them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._waiting = 0

    async def run(self, work: Callable[..., T], *arguments: str) -> T:
        """Raises `Overloaded`, and whatever `work` does."""
        if self._waiting >= MAX_WAITING:
            raise Overloaded("Too many passwords are being checked; try again in a moment.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._waiting -= 1


_POOL: Final = _Pool()


def weakness(password: str) -> str:
    """What is wrong with it; "" when nothing is."""
    if len(password) > MAX_LENGTH:
        return f"must have at most {MAX_LENGTH} characters"
    kinds = [kind for kind in _KINDS if any(character in kind for character in password)]
    other = any(character not in "".join(_KINDS) for character in password)
    alphabet = sum(len(kind) for kind in kinds) + (_OTHER_CHARACTERS if other else 0)
    # A character that only repeats the one before adds nothing.
    length = sum(1 for number, character in enumerate(password) if password[number - 1 : number] != character)
    if length * math.log2(max(alphabet, 1)) < MIN_BITS:
        return "is too weak: use more characters, and more kinds of them"
    return ""


async def hash_password(password: str) -> str:
    """Raises `Overloaded`."""
    return await _POOL.run(HASHER.hash, password)


async def verify(password: str, stored: str) -> bool:
    """As slow for a user who has no hash, so that time does not tell who exists. Raises `Overloaded`."""
    return await _POOL.run(_verify, password, stored)


def is_outdated(stored: str) -> bool:
    """A hash that is made otherwise than new ones are."""
    return stored.startswith(_SCRYPT) or HASHER.check_needs_rehash(stored)


def _verify(password: str, stored: str) -> bool:
    if stored.startswith(_SCRYPT):
        return _verify_scrypt(password, stored)
    try:
        return HASHER.verify(stored, password)
    except InvalidHashError:
        HASHER.hash(password)
    except VerificationError:
        pass
    return False


def _verify_scrypt(password: str, stored: str) -> bool:
    cost, block, salt, digest = stored.removeprefix(_SCRYPT).split(":")
    n, r = int(cost), int(block)
    derived = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=n, r=r, p=1, maxmem=256 * n * r)
    return hmac.compare_digest(derived, bytes.fromhex(digest))

"""Passwords: whether they are strong enough, and their hashes (Argon2id, RFC 9106).

Hashes are made in a pool of few threads, each of which needs `MEMORY_KIB`: more passwords than can be checked soon are
refused. Older versions of this server hashed with scrypt; such a hash still verifies, and `is_outdated` says that it is
to be made anew while the password is known.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import string
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from coder_enterprise.server.services.pools import Pool

MEMORY_KIB: Final = 19 * 1024
"""With two passes and one lane, as the OWASP Password Storage Cheat Sheet recommends."""
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=MEMORY_KIB, parallelism=1)
MAX_LENGTH: Final = 64
MIN_BITS: Final = 52.0
"""Of entropy, by length and kinds of characters."""

_KINDS: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_OTHER_CHARACTERS: Final = 32
_SCRYPT: Final = "scrypt:"


_POOL: Final = Pool("passwords", threads=2, max_waiting=32)
"""Each takes some tens of milliseconds."""


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

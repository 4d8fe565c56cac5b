"""Passwords: whether they are strong enough, and their hashes (scrypt, RFC 7914)."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import string
from typing import Final

COST: Final = 2**14
BLOCK: Final = 8
MAX_LENGTH: Final = 64
MIN_BITS: Final = 52.0
"""Of entropy, by length and kinds of characters."""

_KINDS: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_OTHER_CHARACTERS: Final = 32


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


def hash_password(password: str) -> str:
    """Takes some 50 ms of processor time: call it in a thread."""
    salt = secrets.token_bytes(16)
    return f"scrypt:{COST}:{BLOCK}:{salt.hex()}:{_derive(password, salt, COST, BLOCK).hex()}"


def verify(password: str, stored: str) -> bool:
    """As slow as `hash_password`, also for a user who has none, so that time does not tell who exists."""
    scheme, _, rest = stored.partition(":")
    if scheme != "scrypt":
        _derive(password, b"", COST, BLOCK)
        return False
    cost, block, salt, digest = rest.split(":")
    derived = _derive(password, bytes.fromhex(salt), int(cost), int(block))
    return hmac.compare_digest(derived, bytes.fromhex(digest))


def _derive(password: str, salt: bytes, cost: int, block: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=1, maxmem=256 * cost * block)

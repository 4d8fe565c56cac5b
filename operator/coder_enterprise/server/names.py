"""What things and people may be called: one definition for every resource, and for every door that a name comes in by.

Asked by the services, and by what reads SCIM. Each function says what is wrong in words that follow the field's name,
or "" when nothing is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from typing import Final
from uuid import UUID

FORM: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
"""Of names in paths, as in Coder."""
RESERVED: Final = frozenset({"new", "create"})
"""Pages of Coder's dashboard, beside the pages of things that have names."""
MAX_USERNAME: Final = 32
MAX_EMAIL: Final = 254
USERNAMES: Final = frozenset({"me", "first", "login", "logout"})
"""Usernames by which nobody could be found: the API has another meaning for each."""

_EMAIL_FORM: Final = re.compile(r"[^\s@]+@[^\s@]+")
_GROUPS: Final = "-".join(rf"[0-9a-f]{{{length}}}" for length in (8, 4, 4, 4, 12))
_UUID_FORM: Final = re.compile(rf"(urn:uuid:)?{_GROUPS}|\{{{_GROUPS}\}}|[0-9a-f]{{32}}", re.IGNORECASE | re.ASCII)
# Controls, the ends of lines and paragraphs, halves of surrogate pairs; and what puts text into another order than it
# is written in: https://www.unicode.org/reports/tr9/, embeddings, overrides and isolates.
_UNPRINTABLE: Final = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def as_uuid(text: str) -> UUID | None:
    """In every spelling that Coder reads. Python's own parser reads more: signs, spaces, hyphens anywhere."""
    if not _UUID_FORM.fullmatch(text):
        return None
    return of_digits(text.lower().removeprefix("urn:uuid:").strip("{}").replace("-", ""))


@functools.lru_cache(maxsize=4096)
def of_digits(digits: str) -> UUID:
    """Made once of what comes again and again, such as the id of the organization in each of its groups."""
    return UUID(digits)


def is_printable(text: str) -> bool:
    """Whether people can be shown it on one line: the letters, spaces, joiners and signs of all languages."""
    return not _UNPRINTABLE.search(text)


def name_problem(name: str, longest: int, reserved: Collection[str] = ()) -> str:
    """Of what stands for a thing in paths. No name looks like an id: by it, nothing would be found."""
    if not FORM.fullmatch(name) or len(name) > longest:
        return f"is required: letters and digits, joined by single hyphens, at most {longest} characters"
    if name.lower() in RESERVED or name.lower() in reserved:
        return f"{name} is a reserved name"
    return "must not look like an id: by that name, nothing could be found" if as_uuid(name) else ""


def username_problem(name: str) -> str:
    return name_problem(name, MAX_USERNAME, USERNAMES)


def text_problem(text: str, longest: int) -> str:
    """Of what people are shown in place of a name."""
    if len(text) > longest or text != text.strip():
        return f"must have at most {longest} characters and no space at its ends"
    return "" if is_printable(text) else "must not hold control characters, or characters that change the direction"


def email_problem(email: str) -> str:
    """An address is compared and typed: what nobody sees in it is refused."""
    if _EMAIL_FORM.fullmatch(email) and email.isprintable() and len(email.lower()) <= MAX_EMAIL:
        return ""
    return "is required and must be an e-mail address"

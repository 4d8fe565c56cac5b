"""Reads search queries: `status:active,dormant last_seen_after:"2026-01-01T00:00:00Z" ann`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from coder_enterprise.server.errors import NotFound, invalid
from coder_enterprise.server.names import as_uuid
from coder_enterprise.server.services import references
from coder_enterprise.server.storage.database import Connection
from coder_enterprise.server.storage.periods import Period

FREE: Final = ""
"""The key of the term that has none."""

_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_PART: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')


def parse(query: str, keys: Collection[str]) -> dict[str, str]:
    """Values by key, in lower case. Raises `BadRequest` for an unknown key and for one that comes twice."""
    if query.count('"') % 2:
        raise invalid(q='a quotation mark (") is missing')
    values: dict[str, str] = {}
    for part in _PART.findall(query.lower()):
        key, colon, value = (FREE, "", part) if part.startswith('"') else part.partition(":")
        if not colon:
            key, value = FREE, part
        elif key not in keys or key == FREE:
            raise invalid(q=f"{key!r} is not a key that can be searched; there are {', '.join(keys) or 'none'}")
        if key in values:
            raise invalid(q="only one free term is understood" if key == FREE else f"{key} comes twice")
        values[key] = value.replace('"', "")
    return values


def one_of(key: str, text: str | None, known: Collection[str]) -> tuple[str, ...]:
    """A list with commas; empty when the key was not sent. Raises `BadRequest`."""
    if text is None:
        return ()
    values = tuple(text.split(","))
    if not set(values) <= set(known):
        raise invalid(q=f"{key} must be among {', '.join(known)}")
    return values


def choice(key: str, text: str | None, known: Collection[str]) -> str:
    """One of them; "" when the key was not sent. Raises `BadRequest`."""
    if text is not None and text not in known:
        raise invalid(q=f"{key} must be one of {', '.join(known)}")
    return text or ""


def boolean(key: str, text: str | None) -> bool | None:
    """None when the key was not sent. Raises `BadRequest`."""
    if text is not None and text not in ("true", "false"):
        raise invalid(q=f"{key} must be true or false")
    return None if text is None else text == "true"


def ids(key: str, text: str | None) -> tuple[UUID, ...]:
    """A list with commas; empty when the key was not sent. Raises `BadRequest`."""
    found = [as_uuid(part) for part in text.split(",")] if text is not None else []
    if None in found:
        raise invalid(q=f"{key} must be UUIDs with commas between them")
    return tuple(value for value in found if value is not None)


def organization(connection: Connection, reference: str | None) -> UUID | None:
    """By id or name; None when the key was not sent. Raises `BadRequest`."""
    try:
        return references.organization(connection, reference).id if reference is not None else None
    except NotFound:
        raise invalid(q=f"there is no organization {reference!r}") from None


def number(key: str, text: str | None) -> int:
    """0 when the key was not sent. Raises `BadRequest`."""
    if text is None:
        return 0
    if not _NUMBER.fullmatch(text):
        raise invalid(q=f"{key} must be a whole number, not {text!r}")
    return int(text)


def period(values: Mapping[str, str], after: str, before: str) -> Period:
    """Between the moments that these two keys have, as RFC 3339. Raises `BadRequest`."""
    return Period(_moment(after, values.get(after)), _moment(before, values.get(before)))


def _moment(key: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text.upper())
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):  # in UTC it may lie before the first year
        pass
    raise invalid(q=f"{key} must be a time such as 2026-01-31T12:00:00Z, not {text!r}")

"""Reads search queries: `status:active,dormant last_seen_after:"2026-01-01T00:00:00Z" ann`."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from coder_enterprise.server.errors import invalid

FREE: Final = ""
"""The key of the term that has none."""

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


def one_of(key: str, text: str, known: Collection[str]) -> tuple[str, ...]:
    """A list with commas. Raises `BadRequest`."""
    values = tuple(text.split(","))
    if not set(values) <= set(known):
        raise invalid(q=f"{key} must be among {', '.join(known)}")
    return values


def moment(key: str, text: str) -> datetime:
    """RFC 3339. Raises `BadRequest`."""
    try:
        value = datetime.fromisoformat(text.upper())
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):  # in UTC it may lie before the first year
        pass
    raise invalid(q=f"{key} must be a time such as 2026-01-31T12:00:00Z, not {text!r}")

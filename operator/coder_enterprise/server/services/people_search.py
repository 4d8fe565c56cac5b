"""What lists of users are searched by."""

from __future__ import annotations

from typing import Final

from coder_enterprise.server.access import MEMBER, ROLE_NAMES
from coder_enterprise.server.services import search
from coder_enterprise.server.storage.users import Filter
from coder_enterprise.wire.users import LOGIN_TYPES, STATUSES

LAST_SEEN: Final = ("last_seen_after", "last_seen_before")
CREATED: Final = ("created_after", "created_before")
KEYS: Final = ("status", "role", "login_type", "github_com_user_id", *LAST_SEEN, *CREATED)


def parse_query(query: str) -> Filter:
    """`status:active,dormant role:owner ann`: one free term, and keys. Raises `BadRequest`."""
    values = search.parse(query, KEYS)
    roles = search.one_of("role", values.get("role"), (*ROLE_NAMES, MEMBER))
    return Filter(
        term=values.get(search.FREE, ""),
        statuses=search.one_of("status", values.get("status"), STATUSES),
        roles=() if MEMBER in roles else roles,
        login_types=search.one_of("login_type", values.get("login_type"), LOGIN_TYPES),
        github_id=search.number("github_com_user_id", values.get("github_com_user_id")),
        last_seen=search.period(values, *LAST_SEEN),
        created=search.period(values, *CREATED),
    )


def parse_names_query(query: str) -> Filter:
    """For those who see names alone: what they are not shown, they cannot search either. Raises `BadRequest`."""
    return Filter(term=search.parse(query, ()).get(search.FREE, ""), in_emails=False)

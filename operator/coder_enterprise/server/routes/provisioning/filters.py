"""What lists of provisioner daemons and of jobs are narrowed by, as Coder's clients write it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Request

from coder_enterprise.server.errors import bad_query
from coder_enterprise.server.routes.dependencies import SESSION_TOKEN
from coder_enterprise.server.routes.pages import MAX
from coder_enterprise.server.services import references

MAX_TAGS: Final = 64 * 1024
"""Characters."""

Limit = Annotated[int, Query(ge=0, le=MAX, description="0 is all")]
Ids = Annotated[list[str], Query(alias="ids", default_factory=list, description="With commas, or repeated")]
Statuses = Annotated[list[str], Query(default_factory=list, description="With commas, or repeated")]
Tags = Annotated[str, Query(alias="tags", max_length=MAX_TAGS, description='JSON such as {"zone": "eu"}')]


def known(request: Request, *names: str) -> None:
    """Raises `BadRequest` for a filter that there is not: it would hide nothing."""
    unknown = sorted(set(request.query_params) - {*names, SESSION_TOKEN})
    if unknown:
        raise bad_query(**dict.fromkeys(unknown, "is not known"))


def several(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.strip() for text in texts if text for part in text.split(","))


def ids(texts: Iterable[str]) -> tuple[UUID, ...]:
    """Raises `BadRequest`."""
    return tuple(references.uuid_parameter("ids", part) for part in several(texts))


def tags(text: str) -> dict[str, str]:
    """Raises `BadRequest`."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise bad_query(tags="must be a JSON object of texts")
    return found

"""Which part of a list a request asks for."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query

from coder_enterprise.server.routes.bodies import NIL
from coder_enterprise.server.services import references
from coder_enterprise.server.services.paging import Page

MAX: Final = 2**31 - 1
MAX_SEARCH: Final = 1000
"""Characters."""

Search = Annotated[str, Query(max_length=MAX_SEARCH, description="Such as status:active ann")]


async def page(
    limit: Annotated[int, Query(ge=0, le=MAX, description="0 is all")] = 0,
    offset: Annotated[int, Query(ge=0, le=MAX)] = 0,
    after_id: Annotated[str, Query(description="What comes after the one with this id")] = "",
) -> Page:
    """Raises `BadRequest` for an `after_id` that is no id."""
    after = references.uuid_parameter("after_id", after_id) if after_id not in ("", NIL) else None
    return Page(limit or None, offset, after)

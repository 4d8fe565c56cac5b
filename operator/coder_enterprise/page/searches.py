"""What people type into a field, as the URL has it. Used by the pages that have one, and by their templates."""

from __future__ import annotations

from typing import Final

from aiohttp import web

MAX_SEARCH: Final = 256
"""Characters that are looked for; a field takes no more."""


def typed(request: web.Request, name: str = "q") -> str:
    """ "" where there is nothing."""
    return request.query.get(name, "").strip()[:MAX_SEARCH]

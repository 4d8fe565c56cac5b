"""When a workspace may start and stop by itself: what its owner can choose, and its template allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from coder_enterprise.server.errors import invalid
from coder_enterprise.server.services import schedules
from coder_enterprise.server.services.schedules import ScheduleError

MIN_TTL: Final = 60 * 1000
"""Milliseconds."""
MAX_TTL: Final = 30 * 24 * 60 * 60 * 1000
MAX_SCHEDULE: Final = 128
"""Characters."""


def autostart(text: str | None, settings: Mapping[str, Any], field: str) -> str | None:
    """As it is kept. Raises `BadRequest` that names `field`."""
    if not text:
        return None
    if not settings.get("allow_user_autostart", True):
        raise invalid(**{field: "the template does not let users start workspaces by a schedule"})
    try:
        schedules.check_weekly(text)
    except ScheduleError as error:
        raise invalid(**{field: str(error)}) from None
    if len(text) > MAX_SCHEDULE:
        raise invalid(**{field: f"must have at most {MAX_SCHEDULE} characters"})
    return text


def ttl(milliseconds: int | None, settings: Mapping[str, Any]) -> int | None:
    """As it is kept. Raises `BadRequest`."""
    if not milliseconds:
        return None
    if not settings.get("allow_user_autostop", True):
        raise invalid(ttl_ms="the template does not let users choose when workspaces stop")
    if not MIN_TTL <= milliseconds <= MAX_TTL:
        raise invalid(ttl_ms=f"must be milliseconds, from {MIN_TTL} (a minute) to {MAX_TTL} (30 days)")
    return milliseconds

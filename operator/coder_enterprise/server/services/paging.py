"""Which part of a list is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from coder_enterprise.server.errors import BadRequest, invalid


@dataclass(frozen=True)
class Page:
    """Which part of a list; `limit` None is all."""

    limit: int | None = None
    offset: int = 0
    after_id: UUID | None = None
    """Only what comes after the one with this id."""


def nothing_after(after_id: UUID) -> BadRequest:
    """Of a list in which there is nothing with that id."""
    return invalid(after_id=f"there is no {after_id} in this list")

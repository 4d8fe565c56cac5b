"""From when to when: what lists of several tables are searched by."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select


class Period(NamedTuple):
    """Both moments belong to it; without one it has no end on that side."""

    after: datetime | None = None
    before: datetime | None = None


ALWAYS = Period()


def within(query: Select[Any], moment: ColumnElement[datetime], period: Period) -> Select[Any]:
    """Those rows whose `moment` is in the period."""
    if period.after is not None:
        query = query.where(moment >= period.after)
    if period.before is not None:
        query = query.where(moment <= period.before)
    return query

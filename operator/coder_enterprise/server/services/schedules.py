"""Daily schedules: `CRON_TZ=<IANA zone> <minute> <hour> * * *`, and UTC when there is no prefix; and weekly ones, whose
last field says on which days.

Pure: no database, no clock. Every day has exactly one start: one that daylight saving skips is when the clock has
jumped, and one that it repeats is the first of the two.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cronsim import CronSim

PREFIX: Final = "CRON_TZ="
UTC_ZONE: Final = "UTC"
MAX_MINUTE: Final = 59
MAX_HOUR: Final = 23

_NUMBER: Final = re.compile(r"[0-9]{1,2}")
_DAY: Final = "(?:[0-6]|sun|mon|tue|wed|thu|fri|sat)"
_RANGE: Final = rf"(?:\*|{_DAY}(?:-{_DAY})?)(?:/[1-6])?"
_DAYS: Final = re.compile(rf"{_RANGE}(?:,{_RANGE})*", re.IGNORECASE)


class ScheduleError(ValueError):
    """A text that is no daily schedule; says which part, and what is needed."""


@dataclass(frozen=True)
class Schedule:
    minute: int
    hour: int
    zone: str
    raw: str
    """The one way to write it: with its zone, and single spaces."""

    @property
    def time(self) -> str:
        """HH:MM."""
        return f"{self.hour:02}:{self.minute:02}"

    def next(self, after: datetime) -> datetime:
        """The first start later than `after`, with the offset that the zone has then."""
        local = after.astimezone(zoneinfo.ZoneInfo(self.zone))
        starts: Iterator[datetime] = CronSim(f"{self.minute} {self.hour} * * *", local)
        # In an hour that comes twice, cronsim also gives the start that has been in the first one.
        return next(start for start in starts if start.astimezone(UTC) > after)


def parse(text: str) -> Schedule:
    """Raises `ScheduleError`."""
    zone, fields = _split(text, "*")
    minute, hour, *others = fields
    if others != ["*", "*", "*"]:
        raise ScheduleError("day of month, month and day of week must be *: quiet hours start every day")
    return Schedule(
        minute=_number("minute", minute, MAX_MINUTE),
        hour=_number("hour", hour, MAX_HOUR),
        zone=zone,
        raw=f"{PREFIX}{zone} {' '.join(fields)}",
    )


def check_weekly(text: str) -> None:
    """Whether it is `CRON_TZ=<IANA zone> <minute> <hour> * * <days of the week>`. Raises `ScheduleError`."""
    _, (minute, hour, *dates, days) = _split(text, "<days of the week>")
    _number("minute", minute, MAX_MINUTE)
    _number("hour", hour, MAX_HOUR)
    if dates != ["*", "*"]:
        raise ScheduleError("day of month and month must be *: the days of the week alone are chosen")
    if not _DAYS.fullmatch(days):
        raise ScheduleError(f"day of week must be such as *, 1-5 or MON,WED,FRI, not {days!r}")


def _split(text: str, last: str) -> tuple[str, list[str]]:
    """The zone, and five fields; the form of the last one is for who sends another number. Raises `ScheduleError`."""
    zone, rest = UTC_ZONE, text
    if text.startswith(PREFIX):
        zone, _, rest = text.removeprefix(PREFIX).partition(" ")
        if zone not in _zones():
            raise ScheduleError(f"time zone {zone!r} is not an IANA name such as Europe/Berlin")
    fields = rest.split()
    if len(fields) != 5:
        raise ScheduleError(f"must be '{PREFIX}<zone> <minute> <hour> * * {last}', the zone being optional")
    return zone, fields


def _number(name: str, text: str, most: int) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise ScheduleError(f"{name} must be one number from 0 to {most}, not {text!r}")
    return int(text)


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())

"""Daily schedules: their grammar, and when they start next, also when the clock jumps."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from coder_enterprise.server.services.schedules import ScheduleError, check_weekly, parse


@pytest.mark.parametrize(
    ("text", "raw", "time", "zone"),
    [
        ("0 0 * * *", "CRON_TZ=UTC 0 0 * * *", "00:00", "UTC"),
        ("CRON_TZ=UTC 5 1 * * *", "CRON_TZ=UTC 5 1 * * *", "01:05", "UTC"),
        ("CRON_TZ=Europe/Berlin   30\t2  * * * ", "CRON_TZ=Europe/Berlin 30 2 * * *", "02:30", "Europe/Berlin"),
        ("CRON_TZ=America/St_Johns 59 23 * * *", "CRON_TZ=America/St_Johns 59 23 * * *", "23:59", "America/St_Johns"),
        ("05 14 * * *", "CRON_TZ=UTC 05 14 * * *", "14:05", "UTC"),
    ],
)
def test_a_schedule_has_one_spelling_a_time_and_a_zone(text: str, raw: str, time: str, zone: str) -> None:
    schedule = parse(text)
    assert (schedule.raw, schedule.time, schedule.zone) == (raw, time, zone)
    assert parse(schedule.raw) == schedule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 0 * *",
        "0 0 * * * *",
        "60 0 * * *",
        "0 24 * * *",
        "-1 0 * * *",
        "*/5 0 * * *",
        "0 1,2 * * *",
        "0 1-2 * * *",
        "* * * * *",
        "0 0 1 * *",
        "0 0 * 1 *",
        "0 0 * * 1",
        "0 0 * * MON",
        "0 0 ? * *",
        "@daily",
        "TZ=UTC 0 0 * * *",
        " CRON_TZ=UTC 0 0 * * *",
        "cron_tz=UTC 0 0 * * *",
        "CRON_TZ=Local 0 0 * * *",
        "CRON_TZ= 0 0 * * *",
        "CRON_TZ=UTC",
        "CRON_TZ=Mars/Olympus 0 0 * * *",
        "CRON_TZ=europe/berlin 0 0 * * *",
        "CRON_TZ=../../../etc/passwd 0 0 * * *",
        "CRON_TZ=/etc/localtime 0 0 * * *",
        "\u0660 0 * * *",
        "000 0 * * *",
        "1e1 0 * * *",
        "0 0 * * *; DROP TABLE users",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse(text)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-01-10T00:00:00+00:00", "2026-01-10T02:30:00+01:00"),
        ("2026-01-10T01:30:00+00:00", "2026-01-11T02:30:00+01:00"),  # this one has started
        ("2026-07-10T12:00:00+00:00", "2026-07-11T02:30:00+02:00"),
        ("2026-03-29T00:00:00+00:00", "2026-03-29T03:00:00+02:00"),  # there is no 02:30 on that day
        ("2026-03-29T01:00:00+00:00", "2026-03-30T02:30:00+02:00"),
        ("2026-10-24T23:00:00+00:00", "2026-10-25T02:30:00+02:00"),  # the first of two
        ("2026-10-25T00:30:00+00:00", "2026-10-26T02:30:00+01:00"),
        ("2026-10-25T01:00:00+00:00", "2026-10-26T02:30:00+01:00"),
    ],
)
def test_it_starts_once_a_day_also_when_the_clock_jumps(after: str, expected: str) -> None:
    found = parse("CRON_TZ=Europe/Berlin 30 2 * * *").next(datetime.fromisoformat(after))
    assert found.isoformat() == expected


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize("time", ["0 0", "30 1", "59 2", "15 3"])
def test_a_year_has_a_start_on_every_day(zone: str, time: str) -> None:
    schedule = parse(f"CRON_TZ={zone} {time} * * *")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    days = []
    while moment < datetime(2027, 1, 1, tzinfo=UTC):
        found = schedule.next(moment)
        days.append(found.date())
        moment = found.astimezone(UTC)
    assert all(later - earlier == timedelta(days=1) for earlier, later in itertools.pairwise(days))


@pytest.mark.parametrize("days", ["*", "1-5", "0", "MON,wed,FRI", "mon-fri", "*/2", "1-5/2", "0,6"])
def test_a_weekly_schedule_says_on_which_days(days: str) -> None:
    check_weekly(f"CRON_TZ=Europe/Berlin 30 9 * * {days}")


@pytest.mark.parametrize("days", ["7", "1-", "-", "monday", "1,,2", "*/0", "L", "5#1", "x"])
def test_a_day_that_there_is_not_is_refused(days: str) -> None:
    with pytest.raises(ScheduleError, match="day of week"):
        check_weekly(f"30 9 * * {days}")
